/** Cases on the map: points and clusters as the server gives them, and the ring around the open case. */
import type { FeatureCollection, Point } from "geojson";
import type { Map as GlMap } from "maplibre-gl";
import type { CaseMap } from "@/api/cases";
import { bySeverity, FONTS, type Colours } from "./map";

export function toFeatures(data: CaseMap | null): FeatureCollection<Point> {
  const point = (lon: number, lat: number, properties: Record<string, unknown>) => ({
    type: "Feature" as const,
    properties: { lon, lat, ...properties },
    geometry: { type: "Point" as const, coordinates: [lon, lat] },
  });
  return {
    type: "FeatureCollection",
    features: [
      ...(data?.clusters ?? []).map((c) => point(c.lon, c.lat, { count: c.count, severity: c.worst })),
      // The worst on top: drawn last.
      ...[...(data?.points ?? [])].sort((a, b) => (b.severity || 5) - (a.severity || 5)).map((p) => point(p.lon, p.lat, { code: p.code, title: p.title, severity: p.severity })),
    ],
  };
}

/** West, south, east, north of everything in a sketch; null when it is empty. */
export function boundsOf(sketch: FeatureCollection | null | undefined): [number, number, number, number] | null {
  let box: [number, number, number, number] | null = null;
  const walk = (part: unknown): void => {
    if (!Array.isArray(part)) return;
    const [x, y] = part as unknown[];
    if (typeof x !== "number" || typeof y !== "number") return part.forEach(walk);
    box = box ? [Math.min(box[0], x), Math.min(box[1], y), Math.max(box[2], x), Math.max(box[3], y)] : [x, y, x, y];
  };
  for (const feature of sketch?.features ?? []) if ("coordinates" in feature.geometry) walk(feature.geometry.coordinates);
  return box;
}

export function overlays(map: GlMap, c: Colours): void {
  map.addSource("sketch", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  map.addLayer({ id: "sketch-areas", type: "fill", source: "sketch", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": c("brand"), "fill-opacity": 0.15 } });
  map.addLayer({ id: "sketch-lines", type: "line", source: "sketch", paint: { "line-color": c("brand"), "line-width": 2.5 } });
  map.addLayer({
    id: "sketch-points",
    type: "circle",
    source: "sketch",
    filter: ["==", ["geometry-type"], "Point"],
    paint: { "circle-radius": 5, "circle-color": c("surface"), "circle-stroke-color": c("brand"), "circle-stroke-width": 2.5 },
  });
  map.addSource("cases", { type: "geojson", data: toFeatures(null) });
  map.addSource("focus", { type: "geojson", data: toFeatures(null) });
  map.addLayer({
    id: "clusters",
    type: "circle",
    source: "cases",
    filter: ["has", "count"],
    paint: {
      "circle-radius": ["interpolate", ["linear"], ["get", "count"], 2, 11, 50, 18, 1000, 28],
      "circle-color": c("surface"),
      "circle-stroke-color": bySeverity(c),
      "circle-stroke-width": 3,
    },
  });
  map.addLayer({
    id: "cluster-counts",
    type: "symbol",
    source: "cases",
    filter: ["has", "count"],
    layout: { "text-field": ["to-string", ["get", "count"]], "text-font": FONTS, "text-size": 12, "text-allow-overlap": true },
    paint: { "text-color": c("ink") },
  });
  map.addLayer({
    id: "points",
    type: "circle",
    source: "cases",
    filter: ["!", ["has", "count"]],
    paint: {
      "circle-radius": ["interpolate", ["linear"], ["zoom"], 9, 4, 15, 8],
      "circle-color": bySeverity(c),
      "circle-stroke-color": c("surface"),
      "circle-stroke-width": 1.5,
    },
  });
  map.addLayer({
    id: "focus-ring",
    type: "circle",
    source: "focus",
    paint: { "circle-radius": 16, "circle-opacity": 0, "circle-stroke-color": c("ink"), "circle-stroke-width": 3 },
  });
}
