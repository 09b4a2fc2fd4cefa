/** What a device's last value is of: a device may send several kinds, and its row holds the number alone. */
import type { ReadingSeries } from "@/api/signals";

/** The kind whose newest step of time holds the value; null when none does, or when several of one moment do. */
export function seriesOf(value: number | null, series: ReadingSeries[]): ReadingSeries | null {
  if (value === null) return null;
  const newest = series
    .map((one) => ({ one, last: one.points.at(-1) }))
    .filter(({ last }) => last && last.low <= value && value <= last.high)
    .sort((a, b) => Date.parse(b.last!.at) - Date.parse(a.last!.at));
  const [first, second] = newest;
  return first && first.last!.at !== second?.last!.at ? first.one : null;
}
