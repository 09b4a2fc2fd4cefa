/** Times away as a form has them: local times of `datetime-local`. Pure. */

const MINUTE = 60_000;
const LONGEST = 366 * 24 * 60 * MINUTE;

export type AbsenceFault = "unread" | "order" | "over" | "long";

/** Milliseconds as `datetime-local` writes them, in this browser's zone. */
export function local(at: number): string {
  return new Date(at - new Date(at).getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}

/** From now to the same time tomorrow: what most people begin from. */
export const tomorrow = (now: number): { since: string; till: string } => ({ since: local(now), till: local(now + 24 * 60 * MINUTE) });

/** What the server would refuse, said before it is asked. */
export function wrong(since: string, till: string, now: number): AbsenceFault | null {
  const [from, to] = [Date.parse(since), Date.parse(till)];
  if (Number.isNaN(from) || Number.isNaN(to)) return "unread";
  if (to <= from) return "order";
  if (to <= now) return "over";
  return to - from > LONGEST || from > now + LONGEST ? "long" : null;
}
