/** A figure as people read it. Pure. */
import type { Indicator } from "@/api/indicators";
import { percent } from "@/lib/counts";
import { duration } from "@/lib/time";

/** "−2时5分" of what was late. */
export const took = (seconds: number, lang: string): string => (seconds < 0 ? "−" : "") + duration(Math.abs(seconds), lang);

export function valueOf(one: Indicator, lang: string): { text: string; unit: string } {
  if (one.value === null) return { text: "–", unit: "" };
  return one.unit === "share" ? { text: percent(one.value), unit: "%" } : { text: took(one.value, lang), unit: "" };
}
