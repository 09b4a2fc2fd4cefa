// @vitest-environment node
import { describe, expect, it } from "vitest";
import { acceptBody, choicesOf, decisionOf } from "@/screens/console/decision";
import { aDetail } from "./make";

const unit = (id: number) => ({ id, name: `单位${id}` });
const candidate = (id: number) => ({ unit: unit(id), reason: "职责", load: id, distance_m: null });
const proposal = { type: "01037", type_name: "路灯异常", unit: unit(3), severity: 3 as const, confidence: 0.9, unit_confidence: null, how: "learned" as const, precision: null, reasons: [], alike: [] };

describe("choices", () => {
  it("show the proposed unit first, once, and six at most", () => {
    const detail = aDetail({ proposal, candidates: [1, 2, 3, 4, 5, 6].map(candidate) });
    expect(choicesOf(detail).map((c) => c.unit.id)).toEqual([3, 1, 2, 4, 5, 6]);
    const outside = aDetail({ proposal: { ...proposal, unit: unit(9) }, candidates: [1, 2, 3, 4, 5, 6].map(candidate) });
    expect(choicesOf(outside).map((c) => c.unit.id)).toEqual([9, 1, 2, 3, 4, 5]);
  });
  it("are the candidates alone when nothing is proposed", () => {
    expect(choicesOf(aDetail({ candidates: [candidate(1)] })).map((c) => c.unit.id)).toEqual([1]);
    expect(choicesOf(aDetail())).toEqual([]);
  });
});

describe("what is sent", () => {
  const detail = aDetail({ proposal, candidates: [candidate(1), candidate(3)] });
  it("is empty for an untouched proposal", () => expect(acceptBody(detail, decisionOf(detail))).toEqual({}));
  it("names only what was changed", () => {
    const decision = { ...decisionOf(detail), unit: unit(1), severity: 1 as const, note: " 快 ", supporting: [unit(4)] };
    expect(acceptBody(detail, decision)).toEqual({ unit: 1, severity: 1, note: "快", supporting: [4] });
  });
  it("lets the server find the unit of a corrected type", () => {
    expect(acceptBody(detail, { ...decisionOf(detail), type: "01002", unit: null })).toEqual({ type: "01002" });
  });
  it("names the chosen unit when nothing was proposed", () => {
    const plain = aDetail({ candidates: [candidate(1)] });
    expect(acceptBody(plain, decisionOf(plain))).toEqual({ unit: 1 });
  });
});
