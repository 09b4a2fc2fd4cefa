// @vitest-environment node
import { describe, expect, it } from "vitest";
import { bboxText, bySeverity, heatPaint, mapStyle, microGridOf, pointOf } from "@/lib/map";
import { toFeatures } from "@/lib/overlays";

const colours = (token: string): string => `[${token}]`;

describe("the map style", () => {
  const style = mapStyle(colours, "http://here/static/map/county.pmtiles");
  it("needs no glyph server, no sprite and no other host", () => {
    expect(style.glyphs).toBeUndefined();
    expect(style.sprite).toBeUndefined();
    expect(JSON.stringify(style).match(/https?:\/\/[^"]+/g)).toEqual(["http://here/static/map/county.pmtiles"]);
  });
  it("names every layer once and only sources it has", () => {
    const ids = style.layers.map((layer) => layer.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const layer of style.layers) if ("source" in layer) expect(Object.keys(style.sources)).toContain(layer.source);
  });
  it("takes every colour from the tokens", () => {
    expect(JSON.stringify(style.layers)).not.toMatch(/#[0-9a-f]{3}|rgb/i);
    expect(JSON.stringify([bySeverity(colours), heatPaint(colours)])).toContain("[s1-map]");
  });
});

describe("small words of the map", () => {
  it("a micro-grid has 18 digits", () => {
    expect(microGridOf("990101100001001001")).toBe("990101100001001001");
    expect(microGridOf("990101100001001")).toBe("");
    expect(microGridOf(null)).toBe("");
  });
  it("a place may have no point", () => {
    expect(pointOf({ lon: null, lat: 28, address: "" })).toBeNull();
    expect(pointOf({ lon: 121, lat: 28, address: "" })).toEqual({ lon: 121, lat: 28 });
  });
  it("a box is west, south, east, north", () => expect(bboxText(1, 2, 3, 4.1234567)).toBe("1.00000,2.00000,3.00000,4.12346"));
});

describe("features", () => {
  it("draw the worst last, so that it lies on top", () => {
    const point = (code: string, severity: 1 | 4) => ({ code, severity, lon: 1, lat: 2, status: "reported", title: code });
    const made = toFeatures({ points: [point("worst", 1), point("calm", 4)], clusters: [{ lon: 1, lat: 2, count: 3, worst: 2 }] });
    expect(made.features.map((f) => f.properties?.["code"] ?? f.properties?.["count"])).toEqual([3, "calm", "worst"]);
  });
});
