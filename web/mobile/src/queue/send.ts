import { call, Problem } from "@/api/client";
import type { Photo } from "../photos/take";
import { type Answer, type Entry, type Outcome, readProblem } from "./rules";
import { store } from "./store";

const UPLOAD_MS = 120_000;

/** The photo's own id is its key: the same photo sent twice is one file on the server. */
export async function sendPhoto(id: string): Promise<Outcome> {
  const photo = await store.photos.get(id);
  if (!photo) return { kind: "refused", error: "" };
  return tried(async () => {
    const file = await upload<{ id: string | number }>("/api/v1/evidence", photoForm(photo), id);
    return { kind: "photo", photo: id, server: String(file.id) };
  });
}

export async function sendBody(entry: Entry): Promise<Outcome> {
  return tried(async () => {
    const inside = entry.carry === "inside" && entry.photos.length > 0;
    const answer = inside ? await upload<Answer>(entry.path, await reportForm(entry), entry.key, nameless(entry)) : await sendJson(entry);
    return { kind: "done", answer };
  });
}

/** A report is taken without an account too, so it says whose it is: after the session ended it is refused, not taken as nobody's. */
function sendJson(entry: Entry): Promise<Answer> {
  const evidence = entry.photos.map((photo) => photo.server).filter((id) => id !== null);
  const account = entry.kind === "report" && entry.user !== null ? { account: entry.user } : {};
  const body = { ...entry.body, ...account, ...(evidence.length ? { evidence } : {}) };
  return call("POST", entry.path, { body, key: entry.key, signal: AbortSignal.timeout(UPLOAD_MS), nameless: nameless(entry) });
}

/** What was made without a name goes without one, whoever has logged in meanwhile. */
const nameless = (entry: Entry): boolean => entry.user === null;

function upload<T>(path: string, form: FormData, key: string, nameless = false): Promise<T> {
  return call<T>("POST", path, { form, key, signal: AbortSignal.timeout(UPLOAD_MS), nameless });
}

async function reportForm(entry: Entry): Promise<FormData> {
  const form = new FormData();
  for (const [name, value] of Object.entries(entry.body)) {
    // A form has no nested values: the place travels as lon and lat.
    if (name === "place") for (const [axis, degrees] of Object.entries(value as object)) form.set(axis, String(degrees));
    else form.set(name, String(value));
  }
  for (const { id } of entry.photos) {
    const photo = await store.photos.get(id);
    if (photo) form.append("photos", photo.blob, `${id}.jpg`);
  }
  return form;
}

function photoForm(photo: Photo): FormData {
  const form = new FormData();
  form.set("file", photo.blob, `${photo.id}.jpg`);
  form.set("at", photo.at);
  form.set("kind", photo.label === "report" ? "scene" : photo.label);
  if (photo.place) form.set("place", JSON.stringify({ lon: photo.place.lon, lat: photo.place.lat }));
  if (photo.sha256) form.set("sha256", photo.sha256);
  return form;
}

async function tried(work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work();
  } catch (fault) {
    if (fault instanceof Problem) return readProblem(fault.status, [fault.message, ...fault.fields.map((field) => field.message)]);
    throw fault;
  }
}
