/** The part of JSON Schema our task forms use, as fields to draw. Pure. */
import type { JsonSchema, PhotoKind } from "@/api/shared";
import { fromInput, toInput } from "./territory";

export interface Field {
  name: string;
  label: string;
  hint: string;
  kind: "text" | "long" | "number" | "choice" | "yesno" | "date" | "moment";
  required: boolean;
  options: { value: string | number; label: string }[];
  schema: JsonSchema;
}

type Titled = Pick<JsonSchema, "title" | "title_en" | "x-title-en">;
const titleOf = (titled: Titled, lang: string): string | undefined =>
  (lang.startsWith("zh") ? undefined : titled["x-title-en"] ?? titled.title_en) ?? titled.title;
const hintOf = (schema: JsonSchema, lang: string): string =>
  (lang.startsWith("zh") ? undefined : schema["x-description-en"]) ?? schema.description ?? "";

function kindOf(schema: JsonSchema): Field["kind"] {
  if (schema.enum || schema.oneOf) return "choice";
  if (schema.type === "boolean") return "yesno";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.format === "date") return "date";
  if (schema.format === "date-time") return "moment";
  return schema.format === "textarea" || (schema.maxLength ?? 0) > 120 ? "long" : "text";
}

function optionsOf(schema: JsonSchema, lang: string): Field["options"] {
  if (schema.oneOf) return schema.oneOf.map((o) => ({ value: o.const, label: titleOf(o, lang) ?? String(o.const) }));
  const names = schema["x-enum-names"] ?? schema.enumNames;
  return (schema.enum ?? []).map((value, i) => ({ value, label: names?.[i] ?? String(value) }));
}

/** What must be filled first, in the order it is named in: the server's store sorts properties by the length of their names. */
export function fieldsOf(schema: JsonSchema | null | undefined, lang: string): Field[] {
  const must = schema?.required ?? [];
  const place = (name: string): number => (must.includes(name) ? must.indexOf(name) : must.length);
  const properties = Object.entries(schema?.properties ?? {}).sort(([a], [b]) => place(a) - place(b));
  return properties.map(([name, property]) => ({
    name,
    label: titleOf(property, lang) ?? name,
    hint: hintOf(property, lang),
    kind: kindOf(property),
    required: must.includes(name),
    options: optionsOf(property, lang),
    schema: property,
  }));
}

export interface PhotoGroup {
  kind: PhotoKind;
  label: string;
}

/** The groups of photos a form asks for; null where it says nothing of them. */
export function photosOf(schema: JsonSchema | null | undefined, lang: string): PhotoGroup[] | null {
  const said = schema?.["x-photos"];
  return said?.length ? said.map((group) => ({ kind: group.kind, label: titleOf(group, lang) ?? group.title })) : null;
}

/** The answers a form begins with: what the case knows, where nothing else was typed. */
export function begun(schema: JsonSchema | null | undefined, typed: Record<string, unknown>, known: { household?: string | null }): Record<string, unknown> {
  const from = Object.entries(schema?.properties ?? {}).flatMap(([name, field]) => {
    const value = field["x-from"] && known[field["x-from"]];
    return value ? [[name, value] as const] : [];
  });
  return { ...Object.fromEntries(from), ...typed };
}

/** Names of the fields that must be filled and are not. */
export function missing(schema: JsonSchema | null | undefined, values: Record<string, unknown>): string[] {
  return (schema?.required ?? []).filter((name) => values[name] === undefined || values[name] === null || values[name] === "");
}

const OFFSET = /T.*(Z|[+-]\d{2}:\d{2})$/;

/** A day, or a moment with its zone, as the server reads them. */
function readable(kind: Field["kind"], value: unknown): boolean {
  const at = typeof value === "string" ? Date.parse(value) : NaN;
  if (Number.isNaN(at)) return false;
  return kind === "date" ? new Date(at).toISOString().slice(0, 10) === value : OFFSET.test(value as string);
}

/** Names of the days and times that cannot be read, such as one half typed. */
export function unread(schema: JsonSchema | null | undefined, values: Record<string, unknown>): string[] {
  const dated = Object.entries(schema?.properties ?? {}).filter(([, field]) => ["date", "moment"].includes(kindOf(field)));
  return dated.filter(([name, field]) => values[name] !== undefined && !readable(kindOf(field), values[name])).map(([name]) => name);
}

/** What an answer looks like in its input; moments by the clock of the place. */
export const typedOf = (kind: Field["kind"], value: unknown): string =>
  !readable(kind, value) ? "" : kind === "date" ? (value as string) : toInput(value as string);

/** And the answer again. Nothing typed is no answer, half a date an answer that cannot be read. */
export function answerOf(kind: Field["kind"], typed: string, half: boolean): string | undefined {
  if (!typed) return half ? "" : undefined;
  return kind === "date" ? typed : fromInput(typed.slice(0, 16));
}
