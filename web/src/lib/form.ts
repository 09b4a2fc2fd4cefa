/** The part of JSON Schema our task forms use, as fields to draw. Pure. */
import type { JsonSchema, PhotoKind } from "@/api/shared";

export interface Field {
  name: string;
  label: string;
  hint: string;
  kind: "text" | "long" | "number" | "choice" | "yesno" | "date";
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
