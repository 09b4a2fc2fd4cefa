// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { CaseItem } from "@/api/cases";
import type { Severity } from "@/api/shared";
import { byUrgency } from "@/lib/domain";
import { emptyQueue, extended, neighbour, opened, patched, released } from "@/lib/queue";
import { aCase } from "./make";

const codes = (items: CaseItem[]): string[] => items.map((item) => item.code);

/** A small generator, so that a failing run can be repeated. */
function random(seed: number): () => number {
  return () => ((seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648);
}

describe("order", () => {
  it("is severity, then the nearest limit, then age", () => {
    const items = [
      aCase({ code: "calm", severity: 4, stage_due_at: "2026-11-22T08:00:00Z" }),
      aCase({ code: "late", severity: 1, stage_due_at: "2026-11-22T07:00:00Z" }),
      aCase({ code: "none", severity: 1, stage_due_at: null, due_at: null }),
      aCase({ code: "soon", severity: 1, stage_due_at: "2026-11-22T09:00:00Z" }),
    ];
    expect(codes([...items].sort(byUrgency))).toEqual(["late", "soon", "none", "calm"]);
  });
  it("is total: no two different cases are equal", () => {
    expect(byUrgency(aCase({ code: "a" }), aCase({ code: "b" }))).toBeLessThan(0);
    expect(byUrgency(aCase({ code: "b" }), aCase({ code: "a" }))).toBeGreaterThan(0);
  });
});

describe("state and the messages after it", () => {
  it.each([1, 7, 42, 2026])("equal a fresh state (seed %d)", (seed) => {
    const next = random(seed);
    const server = new Map<string, CaseItem>();
    const change = (): string => {
      const code = `C${Math.floor(next() * 40)}`;
      if (next() < 0.3) server.delete(code);
      else {
        const due = new Date(Date.UTC(2026, 10, 22, Math.floor(next() * 24))).toISOString();
        server.set(code, aCase({ code, severity: (1 + Math.floor(next() * 4)) as Severity, stage_due_at: due }));
      }
      return code;
    };
    for (let i = 0; i < 30; i++) change();
    let queue = opened([...server.values()]);
    for (let round = 0; round < 60; round++) {
      const asked = Array.from({ length: 1 + Math.floor(next() * 4) }, change);
      const found = asked.flatMap((code) => server.get(code) ?? []);
      queue = patched(queue, asked, [...new Map(found.map((item) => [item.code, item])).values()], next() < 0.5);
      expect(codes(released(queue).items)).toEqual(codes(opened([...server.values()]).items));
    }
  });
});

describe("newcomers", () => {
  const queue = opened([aCase({ code: "a" })]);
  it("wait while the person points into the list", () => {
    const held = patched(queue, ["b"], [aCase({ code: "b", severity: 1 })], true);
    expect(codes(held.items)).toEqual(["a"]);
    expect(codes(held.waiting)).toEqual(["b"]);
    expect(codes(released(held).items)).toEqual(["b", "a"]);
  });
  it("show at once otherwise, marked as new, and bring those who waited", () => {
    const held = patched(queue, ["b"], [aCase({ code: "b" })], true);
    const shown = patched(held, ["c"], [aCase({ code: "c" })], false);
    expect(codes(shown.items)).toEqual(["a", "b", "c"]);
    expect([...shown.fresh]).toEqual(["b", "c"]);
  });
  it("that left before they were shown are gone", () => {
    const held = patched(queue, ["b"], [aCase({ code: "b" })], true);
    expect(patched(held, ["b"], [], true).waiting).toEqual([]);
  });
});

describe("pages and places", () => {
  it("a further page adds nothing twice", () => {
    const queue = extended(opened([aCase({ code: "a" })]), [aCase({ code: "a" }), aCase({ code: "b" })]);
    expect(codes(queue.items)).toEqual(["a", "b"]);
  });
  it("the neighbour of a leaving case is the one below, at the end the one above", () => {
    const items = ["a", "b", "c"].map((code) => aCase({ code }));
    expect(neighbour(items, "b")).toBe("c");
    expect(neighbour(items, "c")).toBe("b");
    expect(neighbour(items, "gone")).toBe("a");
    expect(neighbour(emptyQueue().items, "a")).toBeNull();
  });
});
