import { describe, expect, it } from "vitest";
import { boundsOf } from "@/lib/overlays";
import { changed } from "@/lib/save";
import { dayText, freeCodes, fromInput, toInput, weekStart } from "@/lib/territory";

describe("free codes", () => {
  it("count on from the highest in use at the level", () => {
    expect(freeCodes("990101001001", 15, ["990101001001001", "990101001001007", "990101001002009"], 2)).toEqual(["990101001001008", "990101001001009"]);
    expect(freeCodes("990101", 9, [], 1)).toEqual(["990101001"]);
  });
  it("are none where the level is not below", () => {
    expect(freeCodes("990101", 6, [], 1)).toEqual([]);
  });
});

describe("weeks of a roster", () => {
  const wednesday = Date.parse("2026-11-25T15:00:00Z"); // 23:00 in China
  it("begin on Monday at midnight in China", () => {
    expect(new Date(weekStart(wednesday)).toISOString()).toBe("2026-11-22T16:00:00.000Z");
    expect(new Date(weekStart(wednesday, 1)).toISOString()).toBe("2026-11-29T16:00:00.000Z");
    for (let hours = 0; hours < 168; hours++) expect(weekStart(weekStart(wednesday) + hours * 3_600_000)).toBe(weekStart(wednesday));
  });
  it("write days and times as they are there", () => {
    expect(dayText(Date.parse("2026-11-25T17:00:00Z"))).toBe("2026-11-26");
    expect(toInput("2026-11-25T00:30:00Z")).toBe("2026-11-25T08:30");
    expect(Date.parse(fromInput("2026-11-25T08:30"))).toBe(Date.parse("2026-11-25T00:30:00Z"));
  });
});

describe("what changed", () => {
  it("is sent, the rest is not", () => {
    expect(changed({ name: "旧", phone: "", skills: ["a"] }, { name: "新", phone: "", skills: ["a"] })).toEqual({ name: "新" });
    expect(changed({ parent: 3 as number | null }, { parent: null as number | null })).toEqual({ parent: null });
  });
});

describe("the bounds of a sketch", () => {
  it("hold every point, at any depth", () => {
    const sketch = {
      type: "FeatureCollection" as const,
      features: [
        { type: "Feature" as const, properties: {}, geometry: { type: "Polygon" as const, coordinates: [[[1, 2], [3, 1], [2, 5], [1, 2]]] } },
        { type: "Feature" as const, properties: {}, geometry: { type: "Point" as const, coordinates: [4, 3] } },
      ],
    };
    expect(boundsOf(sketch)).toEqual([1, 1, 4, 5]);
    expect(boundsOf(null)).toBeNull();
  });
});
