import { ask, OfflineFault, type Reply } from "../lib/http";
import type { Photo } from "../photos/take";
import { type Answer, type Entry, type Outcome, readAnswer } from "./rules";
import { store } from "./store";

const UPLOAD_TIMEOUT = 120_000;

export async function sendPhoto(entry: Entry, id: string): Promise<Outcome> {
  const photo = await store.photos.get(id);
  if (!photo) return { kind: "refused", error: "outbox.photo_gone" };
  return tried(async () => {
    // The photo's own id is the key: the same photo sent twice is one file on the server.
    const reply = await ask<{ id: string | number }>("/api/v1/evidence", { method: "POST", form: photoForm(entry, photo), key: id, timeout: UPLOAD_TIMEOUT });
    const outcome = readAnswer(reply.status, reply.retryAfter, reply.detail, null);
    if (outcome.kind !== "done") return outcome;
    return reply.data ? { kind: "photo", photo: id, server: String(reply.data.id) } : { kind: "busy", wait: null };
  });
}

export async function sendBody(entry: Entry): Promise<Outcome> {
  return tried(async () => {
    const reply = entry.carry === "inside" && entry.photos.length ? await sendInside(entry) : await sendJson(entry);
    return readAnswer(reply.status, reply.retryAfter, reply.detail, reply.data);
  });
}

async function sendJson(entry: Entry): Promise<Reply<Answer>> {
  const evidence = entry.photos.map((photo) => photo.server).filter((id) => id !== null);
  const json = { ...entry.body, ...(evidence.length ? { evidence } : {}) };
  return ask<Answer>(entry.path, { method: "POST", json, key: entry.id });
}

async function sendInside(entry: Entry): Promise<Reply<Answer>> {
  const form = new FormData();
  for (const [name, value] of Object.entries(entry.body)) form.set(name, typeof value === "string" ? value : JSON.stringify(value));
  for (const { id } of entry.photos) {
    const photo = await store.photos.get(id);
    if (photo) form.append("photos", photo.blob, `${id}.jpg`);
  }
  return ask<Answer>(entry.path, { method: "POST", form, key: entry.id, timeout: UPLOAD_TIMEOUT });
}

function photoForm(entry: Entry, photo: Photo): FormData {
  const form = new FormData();
  form.set("file", photo.blob, `${photo.id}.jpg`);
  form.set("at", photo.at);
  if (photo.place) form.set("place", JSON.stringify(photo.place));
  if (photo.sha256) form.set("sha256", photo.sha256);
  form.set("kind", photo.label);
  const code = entry.body["case"];
  if (typeof code === "string") form.set("case", code);
  return form;
}

async function tried(work: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await work();
  } catch (fault) {
    if (fault instanceof OfflineFault) return { kind: "offline" };
    throw fault;
  }
}
