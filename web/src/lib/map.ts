/** The base map: one PMTiles file of the county, a style without sprite or glyph server (labels are drawn with local fonts). */
import type { Place, Point } from "@/api/shared";
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from "maplibre-gl";

export const MAP_FILE = "/static/map/county.pmtiles";
const FONTS = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"];

/** Colours by token name; read from CSS so that tokens.css stays the only file with values. */
export type Colours = (token: string) => string;

export const cssColours =
  (element: Element): Colours =>
  (token) =>
    getComputedStyle(element).getPropertyValue(`--${token}`).trim();


/** Digits of a region code say its level: county 6, town 9, village 12, grid 15, micro-grid 18. */
const digits = (n: number): ExpressionSpecification => ["==", ["length", ["get", "code"]], n];
const grows = (...stops: number[]): ExpressionSpecification => ["interpolate", ["linear"], ["zoom"], ...stops];

type LayerMaker = (id: string, layer: string) => { id: string; source: "county"; "source-layer": string };
const of: LayerMaker = (id, layer) => ({ id, source: "county", "source-layer": layer });

const ground = (c: Colours): LayerSpecification[] => [
  { id: "ground", type: "background", paint: { "background-color": c("ground") } },
  { ...of("land", "regions"), type: "fill", filter: digits(6), paint: { "fill-color": c("map-land") } },
  { ...of("green", "green"), type: "fill", paint: { "fill-color": c("map-green") } },
  { ...of("water", "water"), type: "fill", paint: { "fill-color": c("map-water") } },
];

const territory = (c: Colours): LayerSpecification[] => [
  { ...of("heat", "regions"), type: "fill", filter: digits(15), paint: { "fill-color": c("s4-map"), "fill-opacity": 0 } },
  { ...of("micro-grids", "micro_grids"), type: "line", minzoom: 12.5, paint: { "line-color": c("map-line-2"), "line-width": 0.6 } },
  {
    ...of("micro-grid-here", "micro_grids"),
    type: "fill",
    filter: ["==", ["get", "code"], ""],
    paint: { "fill-color": c("brand"), "fill-opacity": 0.2, "fill-outline-color": c("brand") },
  },
  {
    ...of("roads", "roads"),
    type: "line",
    layout: { "line-cap": "round" },
    paint: {
      "line-color": ["match", ["get", "class"], ["national", "county"], c("map-road-2"), c("map-road")],
      "line-width": ["interpolate", ["linear"], ["zoom"], 9, ["match", ["get", "class"], "national", 1.4, 0.5], 15, ["match", ["get", "class"], "national", 9, "county", 7, 4]],
    },
  },
  { ...of("buildings", "buildings"), type: "fill", minzoom: 13.5, paint: { "fill-color": c("map-building") } },
  { ...of("grids", "regions"), type: "line", minzoom: 10.5, filter: digits(15), paint: { "line-color": c("map-line-2"), "line-width": 0.8 } },
  { ...of("villages", "regions"), type: "line", minzoom: 9.5, filter: digits(12), paint: { "line-color": c("map-line-2"), "line-width": 1.2 } },
  { ...of("towns", "regions"), type: "line", filter: ["any", digits(9), digits(6)], paint: { "line-color": c("map-line"), "line-width": grows(8, 1, 13, 2.5) } },
];

const label = (c: Colours, en: boolean, length: number, minzoom: number, maxzoom: number, size: number): LayerSpecification => ({
  ...of(`names-${length}`, "region_labels"),
  type: "symbol",
  minzoom,
  maxzoom,
  filter: digits(length),
  layout: { "text-field": en ? ["coalesce", ["get", "name_en"], ["get", "name"]] : ["get", "name"], "text-font": FONTS, "text-size": size, "text-padding": 6 },
  paint: { "text-color": c("map-label"), "text-halo-color": c("map-halo"), "text-halo-width": 1.4 },
});

const places = (c: Colours): LayerSpecification => ({
  ...of("places", "places"),
  type: "symbol",
  minzoom: 14,
  layout: { "text-field": ["get", "name"], "text-font": FONTS, "text-size": 12, "text-padding": 4 },
  paint: { "text-color": c("ink-3"), "text-halo-color": c("map-halo"), "text-halo-width": 1.2 },
});

/** The style of the base map. `file` is absolute, as the PMTiles protocol wants it. */
export function mapStyle(c: Colours, file: string, lang = "zh-CN"): StyleSpecification {
  const en = lang === "en";
  return {
    version: 8,
    sources: { county: { type: "vector", url: `pmtiles://${file}`, promoteId: { regions: "code", micro_grids: "code" } } },
    layers: [
      ...ground(c),
      ...territory(c),
      places(c),
      label(c, en, 15, 13, 24, 12),
      label(c, en, 12, 11, 15.5, 12),
      label(c, en, 9, 7, 14, 15),
    ],
  };
}

/** Colour by the severity of a feature. */
export function bySeverity(c: Colours, field = "severity"): ExpressionSpecification {
  return ["match", ["get", field], 0, c("ink-3"), 1, c("s1-map"), 2, c("s2-map"), 3, c("s3-map"), c("s4-map")];
}

/** Fill of a grid by `count` and `worst` kept as feature state. */
export function heatPaint(c: Colours): { "fill-color": ExpressionSpecification; "fill-opacity": ExpressionSpecification } {
  return {
    "fill-color": ["match", ["coalesce", ["feature-state", "worst"], 4], 1, c("s1-map"), 2, c("s2-map"), 3, c("s3-map"), c("s4-map")],
    "fill-opacity": ["interpolate", ["linear"], ["coalesce", ["feature-state", "count"], 0], 0, 0, 1, 0.18, 5, 0.4, 20, 0.7],
  };
}

export { FONTS };

/** The 18-digit micro-grid of a case, or "" when its place is coarser. */
export const microGridOf = (region: string | null | undefined): string => (region && region.length === 18 ? region : "");

/** A bbox string `w,s,e,n` with five decimals (about a metre). */
export const bboxText = (west: number, south: number, east: number, north: number): string =>
  [west, south, east, north].map((n) => n.toFixed(5)).join(",");

/** The point of a place, null while it is not known. */
export const pointOf = (place: Place | null | undefined): Point | null =>
  place && place.lon !== null && place.lat !== null ? { lon: place.lon, lat: place.lat } : null;
