/** The period of the figures: address line ⇄ query of the API. Pure. */
import { dayStart, fullTime } from "@/lib/time";

const DAY = 86_400_000;
/** Whole days up to now; 30 is what the server takes when nothing is said. */
export const PRESETS = [1, 7, 30] as const;
export type Preset = (typeof PRESETS)[number];

/** A picked day begins at its first moment and, as the end, takes the day in; a moment stays what it is. */
export function asked(since: string, until: string): { since: string; until: string } {
  const first = (day: string): string => `${day}T00:00:00+08:00`;
  const after = (day: string): string => dayStart(Date.parse(first(day)) + DAY);
  return { since: since.length === 10 ? first(since) : since, until: until.length === 10 ? after(until) : until };
}

/** The first day of a period of so many days that ends now; '' for the server's own. */
export const sinceOf = (days: Preset, now: number): string => (days === 30 ? "" : fullTime(now - (days - 1) * DAY).slice(0, 10));

/** Which of the periods that end now an address means, if any. */
export function presetOf(since: string, until: string, now: number): Preset | null {
  if (until) return null;
  const day = since.length > 10 ? fullTime(since).slice(0, 10) : since;
  return PRESETS.find((days) => sinceOf(days, now) === day) ?? null;
}
