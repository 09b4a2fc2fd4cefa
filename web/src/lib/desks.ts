/** Desks one below another: who may take a case over from the desk that holds it. Pure. */
import type { Unit } from "@/api/orgs";
import type { Named } from "@/api/shared";

/** The next desk below the one that holds the case; `desks` are all that answer for its place. */
export function lowerDesk(desks: Unit[], holder: Named | null | undefined): Unit | null {
  const here = desks.find((unit) => unit.id === holder?.id);
  if (!here) return null;
  const below = desks.filter((unit) => unit.region.length > here.region.length && unit.region.startsWith(here.region));
  return below.sort((a, b) => a.region.length - b.region.length)[0] ?? null;
}
