export interface Place {
  lon: number;
  lat: number;
  accuracy?: number;
}

export type PlaceFault = "place.denied" | "place.unavailable" | "place.slow";

const FAULTS: Record<number, PlaceFault> = { 1: "place.denied", 2: "place.unavailable", 3: "place.slow" };

/** Where the phone is now; rejects with a text key. Accepts a fix up to 15 s old so that three taps stay three taps. */
export function locate(timeout = 10_000): Promise<Place> {
  return new Promise((done, fail) => {
    if (!navigator.geolocation) {
      fail(new Error("place.unavailable"));
      return;
    }
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => done({ lon: round(coords.longitude), lat: round(coords.latitude), accuracy: Math.round(coords.accuracy) }),
      (fault) => fail(new Error(FAULTS[fault.code] ?? "place.unavailable")),
      { enableHighAccuracy: true, timeout, maximumAge: 15_000 },
    );
  });
}

/** Six decimals are 0.1 m: more would only pretend. */
export function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/** The point of a case's place; cases from an address alone have none. */
export function pointOf(place: { lon: number | null; lat: number | null } | null | undefined): Place | null {
  return place?.lon != null && place.lat != null ? { lon: place.lon, lat: place.lat } : null;
}

/** A link the phone's own map opens; some phones ignore the point in `geo:lat,lon` unless it is repeated as `q`. */
export function geoLink(place: { lon: number; lat: number }, label: string): string {
  const point = `${place.lat},${place.lon}`;
  return `geo:${point}?q=${point}(${encodeURIComponent(label)})`;
}

/** `place=lon,lat` or `place=lon,lat,words` of a QR code on a lamp post or a door; null when it is not one. */
export function fromCode(text: string | null): (Place & { address: string }) | null {
  const [lon, lat, ...words] = (text ?? "").split(",");
  const point = { lon: Number(lon || NaN), lat: Number(lat || NaN) };
  const good = Math.abs(point.lon) <= 180 && Math.abs(point.lat) <= 90;
  return good ? { ...point, address: words.join(",").trim() } : null;
}

const EARTH = 6_371_000;

/** Distance of two points in metres; flat-earth is exact enough inside a county. */
export function metres(a: { lon: number; lat: number }, b: { lon: number; lat: number }): number {
  const rad = Math.PI / 180;
  const x = (b.lon - a.lon) * rad * Math.cos(((a.lat + b.lat) / 2) * rad);
  return Math.hypot(x, (b.lat - a.lat) * rad) * EARTH;
}
