import Dexie, { type Table } from "dexie";
import type { Photo } from "../photos/take";
import type { Entry } from "./rules";

/** The last good answer of a list or page, shown at once and kept for off-line. `user` keeps people of one phone apart. */
export interface Kept {
  key: string;
  user: string;
  at: number;
  value: unknown;
}

class PhoneStore extends Dexie {
  outbox!: Table<Entry, string>;
  photos!: Table<Photo, string>;
  kept!: Table<Kept, string>;

  constructor() {
    super("gridloop-phone");
    this.version(1).stores({ outbox: "id, state, madeAt", photos: "id", kept: "key, user", drafts: "key" });
    this.version(2).stores({ drafts: null }); // words of a form lie where writing is done at once: draft.ts
  }
}

export const store = new PhoneStore();

/** A copy without reactive proxies, which IndexedDB refuses. */
export function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

export function storable(photo: Photo): Photo {
  return { ...photo, place: photo.place ? { ...photo.place } : null };
}

export async function keep(key: string, user: string, value: unknown): Promise<void> {
  await store.kept.put({ key: `${user}|${key}`, user, at: Date.now(), value: plain(value) });
}

export async function kept<T>(key: string, user: string): Promise<{ value: T; at: number } | null> {
  const row = await store.kept.get(`${user}|${key}`);
  return row ? { value: row.value as T, at: row.at } : null;
}

/** At log-out: what was read goes; what was written and not yet sent stays until its maker logs in again. */
export async function forget(user: string): Promise<void> {
  await store.kept.where("user").equals(user).delete();
  await store.outbox
    .where("state")
    .equals("sent")
    .filter((entry) => entry.user === user)
    .delete();
}
