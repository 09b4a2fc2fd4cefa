/** The base map: one PMTiles file of the county, a style without sprite or glyph server (labels are drawn with local fonts). */
import type { Place, Point } from "@/api/types";
import type { ExpressionSpecification, LayerSpecification, StyleSpecification } from "maplibre-gl";

export const MAP_FILE = "/static/map/county.pmtiles";
const FONTS = ["Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", "sans-serif"];

/** Colours by token name; read from CSS so that tokens.css stays the only file with values. */
export type Colours = (token: string) => string;

export const cssColours =
  (element: Element): Colours =>
  (token) =>
    getComputedStyle(element).getPropertyValue(`--${token}`).trim();


const base = (c: Colours): LayerSpecification[] => [
  { id: "ground", type: "background", paint: { "background-color": c("ground") } },
  { id: "land", type: "fill", source: "county", "source-layer": "regions", filter: ["==", ["length", ["get", "code"]], 6], paint: { "fill-color": c("map-land") } },
  { id: "water", type: "fill", source: "county", "source-layer": "water", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": c("map-water") } },
  { id: "river", type: "line", source: "county", "source-layer": "water", filter: ["==", ["geometry-type"], "LineString"], paint: { "line-color": c("map-water"), "line-width": ["interpolate", ["linear"], ["zoom"], 9, 1.5, 14, 8] } },
];

const territory = (c: Colours): LayerSpecification[] => [
  { id: "heat", type: "fill", source: "county", "source-layer": "regions", filter: ["==", ["length", ["get", "code"]], 15], paint: { "fill-color": c("s4-map"), "fill-opacity": 0 } },
  { id: "micro-grids", type: "line", source: "county", "source-layer": "micro_grids", minzoom: 12, paint: { "line-color": c("map-line-2"), "line-width": 0.6 } },
  { id: "micro-grid-here", type: "fill", source: "county", "source-layer": "micro_grids", filter: ["==", ["get", "code"], ""], paint: { "fill-color": c("brand"), "fill-opacity": 0.18, "fill-outline-color": c("brand") } },
  { id: "roads", type: "line", source: "county", "source-layer": "roads", minzoom: 9, paint: { "line-color": c("map-road"), "line-width": ["interpolate", ["linear"], ["zoom"], 9, 0.6, 12, 1.6, 15, 5] } },
  { id: "buildings", type: "fill", source: "county", "source-layer": "buildings", minzoom: 13, paint: { "fill-color": c("map-building") } },
  { id: "grids", type: "line", source: "county", "source-layer": "regions", minzoom: 10.5, filter: ["==", ["length", ["get", "code"]], 15], paint: { "line-color": c("map-line-2"), "line-width": 0.8 } },
  { id: "villages", type: "line", source: "county", "source-layer": "regions", minzoom: 9.5, filter: ["==", ["length", ["get", "code"]], 12], paint: { "line-color": c("map-line-2"), "line-width": 1 } },
  { id: "towns", type: "line", source: "county", "source-layer": "regions", filter: ["<=", ["length", ["get", "code"]], 9], paint: { "line-color": c("map-line"), "line-width": ["case", ["==", ["length", ["get", "code"]], 6], 2, 1.4] } },
];

const label = (c: Colours, id: string, length: number, minzoom: number, maxzoom: number, size: number): LayerSpecification => ({
  id,
  type: "symbol",
  source: "county",
  "source-layer": "region_labels",
  minzoom,
  maxzoom,
  filter: ["==", ["length", ["get", "code"]], length],
  layout: { "text-field": ["get", "name"], "text-font": FONTS, "text-size": size, "text-padding": 6 },
  paint: { "text-color": c("map-label"), "text-halo-color": c("map-halo"), "text-halo-width": 1.4 },
});

const labels = (c: Colours): LayerSpecification[] => [
  label(c, "town-names", 9, 7, 13.5, 14),
  label(c, "village-names", 12, 11.5, 15.5, 12),
  label(c, "grid-names", 15, 13.5, 24, 12),
];

/** The style of the base map. `file` is absolute, as the PMTiles protocol wants it. */
export function mapStyle(c: Colours, file: string): StyleSpecification {
  return {
    version: 8,
    sources: { county: { type: "vector", url: `pmtiles://${file}`, promoteId: { regions: "code", micro_grids: "code" } } },
    layers: [...base(c), ...territory(c), ...labels(c)],
  };
}

/** Colour by the severity of a feature. */
export function bySeverity(c: Colours, field = "severity"): ExpressionSpecification {
  return ["match", ["get", field], 1, c("s1-map"), 2, c("s2-map"), 3, c("s3-map"), c("s4-map")];
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
