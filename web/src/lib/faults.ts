/** What to tell a person about a failed call: a headline and, if any, the faults of single fields. */
import { Problem } from "@/api/client";

export interface FaultText {
  title: string;
  detail: string;
  fields: string[];
}

export type Say = (key: string, values?: Record<string, unknown>) => string;

const KEYS: Record<number, string> = { 0: "fault.offline", 403: "fault.forbidden", 404: "fault.gone", 409: "fault.conflict", 429: "fault.busy", 503: "fault.busy" };

/** Prefers the server's own sentences (they are in the caller's language); falls back to ours by status. */
export function faultText(error: unknown, say: Say): FaultText {
  if (!(error instanceof Problem)) return { title: say("fault.unknown", { status: "–" }), detail: "", fields: [] };
  const own = say(KEYS[error.status] ?? "fault.unknown", { status: error.status });
  const title = error.title || own;
  const detail = named(error.detail === title ? "" : error.detail, error.fields, say);
  // What the sentence says already is not said again with the field's technical name.
  const fields = error.fields.filter((f) => f.message !== error.detail).map((f) => [f.pointer?.replace(/^[#/]+/, ""), f.message].filter(Boolean).join(say("colon")));
  return { title, detail, fields };
}

/** A sentence of the server names a field as machines know it; people know it by its word on the screen. */
function named(sentence: string, fields: { pointer: string }[], say: Say): string {
  const names = fields.map((field) => field.pointer.split("/").pop() ?? "");
  return names.reduce((told, name) => (say(`fieldWord.${name}`) === `fieldWord.${name}` ? told : told.replace(`“${name}”`, `“${say(`fieldWord.${name}`)}”`)), sentence);
}
