/** Shapes of the public API as the screens use them. */
import type { MultiPolygon, Polygon } from "geojson";

export type Severity = 1 | 2 | 3 | 4;

export interface Named {
  id: number;
  name: string;
}

export interface RegionRef {
  code: string;
  name: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
  /** Only with `count=true`: exact, or the word `10000+`. */
  total?: number | string;
}

export interface Me {
  user: string;
  name: string;
  roles: string[];
  unit: Named | null;
  region: RegionRef | null;
  permissions: string[];
  lang: string;
  sample: boolean;
  /** A second factor must be enrolled at /accounts/ before anything else is allowed. */
  second_factor?: boolean;
  clock: { now: string; rate: number };
  duty?: string | null;
}

export interface Point {
  lon: number;
  lat: number;
}

/** Where a case is; the point may be unknown. */
export interface Place {
  lon: number | null;
  lat: number | null;
  address: string;
  /** Expected error of a place found from the address; null when the place was given. */
  metres?: number | null;
}

export interface CaseSource {
  kind: string;
  at: string;
  count: number;
}

export interface CaseItem {
  code: string;
  type: string;
  type_name: string;
  title: string;
  severity: Severity;
  status: string;
  region: string;
  region_name: string;
  place: Place;
  reported_at: string;
  due_at: string | null;
  lead_unit: Named | null;
  scene: string;
  sources: CaseSource[];
  card: null | "yellow" | "red";
  stage: string | null;
  stage_due_at: string | null;
  merged: number;
  reworks: number;
}

export interface Proposal {
  type: string;
  type_name: string;
  unit: Named | null;
  severity: Severity;
  confidence: number;
  unit_confidence: number | null;
  how: "" | "given" | "learned" | "words" | "unsure" | "desk";
  precision: { proposed: number; right: number } | null;
  /** Open cases that may be the same matter. */
  alike: { code: string; title: string; likely: number }[];
  reasons: string[];
}

export interface Candidate {
  unit: Named;
  reason: string;
  load: number;
  distance_m: number | null;
}

export interface TaskItem {
  id: string;
  case: string;
  case_title: string;
  severity: Severity;
  name: string;
  title: string;
  stage: string;
  status: "open" | "accepted" | "done" | "cancelled";
  assignee: Named | null;
  unit: Named | null;
  due_at: string | null;
  verbs: string[];
  form: JsonSchema | null;
  must: string[];
  place: Place;
  region_name: string;
  /** What speaks against closing, for whoever checks or reviews. */
  doubts: string[];
}

export interface Given {
  stars: number;
  note: string;
}

/** The mean of the reporters' stars, of how many, their latest words; and what the centre gave. */
export interface CaseRating {
  stars: number | null;
  count: number;
  note: string;
  centre: Given | null;
}

/** One source of a case: a device's signals or one person's report. */
export interface SourceRow {
  id: number;
  /** It may become a case of its own. */
  splits: boolean;
  kind: string;
  source: string;
  device: string;
  device_name: string;
  device_kind: string;
  first_at: string;
  last_at: string;
  count: number;
  text: string;
  reporter: { name: string; contact: string } | null;
}

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

export interface CaseDetail extends CaseItem {
  source_rows: SourceRow[];
  /** The home a sensor's case is about, for those who may record absences. */
  household?: string | null;
  text: string | null;
  reporter: { name: string | null; contact: string | null } | null;
  proposal: Proposal | null;
  candidates: Candidate[];
  supporting: Named[];
  verbs: string[];
  tasks: TaskItem[];
  rating: CaseRating | null;
  supervision: { at: string; by: string; note: string; reply_by: string | null }[];
    merged_into?: string | null;
  doubts: string[];
  /** A language model is set up that drafts. */
  assistant: boolean;
}

export interface Fact {
  chain: string;
  seq: number;
  at: string;
  actor: string;
  actor_name: string;
  action: string;
  action_name: string;
  data: Record<string, unknown>;
  text?: string | null;
  previous_hash: string;
  hash: string;
}

export interface EvidenceItem {
  id: string;
  url: string;
  thumb: string;
  sha256: string;
  media_type: string;
  /** before, after, scene or document; empty when nobody said. */
  kind: string;
  at: string;
  by: string;
  /** Metres between the stated place and the camera's own. */
  gap_m: number | null;
  task: string | null;
  status: string;
}

export interface CaseCounts {
  severity: Record<string, number>;
  status: Record<string, number>;
  box: Record<string, number>;
  overdue: number;
  /** More ended cases than the 10,000 that were counted. */
  more?: boolean;
}

/** A point of level 0 has none: a device nothing is known of. */
export interface CaseMap {
  points: { code: string; lon: number; lat: number; severity: Severity | 0; status: string; title: string }[];
  clusters: { lon: number; lat: number; count: number; worst: Severity }[];
}

export interface CaseType {
  code: string;
  name_zh: string;
  name_en: string;
  severity: Severity;
  category: { code: string; name_zh: string; name_en: string };
}

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

/** For what purpose and why masked names and numbers are opened; in the query of a read. */
export interface Look {
  purpose: string;
  reason: string;
}

/** Who reported a case and in which words, opened for a purpose. */
export interface OpenedReporter {
  name: string;
  contact: string;
  text: string;
}

