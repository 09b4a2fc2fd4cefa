/** Shapes of the public interface this app reads (see docs/reference); unknown fields are ignored. */
export interface Named {
  id: number | string;
  name: string;
}

export interface Me {
  user: string;
  name: string;
  roles: string[];
  unit: Named | null;
  region: { code: string; name: string } | null;
  permissions: string[];
  lang: string;
  sample: boolean;
  clock: { now: string; rate: number };
}

export type Severity = 1 | 2 | 3 | 4;

export interface CaseItem {
  code: string;
  type: string;
  type_name: string;
  title: string;
  severity: Severity;
  status: string;
  region: string;
  region_name: string;
  place: { lon: number; lat: number; address: string } | null;
  reported_at: string;
  due_at: string | null;
  lead_unit: Named | null;
  card: null | "yellow" | "red";
}

export interface CaseDetail extends CaseItem {
  text: string;
  reporter: { name: string; contact: string } | null;
}

export interface Task {
  id: string;
  case: string;
  name: string;
  title: string;
  status: "open" | "accepted" | "done" | "cancelled";
  assignee?: unknown;
  unit?: Named | null;
  due_at: string | null;
  verbs: string[];
  form?: JsonSchema | null;
  must?: string[];
}

export interface JsonSchema {
  type?: string;
  title?: string;
  title_en?: string;
  description?: string;
  enum?: (string | number)[];
  oneOf?: { const: string | number; title?: string; title_en?: string }[];
  properties?: Record<string, JsonSchema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
}

export interface Evidence {
  id: string | number;
  url: string;
  kind?: string;
  at?: string;
  by?: string | null;
  sha256?: string;
}

export interface Fact {
  seq: number;
  at: string;
  actor: string;
  actor_name?: string;
  action: string;
  action_name?: string;
  text?: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

/** A task with what its card shows of the case; `item` is null when the case is not visible to the caller. */
export interface Work {
  task: Task;
  item: CaseItem | null;
}
