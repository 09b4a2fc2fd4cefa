/** Shapes of the public API as the screens use them. */

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
  clock: { now: string; rate: number };
  duty?: string | null;
}

export interface Place {
  lon: number;
  lat: number;
  address?: string | null;
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
  place: Place | null;
  reported_at: string;
  due_at: string | null;
  lead_unit: Named | null;
  scene: string | null;
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
  reasons: string[];
}

export interface Candidate {
  unit: Named;
  reason: string;
  load: number;
  distance_m: number | null;
}

export interface TaskItem {
  id: number | string;
  case: string;
  name: string;
  title: string;
  status: "open" | "accepted" | "done" | "cancelled";
  assignee?: Named | string | null;
  unit?: Named | null;
  due_at: string | null;
  verbs: string[];
  form?: JsonSchema | null;
  must?: string[];
  stage?: string | null;
  case_title?: string;
  severity?: Severity;
  place?: Place | null;
  region_name?: string;
}

export interface CaseDetail extends CaseItem {
  text: string | null;
  reporter: { name: string | null; contact: string | null } | null;
  proposal: Proposal | null;
  candidates: Candidate[];
  supporting: Named[];
  verbs: string[];
  tasks: TaskItem[];
  rating: { stars: number; note: string | null } | null;
  track_url?: string | null;
  merged_into?: string | null;
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
  id: number | string;
  url: string;
  kind: string;
  at?: string;
  stage?: string;
  by?: string;
  sha256?: string;
  thumb?: string;
  media_type?: string;
  name?: string;
}

export interface CaseCounts {
  severity: Record<string, number>;
  status: Record<string, number>;
  box: Record<string, number>;
  overdue: number;
}

export interface CaseMap {
  points: { code: string; lon: number; lat: number; severity: Severity; status: string; title: string }[];
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
  level?: string | number;
  level_name?: string;
  parent?: string | null;
  children?: number;
}

export interface Unit {
  id: number;
  name: string;
  parent?: number | null;
  region?: string | null;
  region_name?: string;
  department?: string | null;
  department_name?: string;
  kind?: string;
  on_duty?: boolean;
}

export interface Staff {
  id: number;
  name: string;
  unit?: Named | null;
  post?: string | null;
  phone?: string | null;
  on_duty?: boolean;
  duty?: string | null;
  presence?: string | null;
  shift_until?: string | null;
  duty_commander?: boolean;
}

export interface Device {
  id: number | string;
  code?: string;
  name: string;
  kind: string;
  kind_name?: string;
  status: string;
  region?: string;
  region_name?: string;
  place?: Place | null;
  last_seen?: string | null;
  subject?: string | null;
  data?: Record<string, unknown>;
}

export interface Pack {
  name: string;
  version: string;
  title_zh: string;
  title_en: string;
  tier: "bronze" | "silver" | "gold" | string;
  enabled: boolean;
  units: (Named & { on?: boolean })[];
  type: string;
  process: string;
  needs: string[];
  stories?: { name: string; title_zh?: string; title_en?: string; kind?: string }[];
}

/** The part of JSON Schema our forms use. */
export interface JsonSchema {
  type?: string;
  title?: string;
  title_en?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  enum?: (string | number)[];
  enumNames?: string[];
  "x-enum-names"?: string[];
  oneOf?: { const: string | number; title: string }[];
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
  id: number | string;
  case: string;
  status: string;
}

/** `GET /track/{case}?key=` with `Accept: application/json`. */
export interface Track {
  code: string;
  title: string;
  status: string;
  status_name: string;
  steps: { name: string; at: string | null; state: "done" | "now" | "next" | string }[];
  unit: string | null;
  remaining: string | null;
  evidence: { id: number | string; url: string; kind: string }[];
  can_rate: boolean;
  rating: { stars: number; note: string | null } | null;
  texts?: { at: string; text: string }[] | string[];
}
