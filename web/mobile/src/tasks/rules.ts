import type { TaskItem } from "@/api/cases";
import type { Severity } from "@/api/shared";

const CHECKS = ["approve", "reject"];
/** The main action in the order in which the work goes; the first one allowed now is the big button. A check needs no signing first. */
const ORDER = ["approve", "accept", "check_in", "submit"] as const;
export type MainVerb = (typeof ORDER)[number];

export const severityOf = (task: TaskItem): Severity => task.severity ?? 4;

export function late(task: TaskItem, now: number): boolean {
  return task.due_at !== null && Date.parse(task.due_at) < now;
}

/** Most severe first, then least time left; tasks without a limit last. The code settles ties so that cards never jump. */
export function sorted(list: readonly TaskItem[]): TaskItem[] {
  const due = (task: TaskItem) => (task.due_at ? Date.parse(task.due_at) : Number.MAX_SAFE_INTEGER);
  return [...list].sort((a, b) => severityOf(a) - severityOf(b) || due(a) - due(b) || a.case.localeCompare(b.case));
}

export function counts(list: readonly TaskItem[], now: number): { todo: number; late: number; red: number } {
  return {
    todo: list.length,
    late: list.filter((task) => late(task, now)).length,
    red: list.filter((task) => severityOf(task) === 1).length,
  };
}

/** `checkedIn`: this phone or the trace already holds a check-in for the task; it may be repeated but is no longer the main thing. */
export function mainVerb(verbs: readonly string[], checkedIn: boolean): MainVerb | null {
  return ORDER.find((verb) => verbs.includes(verb) && !(verb === "check_in" && checkedIn)) ?? null;
}

/** Verifying a report on site and checking a result take the same verbs but other words: `go.…` on buttons, `did.…` afterwards. */
export function wordOf(verb: string, task: Pick<TaskItem, "name">, scope: "go" | "did" = "go"): string {
  return task.name === "verify" && (verb === "approve" || verb === "reject") ? `${scope}.${verb}_verify` : `${scope}.${verb}`;
}

export function isCheck(verbs: readonly string[]): boolean {
  return CHECKS.some((verb) => verbs.includes(verb));
}

/** A number one may dial: masked ones ("139****0000") and names are not. */
export function dialable(contact: string | null | undefined): string | null {
  const digits = (contact ?? "").replace(/[\s()-]/g, "");
  return /^\+?\d{3,15}$/.test(digits) ? digits : null;
}

/** Why a sensor's alarm was none, as detectors learn it; `nothing` is no reason of its own: the verb says as much. */
export const FALSE_REASONS = ["nothing", "device", "normal", "known", "test", "other"] as const;
