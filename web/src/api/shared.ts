/** What many answers have: pages, names, places, levels; and the form language of tasks. Shapes of the public API as the screens use them. */

export type Severity = 1 | 2 | 3 | 4;

export interface Named {
  id: number;
  name: string;
}

export interface RegionRef {
  code: string;
  name: string;
}

export interface Page<T> {
  items: T[];
  next: string | null;
  /** Only with `count=true`: exact, or at least so many: `10000+`; by words that are in very many cases `2400+`. */
  total?: number | string;
}

export interface Point {
  lon: number;
  lat: number;
}

/** Where a case is; the point may be unknown. */
export interface Place {
  lon: number | null;
  lat: number | null;
  address: string;
  /** Expected error of a place found from the address; null when the place was given. */
  metres?: number | null;
}

/** For what purpose and why masked names and numbers are opened; in the query of a read. */
export interface Look {
  purpose: string;
  reason: string;
}

/** The part of JSON Schema our forms use. */
export interface JsonSchema {
  type?: string;
  title?: string;
  title_en?: string;
  "x-title-en"?: string;
  description?: string;
  "x-description-en"?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  enum?: (string | number)[];
  enumNames?: string[];
  "x-enum-names"?: string[];
  oneOf?: { const: string | number; title: string; "x-title-en"?: string }[];
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  default?: unknown;
  /** What the case knows already and the form begins with. */
  "x-from"?: "household";
  /** The photos a form asks for, in groups; none said: before and after. The last group is the one that must have any. */
  "x-photos"?: { kind: PhotoKind; title: string; "x-title-en"?: string }[];
}
export type PhotoKind = "before" | "after" | "scene";
