/** Cases, their tasks, facts and evidence, as the screens use them. */
import type { JsonSchema, Named, Place, Severity } from "./shared";

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
  device_place: string;
  first_at: string;
  last_at: string;
  count: number;
  text: string;
  reporter: { name: string; contact: string } | null;
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

/** Who reported a case and in which words, opened for a purpose. */
export interface OpenedReporter {
  name: string;
  contact: string;
  text: string;
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
  /** The number it was reported under, when that is another now. */
  under: string;
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
