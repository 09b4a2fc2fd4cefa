import { newKey } from "@/api/client";
import { computed, shallowRef, watch } from "vue";
import { returns } from "../lib/network";
import type { Photo } from "../photos/take";
import { after, type Entry, mayGoNameless, nameless, nextStep, ready, recovered, retried, unsent } from "./rules";
import { sendBody, sendPhoto } from "./send";
import { plain, storable, store } from "./store";

/** Shared state of the outbox; every screen shows the same number. */
export const entries = shallowRef<Entry[]>([]);
export const waiting = computed(() => unsent(entries.value).length);

type Draft = Pick<Entry, "kind" | "path" | "title" | "about" | "user" | "body" | "carry"> & { photos: Photo[] };

let currentUser: () => string | null = () => null;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<(entry: Entry) => void>();

/** Starts the sender once per page: takes up what an earlier page left, then sends at once, when the network returns and when seen again. */
export async function start(user: () => string | null): Promise<void> {
  currentUser = user;
  await store.outbox.toCollection().modify((entry, ref_) => void (ref_.value = recovered(entry)));
  await reload();
  watch(returns, () => wake(true));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && wake(true));
  wake(true);
}

/** Called after each change of an entry (sent or refused), for screens that show the result. */
export function onSettled(listener: (entry: Entry) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Stores the act with its photos in one transaction, so a reload can lose nothing, then tries to send. */
export async function put(draft: Draft): Promise<Entry> {
  const entry: Entry = {
    ...draft,
    id: newKey(),
    key: newKey(),
    body: plain(draft.body),
    photos: draft.photos.map((photo) => ({ id: photo.id, server: null })),
    state: "waiting",
    tries: 0,
    nextAt: 0,
    madeAt: Date.now(),
    error: null,
    answer: null,
  };
  await store.transaction("rw", store.outbox, store.photos, async () => {
    await store.photos.bulkPut(draft.photos.map(storable));
    await store.outbox.put(entry);
  });
  await reload();
  wake();
  return entry;
}

/** Sends now and answers what became of the entry: `sent`, `refused`, or `waiting` (kept for later). */
export async function settle(id: string): Promise<Entry> {
  await flush();
  const entry = await store.outbox.get(id);
  if (!entry) throw new Error("outbox.gone");
  return entry;
}

export async function again(id: string): Promise<void> {
  const entry = await store.outbox.get(id);
  if (!entry) return;
  await store.outbox.put(retried(entry, newKey()));
  await reload();
  wake(true);
}

/** Its maker chose to send it without a name. */
export async function sendNameless(id: string): Promise<void> {
  const entry = await store.outbox.get(id);
  if (!entry || !mayGoNameless(entry, currentUser())) return;
  await store.outbox.put(nameless(entry, newKey()));
  await reload();
  wake(true);
}

export async function drop(id: string): Promise<void> {
  const entry = await store.outbox.get(id);
  await store.transaction("rw", store.outbox, store.photos, async () => {
    await store.photos.bulkDelete(entry?.photos.map((photo) => photo.id) ?? []);
    await store.outbox.delete(id);
  });
  await reload();
}

export function wake(now = false): void {
  clearTimeout(timer);
  const pauseUntil = Math.min(...unsent(entries.value).map((entry) => entry.nextAt));
  if (!Number.isFinite(pauseUntil)) return;
  timer = setTimeout(() => void flush(now), now ? 0 : Math.max(1_000, pauseUntil - Date.now()));
}

/** One sender at a time over all tabs of the phone; `hurry` ignores the pauses (the network came back). */
export async function flush(hurry = true): Promise<void> {
  const work = async () => {
    const all = await store.outbox.where("state").equals("waiting").sortBy("madeAt");
    for (const entry of all) {
      if (ready(entry, currentUser(), hurry ? Number.POSITIVE_INFINITY : Date.now())) await sendOne(entry);
    }
  };
  await (navigator.locks ? navigator.locks.request("gridloop-outbox", work) : work());
  await reload();
  wake();
}

async function sendOne(first: Entry): Promise<void> {
  let entry: Entry = { ...first, state: "sending" };
  await save(entry);
  for (let step = nextStep(entry); step.do !== "rest"; step = nextStep(entry)) {
    const outcome = step.do === "photo" ? await sendPhoto(step.photo) : await sendBody(entry);
    const old = entry;
    entry = after(entry, outcome, Date.now());
    await save(entry);
    if (entry.state === "sent") await store.photos.bulkDelete(old.photos.map((photo) => photo.id));
    if (entry.state === "sent" || entry.state === "refused") listeners.forEach((listener) => listener(entry));
    if (entry.state === "waiting") break;
  }
}

async function save(entry: Entry): Promise<void> {
  await store.outbox.put(entry);
  await reload();
}

async function reload(): Promise<void> {
  entries.value = (await store.outbox.orderBy("madeAt").reverse().toArray()) as Entry[];
}
