/** Words of the domain that every screen shares: order, marks and groups; the sentences are in i18n. */
import type { CaseItem } from "@/api/cases";
import type { Severity } from "@/api/shared";

export const SEVERITIES: readonly Severity[] = [1, 2, 3, 4];

/** Level = colour + mark + word; the mark carries the level for people who do not see the colour. */
export const MARKS: Record<Severity, string> = { 1: "▲▲", 2: "▲", 3: "◆", 4: "●" };

export const STATUSES = [
  "reported", "verifying", "filed", "dispatched", "accepted", "handling", "suspended", "escalated",
  "submitted", "checking", "reworked", "closed", "voided", "rejected",
] as const; // prettier-ignore

export const ENDED: readonly string[] = ["closed", "voided", "rejected"];

/** What counts as reported: all but the void, the merged (they are void) and the rejected; a filter of the case list. */
export const COUNTED = STATUSES.filter((status) => status !== "voided" && status !== "rejected").join(",");

/** The steps of the status bar, and which statuses count as being in each. */
export const STEPS = ["report", "dispatch", "accept", "handle", "check", "close"] as const;
export type Step = (typeof STEPS)[number];

const STEP_OF: Record<string, Step> = {
  reported: "report",
  verifying: "report",
  filed: "dispatch",
  dispatched: "accept",
  escalated: "accept",
  accepted: "handle",
  handling: "handle",
  suspended: "handle",
  reworked: "handle",
  submitted: "check",
  checking: "check",
  closed: "close",
  voided: "close",
  rejected: "close",
};

/** It only waits for a time: in nobody's hands, so nobody is late. */
export const waiting = (item: Pick<CaseItem, "stage">): boolean => item.stage === "wait";

/** Text key of where a case stands. */
export const standing = (item: Pick<CaseItem, "status" | "stage">): string => (waiting(item) ? "stage.wait" : `status.${item.status}`);

/** The step a case of this status is in now. */
export const stepOf = (status: string): Step => STEP_OF[status] ?? "report";

export const BOXES = ["todo", "doing", "done", "all"] as const;
export type Box = (typeof BOXES)[number];

/** The limit that counts now: the stage's, else the whole case's. */
export const limitOf = (item: Pick<CaseItem, "stage_due_at" | "due_at">): string | null => item.stage_due_at ?? item.due_at;

type Sortable = Pick<CaseItem, "severity" | "stage_due_at" | "due_at" | "reported_at" | "code">;

/** Queue order: severity, then the earliest limit (no limit last), then older first, then code so that the order is total. */
export function byUrgency(a: Sortable, b: Sortable): number {
  if (a.severity !== b.severity) return a.severity - b.severity;
  const [left, right] = [instant(limitOf(a)), instant(limitOf(b))];
  if (left !== right) return left - right;
  const age = instant(a.reported_at) - instant(b.reported_at);
  return age || (a.code < b.code ? -1 : a.code > b.code ? 1 : 0);
}

function instant(iso: string | null): number {
  return iso ? Date.parse(iso) : Number.MAX_SAFE_INTEGER;
}
