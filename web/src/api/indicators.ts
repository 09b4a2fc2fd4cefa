import { get } from "./client";
import type { RegionRef } from "./shared";

/** One figure of outcomes: numerator ÷ denominator; docs/reference/cockpit.md says what each one counts. */
export interface Indicator {
  name: string;
  title: string;
  formula: string;
  unit: "share" | "seconds";
  /** Cases above the line; of a mean the sum of their seconds. */
  numerator: number;
  denominator: number;
  /** null when nothing stands below the line. */
  value: number | null;
  /** Whose pack declares it; null of those that count the cases of every scene. */
  scene: { name: string; title: string } | null;
}

export interface Indicators {
  at: string;
  region: RegionRef;
  /** Included. */
  since: string;
  /** Not included. */
  until: string;
  items: Indicator[];
}

export const SIDES = ["numerator", "denominator"] as const;
export type Side = (typeof SIDES)[number];

export const indicators = (query: { region: string; since: string; until: string }, signal?: AbortSignal): Promise<Indicators> => get<Indicators>("/api/v1/indicators", query, signal);
