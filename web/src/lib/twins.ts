/** Near twins of a case: open, within reach, the same type first, then the nearest. Pure. */
import type { CaseItem } from "@/api/cases";
import type { Place } from "@/api/shared";
import { ENDED } from "./domain";
import { pointOf } from "./map";

const REACH_M = 500;
const MOST = 6;

/** Metres between two places on a sphere; null when one is unknown. */
export function metres(a: Place | null, b: Place | null): number | null {
  const [from, to] = [pointOf(a), pointOf(b)];
  if (!from || !to) return null;
  const rad = Math.PI / 180;
  const dx = (to.lon - from.lon) * rad * Math.cos(((from.lat + to.lat) / 2) * rad);
  const dy = (to.lat - from.lat) * rad;
  return Math.hypot(dx, dy) * 6_371_008.8;
}

export function twinsOf(own: CaseItem, around: CaseItem[]): CaseItem[] {
  return around
    .filter((item) => item.code !== own.code && !ENDED.includes(item.status))
    .map((item) => ({ item, far: metres(own.place, item.place) }))
    .filter(({ item, far }) => (far === null ? item.type === own.type && item.region === own.region : far <= REACH_M))
    .sort((a, b) => Number(b.item.type === own.type) - Number(a.item.type === own.type) || (a.far ?? REACH_M) - (b.far ?? REACH_M))
    .slice(0, MOST)
    .map(({ item }) => item);
}
