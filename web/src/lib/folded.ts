import type { Fact } from "@/api/cases";

export interface Folded {
  /** The newest of them. */
  fact: Fact;
  times: number;
}

/** The trace, newest first, where neighbours that say the same of the same person stand as one: eight notices sent are one line on a phone. */
export function folded(facts: readonly Fact[]): Folded[] {
  const lines: Folded[] = [];
  for (const fact of [...facts].sort((a, b) => b.seq - a.seq)) {
    const last = lines.at(-1);
    if (last && last.fact.action === fact.action && last.fact.actor_name === fact.actor_name && last.fact.text === fact.text) {
      last.times += 1;
    } else {
      lines.push({ fact, times: 1 });
    }
  }
  return lines;
}
