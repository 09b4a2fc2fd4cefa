/**
 * Our hand-named shapes against the server's own description (schema.d.ts, made by `npm run api`). Types only: when the server changes
 * a shape in a way a screen would notice, this file no longer compiles, and the line says which shape.
 */
import type { Cockpit } from "./cockpit";
import type { components } from "./schema";
import type * as our from "./types";

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
  Fits<Theirs["MeOut"], our.Me>,
  Fits<Theirs["CaseItem"], our.CaseItem>,
  Fits<Theirs["CaseDetail"], Omit<our.CaseDetail, "tasks">>,
  Fits<Theirs["TaskOut"], Omit<our.TaskItem, "form">>,
  Fits<Theirs["FactOut"], Omit<our.Fact, "text">>,
  Fits<Theirs["EvidenceOut"], our.EvidenceItem>,
  Fits<Theirs["Counts"], our.CaseCounts>,
  Fits<Theirs["CaseMap"], our.CaseMap>,
  Fits<Theirs["CaseTypeOut"], Omit<our.CaseType, "category">>,
  Fits<Theirs["RegionDetail"], Omit<our.RegionDetail, "boundary">>,
  Fits<Theirs["VersionOut"], our.RegionVersion>,
  Fits<Theirs["UnitDutyOut"], Omit<our.UnitDuty, "hours">>,
  Fits<Theirs["ShiftOut"], our.Shift>,
  Fits<Theirs["UnitOut"], our.Unit>,
  Fits<Theirs["StaffOut"], our.Staff>,
  Fits<Theirs["DutyOut"], our.OnDuty>,
  Fits<Theirs["DeviceOut"], our.Device>,
  Fits<Theirs["PackOut"], our.Pack>,
  Fits<Theirs["CockpitOut"], Pick<Cockpit, "at">>,
];
