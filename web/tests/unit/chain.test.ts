// @vitest-environment node
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { Fact } from "@/api/cases";
import { canonical, checkChain } from "@/lib/chain";
import { aFact } from "./make";

function chained(actions: string[]): Fact[] {
  let previous = "0".repeat(64);
  return actions.map((action, i) => {
    const { chain, seq, at, actor, data } = aFact(i + 1, action, { data: { b: 1, a: ["文", 1.5] } });
    const hash = createHash("sha256").update(canonical({ chain, seq, at, actor, action, data, previous_hash: previous })).digest("hex");
    const fact = aFact(seq, action, { data, previous_hash: previous, hash });
    previous = hash;
    return fact;
  });
}

describe("canonical form", () => {
  it("sorts keys and writes numbers as ECMAScript does", () => {
    expect(canonical({ b: 1.0, a: { d: null, c: [true, "é\n"] } })).toBe('{"a":{"c":[true,"é\\n"],"d":null},"b":1}');
  });
});

describe("a chain", () => {
  it("holds, in whatever order it arrives", async () => {
    expect(await checkChain(chained(["reported", "filed", "closed"]).reverse())).toBe("intact");
  });
  it("is broken by a changed value", async () => {
    const facts = chained(["reported", "filed"]);
    facts[0] = { ...facts[0]!, data: { b: 2, a: ["文", 1.5] } };
    expect(await checkChain(facts)).toBe("broken");
  });
  it("is broken by a missing fact", async () => {
    const [first, , third] = chained(["reported", "filed", "closed"]);
    expect(await checkChain([first!, third!])).toBe("broken");
  });
});
