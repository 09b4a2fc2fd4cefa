/** Re-computes the hash chain of a trace in the browser, so that the check mark is not just the server's word. */
import type { Fact } from "@/api/cases";

export type ChainState = "intact" | "linked" | "broken";

const ZEROS = "0".repeat(64);

/** RFC 8785: keys sorted by UTF-16 unit, numbers and strings as ECMAScript writes them. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
}

/** `intact`: links and hashes hold; `linked`: links hold, hashes could not be computed (no secure context). */
export async function checkChain(facts: Fact[]): Promise<ChainState> {
  const ordered = [...facts].sort((a, b) => a.seq - b.seq);
  let previous = ZEROS;
  for (const [i, fact] of ordered.entries()) {
    if (fact.seq !== i + 1 || fact.previous_hash !== previous) return "broken";
    previous = fact.hash;
  }
  if (!globalThis.crypto?.subtle) return "linked";
  for (const { chain, seq, at, actor, action, data, previous_hash, hash } of ordered) {
    if ((await sha256(canonical({ chain, seq, at, actor, action, data, previous_hash }))) !== hash) return "broken";
  }
  return "intact";
}
