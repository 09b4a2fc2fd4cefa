/** Region codes and the weeks of a roster. Pure. */

/** The lowest free codes below a parent: as many digits as the level has, counting on from the highest in use. */
export function freeCodes(parent: string, digits: number, used: readonly string[], wanted: number): string[] {
  const width = digits - parent.length;
  if (width <= 0) return [];
  const numbers = used.filter((code) => code.startsWith(parent) && code.length === digits).map((code) => Number(code.slice(parent.length)));
  const last = Math.max(0, ...numbers.filter(Number.isFinite));
  return Array.from({ length: wanted }, (_, i) => parent + String(last + 1 + i).padStart(width, "0"));
}

const DAY = 86_400_000;
/** Rosters are written in the time of the deployment's zone, eight hours ahead all year. */
const AHEAD = 8 * 3_600_000;

/** Monday 00:00 (China) of the week that holds the moment, `weeks` further on; milliseconds. */
export function weekStart(at: number, weeks = 0): number {
  const local = at + AHEAD;
  const day = Math.floor(local / DAY);
  const monday = day - ((day + 3) % 7); // 1970-01-01 was a Thursday
  return monday * DAY - AHEAD + weeks * 7 * DAY;
}

/** "2026-11-25" where the deployment is. */
export const dayText = (at: number): string => new Date(at + AHEAD).toISOString().slice(0, 10);

/** "2026-11-25T08:30" for an input, and back to RFC 3339. */
export const toInput = (iso: string): string => new Date(Date.parse(iso) + AHEAD).toISOString().slice(0, 16);
export const fromInput = (text: string): string => `${text}:00+08:00`;
