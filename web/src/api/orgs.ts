/** Territory, units, staff and duty. Shapes of the public API as the screens use them. */
import type { MultiPolygon, Polygon } from "geojson";
import type { Named } from "./shared";

export interface Region {
  code: string;
  name: string;
  level: string;
  level_name: string;
  parent: string | null;
  /** How many regions lie directly below. */
  children: number;
  lon: number | null;
  lat: number | null;
  households: number | null;
  population: number | null;
  /** People of its own grid team. */
  team: number;
}

export interface RegionDetail extends Region {
  full_name: string;
  ancestors: Region[];
  below: Region[];
  boundary: Polygon | MultiPolygon | null;
}

/** How a region stood from `since` (included) to `until` (excluded; null = still). */
export interface RegionVersion {
  name: string;
  households: number | null;
  population: number | null;
  since: string;
  until: string | null;
}

export interface Level {
  code: string;
  rank: number;
  digits: number;
  name_zh: string;
  name_en: string;
}

export interface Team {
  region: string;
  members: Staff[];
}

/** What a unit is competent for; empty type and region = all. */
export interface UnitDuty {
  id: number;
  kind: string;
  type: string;
  region: string;
  region_name: string;
  post: string | null;
  hours: { days?: number[]; ranges?: [string, string][] } | null;
  priority: number;
  since: string;
  until: string | null;
}

export interface Shift {
  staff: Named;
  staff_code: string;
  role: string;
  starts_at: string;
  ends_at: string;
}

export interface Unit {
  id: number;
  code: string;
  name: string;
  kind: string;
  parent: number | null;
  region: string;
  region_name: string;
  department: string | null;
  department_name: string | null;
  presence: string;
  phone: string;
  active: boolean;
}

export interface Staff {
  id: number;
  code: string;
  name: string;
  unit: Named;
  phone: string;
  active: boolean;
  role: string;
  on_duty: boolean;
  duty: string | null;
  duty_commander: boolean;
  shift_until: string | null;
}

/** Who answers for a unit now; `source` is `roster`, or `unit` when nobody is rostered. */
export interface OnDuty {
  unit: number;
  presence: string;
  source: string;
  commander: Staff | null;
  staff: Staff[];
}