/** Who answers for a unit now; `source` is `roster`, or `unit` when nobody is rostered. */
export interface OnDuty {
  unit: number;
  presence: string;
  source: string;
  commander: Staff | null;
  staff: Staff[];
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

/** What a pack makes of many readings; the sentences are made from the definition. */
export interface PackDetector {
  name: string;
  title_zh: string;
  title_en: string;
  sentence_zh: string;
  sentence_en: string;
}

/** A detector of which nothing is told until somebody has looked. */
export interface HeldDetector {
  name: string;
  title: string;
  sentence: string;
  since: string;
  alarms: number;
}

export interface ReadingSeries {
  kind: string;
  title: string;
  unit: string;
  count: number;
  points: { at: string; low: number; mean: number; high: number; count: number }[];
}

export interface DeviceReadings {
  since: string;
  until: string;
  step_seconds: number;
  hidden: boolean;
  series: ReadingSeries[];
}

export interface Pack {
  name: string;
  version: string;
  title_zh: string;
  title_en: string;
  tier: string;
  enabled: boolean;
  /** Units whose territory differs from `enabled`. */
  units: number[];
  type: string;
  process: string;
  needs: { zh: string; en: string }[];
  /** The law the scene leans on, '' for most; `bases` are the documents recorded where it is on. */
  legal_zh: string;
  legal_en: string;
  bases: string[];
  detectors: PackDetector[];
}

/** The part of JSON Schema our forms use. */
export interface JsonSchema {
  type?: string;
  title?: string;
  title_en?: string;
  "x-title-en"?: string;
  description?: string;
  "x-description-en"?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  enum?: (string | number)[];
  enumNames?: string[];
  "x-enum-names"?: string[];
  oneOf?: { const: string | number; title: string; "x-title-en"?: string }[];
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
}

/** One message of `/api/v1/live`. */
export interface LiveCase {
  code: string;
  action: string;
  status: string;
  severity: Severity;
  region: string;
  at: string;
  title: string;
}

export interface LiveTask {
  id: string;
  case: string;
  status: string;
}

/** `GET /track/{case}?key=` with `Accept: application/json`. */
export interface Track {
  code: string;
  title: string;
  status: string;
  status_name: string;
  steps: { name: string; at: string | null; state: "done" | "now" | "waiting" }[];
  unit: string;
  remaining: string;
  evidence: { id: number | string; url: string; kind: string }[];
  can_rate: boolean;
  rating: { stars: number; note: string } | null;
  texts: Record<string, string>[];
}

/** `GET /audit`. */
export interface AuditRow {
  id: number;
  at: string;
  action: string;
  text: string;
  account: number;
  account_name: string;
  actor: string;
  actor_name: string;
  how: string;
  address: string;
  agent: string;
  data: Record<string, unknown>;
  chain: string;
  seq: number;
  hash: string;
}

/** `GET /looks`. */
export interface LookRow {
  id: number;
  at: string;
  user: number | null;
  user_name: string;
  subject: string;
  purpose: string;
  reason: string;
  count: number;
}

/** `GET /users`. */
export interface Account {
  id: number;
  username: string;
  name: string;
  machine: boolean;
  active: boolean;
  grants: { id: number; role: string; region: string; unit: number | null; valid_from: string | null; valid_to: string | null }[];
}

/** `GET /roles`. */
export interface RoleWords {
  key: string;
  name_zh: string;
  name_en: string;
}

/** Alarms of the present and of the wished detectors. */
export interface Rehearsed {
  name: string;
  title: string;
  old: number;
  new: number;
}

export interface RehearsedDetector {
  name: string;
  state: string;
  title_zh: string;
  title_en: string;
  old: number;
  new: number;
  both: number;
  only_old: number;
  only_new: number;
  hushed_old: number;
  hushed_new: number;
}

export interface RehearsalReport {
  present: boolean;
  detectors: RehearsedDetector[];
  days: Rehearsed[];
  places: Rehearsed[];
  places_elsewhere: number;
  devices: Rehearsed[];
  most_in_an_hour: number;
  would_be_held: boolean;
  cut: string | null;
  work: { minutes: number; open_hours: number; measured: number; units: { unit: number | null; title: string; task_zh: string; task_en: string; first: boolean; old: number; new: number }[] };
}

export interface Rehearsal {
  id: number;
  pack: string;
  status: string;
  share: number;
  readings: number;
  since: string;
  until: string;
  asked_at: string;
  finished_at: string | null;
  fault: string;
}

export interface RehearsalDetail extends Rehearsal {
  text: string;
  may_publish: boolean;
  report: RehearsalReport | null;
}

export interface DetectText {
  name: string;
  version: string;
  text: string;
  edited: boolean;
}

export interface DetectCheck {
  faults: { line: number; text_zh: string; text_en: string }[];
  detectors: { name: string; state: string; title_zh: string; title_en: string; sentence_zh: string; sentence_en: string }[];
  gone: string[];
}

/** How alarms of a detector, device or village turned out. */
export interface Precision {
  name: string;
  title: string;
  /** What a detector waits for; empty for devices, places and what a device tells by itself. */
  sentence: string;
  true: number;
  false: number;
  unclear: number;
  waiting: number;
  precision: number | null;
  low: number | null;
  high: number | null;
}

export interface SensorProposal {
  id: number;
  kind: "threshold" | "maintenance" | "close" | "reopen";
  detector: string;
  title: string;
  device: string;
  device_name: string;
  case_code: string;
  made_at: string;
  data: { true?: number; false?: number; limit?: number; wish?: number; keeps?: number; drops?: number; of?: number; before?: number | null; after?: number | null; ended?: string | null };
  /** Of the limits and readings in `data`; empty when they have none. */
  unit: string;
}

export interface CaseOutcome {
  alarms: { detector: string; title: string; sentence: string; device: string; device_name: string; at: string; outcome: string; reason: string; stated: boolean }[];
  proposals: SensorProposal[];
  /** Of the case of a village whose devices fell silent together: other detectors' alarms that this explains. */
  held: { name: string; title: string; waiting: number; told: number; passed: number }[];
}
