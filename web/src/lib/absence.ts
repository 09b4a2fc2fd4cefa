/** Times away as a form has them: what `datetime-local` writes, by the clock of the place and not of this machine: they are shown so, too. Pure. */
import { fromInput, toInput } from "./territory";

const MINUTE = 60_000;
const LONGEST = 366 * 24 * 60 * MINUTE;

export type AbsenceFault = "unread" | "order" | "over" | "long";

/** Milliseconds as `datetime-local` writes them. */
export const local = (at: number): string => toInput(new Date(at).toISOString());

/** And back; NaN when it cannot be read. */
export const moment = (typed: string): number => Date.parse(fromInput(typed.slice(0, 16)));

/** From now to the same time tomorrow: what most people begin from. */
export const tomorrow = (now: number): { since: string; till: string } => ({ since: local(now), till: local(now + 24 * 60 * MINUTE) });

/** What the server would refuse, said before it is asked. */
export function wrong(since: string, till: string, now: number): AbsenceFault | null {
  const [from, to] = [moment(since), moment(till)];
  if (Number.isNaN(from) || Number.isNaN(to)) return "unread";
  if (to <= from) return "order";
  if (to <= now) return "over";
  return to - from > LONGEST || from > now + LONGEST ? "long" : null;
}
