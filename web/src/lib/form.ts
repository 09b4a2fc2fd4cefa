/** The part of JSON Schema our task forms use, as fields to draw. Pure. */
import type { JsonSchema } from "@/api/types";

export interface Field {
  name: string;
  label: string;
  hint: string;
  kind: "text" | "long" | "number" | "choice" | "yesno" | "date";
  required: boolean;
  options: { value: string | number; label: string }[];
  schema: JsonSchema;
}

const titleOf = (schema: JsonSchema, lang: string): string | undefined =>
  (lang.startsWith("zh") ? undefined : ((schema as Record<string, unknown>)["x-title-en"] as string | undefined) ?? schema.title_en) ?? schema.title;

function kindOf(schema: JsonSchema): Field["kind"] {
  if (schema.enum || schema.oneOf) return "choice";
  if (schema.type === "boolean") return "yesno";
  if (schema.type === "number" || schema.type === "integer") return "number";
  if (schema.format === "date") return "date";
  return schema.format === "textarea" || (schema.maxLength ?? 0) > 120 ? "long" : "text";
}

function optionsOf(schema: JsonSchema): Field["options"] {
  if (schema.oneOf) return schema.oneOf.map((o) => ({ value: o.const, label: o.title }));
  const names = schema["x-enum-names"] ?? schema.enumNames;
  return (schema.enum ?? []).map((value, i) => ({ value, label: names?.[i] ?? String(value) }));
}

export function fieldsOf(schema: JsonSchema | null | undefined, lang: string): Field[] {
  return Object.entries(schema?.properties ?? {}).map(([name, property]) => ({
    name,
    label: titleOf(property, lang) ?? name,
    hint: property.description ?? "",
    kind: kindOf(property),
    required: schema?.required?.includes(name) ?? false,
    options: optionsOf(property),
    schema: property,
  }));
}

/** Names of the fields that must be filled and are not. */
export function missing(schema: JsonSchema | null | undefined, values: Record<string, unknown>): string[] {
  return (schema?.required ?? []).filter((name) => values[name] === undefined || values[name] === null || values[name] === "");
}
