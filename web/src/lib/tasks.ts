/** Order and state of tasks. Pure. */
import type { EvidenceItem, TaskItem } from "@/api/cases";

const instant = (iso: string | null | undefined): number => (iso ? Date.parse(iso) : Number.MAX_SAFE_INTEGER);

/** Least time left first; within it the worse case, then a stable order. */
export function byTimeLeft(a: TaskItem, b: TaskItem): number {
  return instant(a.due_at) - instant(b.due_at) || a.severity - b.severity || (a.id < b.id ? -1 : 1);
}

export const isLate = (task: TaskItem, now: number): boolean =>
  !!task.due_at && (task.status === "open" || task.status === "accepted") && Date.parse(task.due_at) < now;

/** Verbs that need a written reason. */
export const NEEDS_REASON: ReadonlySet<string> = new Set(["return", "reject", "escalate"]);

const ORDER = ["accept", "submit", "approve", "check_in"];

/** The verb that carries the work on comes first. */
export const ordered = (verbs: string[]): string[] => {
  const rank = (verb: string): number => (ORDER.includes(verb) ? ORDER.indexOf(verb) : ORDER.length);
  return [...verbs].sort((a, b) => rank(a) - rank(b));
};

/** Pictures of the report and of the result, for the pair a checker looks at. */
export function pair(items: EvidenceItem[]): { before: EvidenceItem[]; after: EvidenceItem[] } {
  const after = items.filter((item) => item.kind === "after");
  return { before: items.filter((item) => !after.includes(item)), after };
}

/** Whether there is a before and an after to look at: a visit's photos show what was found, and nothing was changed. */
export const compares = (items: EvidenceItem[]): boolean => items.some((item) => item.kind === "after") || !items.some((item) => item.task !== null && item.kind === "scene");

/** The text key of a task's state: work in the field is signed for, a decision at a desk is not. */
export function stateKey(task: Pick<TaskItem, "status" | "stage">): string {
  const signed = task.stage === "handle" || task.stage === "support";
  return task.status === "open" && !signed ? "taskStatus.waiting" : `taskStatus.${task.status}`;
}
