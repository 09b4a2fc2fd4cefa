/**
 * Our hand-named shapes against the server's own description (schema.d.ts, made by `npm run api`). Types only: when the server changes
 * a shape in a way a screen would notice, this file no longer compiles, and the line says which shape.
 */
import type { Me } from "./access";
import type { CaseCounts, CaseDetail, CaseItem, CaseMap, CaseType, EvidenceItem, Fact, TaskItem } from "./cases";
import type { Cockpit } from "./cockpit";
import type { Indicators } from "./indicators";
import type { OnDuty, RegionDetail, RegionVersion, Shift, Staff, Unit, UnitDuty } from "./orgs";
import type { Device } from "./registry";
import type { Pack } from "./scenes";
import type { components } from "./schema";

type Theirs = components["schemas"];

/** Words and numbers lose their narrowing: the server says `number` where we know 1–4. */
type Wide<T> = T extends string
  ? string
  : T extends number
    ? number
    : T extends boolean
      ? boolean
      : T extends (infer U)[]
        ? Wide<U>[]
        : T extends object
          ? { [K in keyof T]: Wide<T[K]> }
          : T;

type Fits<Server extends Wide<Ours>, Ours> = [Server, Ours];

export type Agreement = [
  Fits<Theirs["MeOut"], Me>,
  Fits<Theirs["CaseItem"], CaseItem>,
  Fits<Theirs["CaseDetail"], Omit<CaseDetail, "tasks">>,
  Fits<Theirs["TaskOut"], Omit<TaskItem, "form">>,
  Fits<Theirs["FactOut"], Omit<Fact, "text">>,
  Fits<Theirs["EvidenceOut"], EvidenceItem>,
  Fits<Theirs["Counts"], CaseCounts>,
  Fits<Theirs["CaseMap"], CaseMap>,
  Fits<Theirs["CaseTypeOut"], Omit<CaseType, "category">>,
  Fits<Theirs["RegionDetail"], Omit<RegionDetail, "boundary">>,
  Fits<Theirs["VersionOut"], RegionVersion>,
  Fits<Theirs["UnitDutyOut"], Omit<UnitDuty, "hours">>,
  Fits<Theirs["ShiftOut"], Shift>,
  Fits<Theirs["UnitOut"], Unit>,
  Fits<Theirs["StaffOut"], Staff>,
  Fits<Theirs["DutyOut"], OnDuty>,
  Fits<Theirs["DeviceOut"], Device>,
  Fits<Theirs["PackOut"], Pack>,
  Fits<Theirs["IndicatorsOut"], Omit<Indicators, "region">>,
  Fits<Theirs["CockpitOut"], Pick<Cockpit, "at">>,
];
