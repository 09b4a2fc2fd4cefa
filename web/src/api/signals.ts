/** Readings, what became of alarms, and what follows from it. Shapes of the public API as the screens use them. */

/** A detector of which nothing is told until somebody has looked. */
export interface HeldDetector {
  name: string;
  title: string;
  sentence: string;
  since: string;
  /** Too many alarms, or a fault with which it cannot go on: then it is set aside. */
  why: "alarms" | "fault";
  alarms: number;
  fault: string;
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
  /** Whether I may follow it now. */
  mine: boolean;
  /** Who has the task that closing would end. */
  whose: string;
}

export interface CaseOutcome {
  alarms: { detector: string; title: string; sentence: string; device: string; device_name: string; at: string; outcome: string; reason: string; stated: boolean }[];
  proposals: SensorProposal[];
  /** Of the case of a village whose devices fell silent together: other detectors' alarms that this explains. */
  held: { name: string; title: string; sentence: string; waiting: number; told: number; passed: number }[];
}
