/** Packs, their detectors as text, and rehearsals. Shapes of the public API as the screens use them. */

/** What a pack makes of many readings; the sentences are made from the definition. */
export interface PackDetector {
  name: string;
  title_zh: string;
  title_en: string;
  sentence_zh: string;
  sentence_en: string;
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
  sentence_zh: string;
  sentence_en: string;
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
