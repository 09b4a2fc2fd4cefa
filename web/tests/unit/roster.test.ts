import { describe, expect, it } from "vitest";
import { between, type Line, together } from "@/lib/roster";

const shift = (code: string, day: string, role = "member"): Line => ({ staff: 1, code, name: code, role, from: `${day}T08:30`, to: `${day}T20:30` });
const [a, b, c, d] = ["a", "b", "c", "d"].map((code, i) => shift(code, `2026-11-3${i}`)) as [Line, Line, Line, Line];

describe("a week that two people change", () => {
  it("tells what the other one did since mine began", () => {
    expect(between([a, b], [a, b])).toEqual({ came: [], went: [] });
    expect(between([a, b], [b, c])).toEqual({ came: [c], went: [a] });
    expect(between([a], [{ ...a, name: "renamed", staff: 9 }])).toEqual({ came: [], went: [] });
    expect(between([a], [{ ...a, role: "operator" }])).toEqual({ came: [{ ...a, role: "operator" }], went: [a] });
  });
  it("puts both together: their shifts beside mine, without those they took off", () => {
    expect(together([a, b, d], [a, b], [b, c])).toEqual([b, c, d]);
    expect(together([a, c], [a], [a, c])).toEqual([a, c]); // both added the same
    expect(together([], [a], [a, b])).toEqual([b]); // what I took off stays off
  });
  it("leaves a shift that both changed twice, to be decided", () => {
    const [mine, theirs] = [{ ...a, role: "operator" }, { ...a, role: "duty_commander" }];
    expect(together([mine], [a], [theirs])).toEqual([mine, theirs]);
  });
});
