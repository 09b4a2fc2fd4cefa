/** People, places and devices. Shapes of the public API as the screens use them. */
import type { Named, Page, Point } from "./shared";

/** A time for which a household has told that nobody is at home. */
export interface Absence {
  id: number;
  household: string;
  since: string;
  till: string;
  told_at: string;
}

export interface Person {
  code: string;
  name: string;
  age: number | null;
  household: string | null;
  address: string;
  region_name: string;
}

export interface ReportCode {
  code: string;
  name: string;
  address: string;
  url: string;
  svg: string;
}

/** A device that watches a key place; no metres when it is only told to. */
export interface CoveringDevice {
  code: string;
  name: string;
  kind: string;
  status: string;
  metres: number | null;
}

export interface CoveredPlace {
  id: number;
  code: string;
  name: string;
  kind: string;
  region: string;
  region_name: string;
  state: "uncovered" | "weak" | "covered";
  devices: CoveringDevice[];
  device_count: number;
}

export interface CoveragePage extends Page<CoveredPlace> {
  counts: Record<string, number>;
}

/** `online` is a share of the day. */
export interface DayOfDevice {
  day: string;
  online: number;
  failures: number;
}

export interface DeviceTrend {
  items: { day: string; counts: Record<string, number>; failures: number }[];
  worst: { code: string; name: string; status: string; failures: number }[];
}

/** What became, or would become, of a table that was sent. */
export interface TableImport {
  rows: number;
  kept: number;
  refused: number;
  rows_refused: { row: number; reason: string; values: Record<string, string> }[];
}

/** A device on the map. */
export interface DevicePoint {
  code: string;
  name: string;
  lon: number;
  lat: number;
  status: string;
}

export interface Device {
  key_place: { code: string; name: string } | null;
  coverage: number | null;
  id: number;
  code: string;
  kind: string;
  name: string;
  region: string;
  region_name: string;
  place: Point | null;
  owner_unit: Named | null;
  subject: string | null;
  interval_seconds: number;
  status: string;
  last_seen: string | null;
  last_value: number | null;
  private: boolean;
}

export interface DevicePage extends Page<Device> {
  counts: Record<string, number>;
}
