import { MAP_FILE } from "@/lib/map";

/** The middle of the county, read from the map file's own header, for a pin without a position. */
export async function countyCentre(): Promise<{ lon: number; lat: number }> {
  const { PMTiles } = await import("pmtiles");
  const head = await new PMTiles(new URL(MAP_FILE, location.origin).href).getHeader().catch(() => null);
  return head ? { lon: (head.minLon + head.maxLon) / 2, lat: (head.minLat + head.maxLat) / 2 } : { lon: 0, lat: 0 };
}
