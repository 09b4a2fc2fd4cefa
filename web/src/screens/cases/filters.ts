/** Filters of the case list ⇄ address line ⇄ query of the API. Pure. */
import type { LocationQuery } from "vue-router";
import type { Query } from "@/api/client";

export const NAMES = [
  "q", "box", "status", "type", "severity", "region", "unit", "source", "card", "stage", "since", "until", "closed_since", "overdue", "after",
] as const; // prettier-ignore
export type Filters = Partial<Record<(typeof NAMES)[number], string>>;

export function fromAddress(query: LocationQuery): Filters {
  const filters: Filters = {};
  for (const name of NAMES) {
    const value = query[name];
    if (typeof value === "string" && value) filters[name] = value;
  }
  return filters;
}

/** Empty values leave the address; a changed filter goes back to the first page. */
export function changed(filters: Filters, change: Filters): Filters {
  const next: Filters = { ...filters, ...change };
  if (!("after" in change)) delete next.after;
  for (const name of NAMES) if (!next[name]) delete next[name];
  return next;
}

/** A picked day stands for its first or last moment in the deployment's zone. */
export function toQuery(filters: Filters): Query {
  const day = (value: string | undefined, time: string): string | undefined => (value && value.length === 10 ? `${value}T${time}+08:00` : value);
  return { ...filters, since: day(filters.since, "00:00:00"), until: day(filters.until, "23:59:59") };
}
