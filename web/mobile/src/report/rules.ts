/** The kinds a person chooses from, each a case type of the catalogue ("other" leaves the type to the desk); the words are in the texts. */
export const KIND_TYPES = {
  manhole: "01002",
  lamp: "01037",
  road: "06013",
  parking: "09009",
  fire_lane: "09012",
  rubbish: "06010",
  noise: "06028",
  dispute: "21099",
  other: "",
} as const;
export type Kind = keyof typeof KIND_TYPES;
export const KINDS = Object.keys(KIND_TYPES) as Kind[];

/** Characters of the words, as the server takes them. */
export const MOST_TEXT = 5000;

export interface ReportFields {
  [key: string]: unknown;
  kind: Kind | null;
  text: string;
  contact: string;
  address: string;
  place: { lon: number; lat: number; accuracy?: number } | null;
  placeBy: "gps" | "map" | "code" | null;
}

export const EMPTY: ReportFields = { kind: null, text: "", contact: "", address: "", place: null, placeBy: null };

/** Something that can be rung: short service numbers too, an extension after the number. */
const TELEPHONE = /^\+?\d[\d\s()-]{1,20}\d(\s*(转|ext\.?|#)\s*\d{1,6})?$/i;

/** Text key of what still stops the report, or null. A photo or words; a position or an address; a number that can be rung, or none. */
export function lacking(fields: ReportFields, photos: number): "report.need" | "report.need_place" | "report.bad_contact" | null {
  if (photos === 0 && !fields.text.trim()) return "report.need";
  if (!fields.place && !fields.address.trim()) return "report.need_place";
  return !fields.contact.trim() || TELEPHONE.test(fields.contact.trim()) ? null : "report.bad_contact";
}

/** The body of POST /api/v1/reports; empty things stay out. */
export function body(fields: ReportFields): Record<string, unknown> {
  const { place, kind } = fields;
  const result: Record<string, unknown> = {};
  if (fields.text.trim()) result["text"] = fields.text.trim();
  if (kind && KIND_TYPES[kind]) result["kind"] = KIND_TYPES[kind];
  if (place) result["place"] = { lon: place.lon, lat: place.lat };
  if (fields.address.trim()) result["address"] = fields.address.trim();
  if (fields.contact.trim()) result["contact"] = fields.contact.trim();
  return result;
}

/** The form of a body that was refused; the position is taken anew, as it may be what was wrong. */
export function fieldsOf(body: Record<string, unknown>): ReportFields {
  const word = (name: string): string => (typeof body[name] === "string" ? (body[name] as string) : "");
  const kind = KINDS.find((known) => KIND_TYPES[known] && KIND_TYPES[known] === word("kind")) ?? null;
  return { ...EMPTY, kind, text: word("text"), address: word("address"), contact: word("contact") };
}
