import { reactive, ref, toRaw, watch } from "vue";
import { forgetTyped, keepTyped, readTyped, typedKeys } from "@/lib/kept";
import type { Photo } from "../photos/take";
import { storable, store } from "./store";

/** What of a form can be kept at once; the photos it names lie in the phone's database. */
interface Row<T> {
  fields: T;
  photos: string[];
  at?: number; // when something was last typed, Unix milliseconds
}

const KEEP_DAYS = 30;
const DAY = 86_400_000;
const KEYS = "draft:";

/** At the start of a page: what was begun a month ago and never handed in goes (its task has long been another's), and so does each photo that no
 * form and no entry of the outbox names. A photo of the last day stays: another page may just be about to name it. */
export async function sweepDrafts(now = Date.now()): Promise<void> {
  const named = new Set<string>();
  for (const key of typedKeys(KEYS, localStorage)) {
    const row = readTyped<Row<unknown> | null>(key, null, localStorage);
    if (!row || now - (row.at ?? now) > KEEP_DAYS * DAY) forgetTyped(key, localStorage);
    else {
      if (row.at === undefined) keepTyped(key, { ...row, at: now }, null, localStorage);
      row.photos.forEach((id) => named.add(id));
    }
  }
  await store.transaction("rw", store.outbox, store.photos, async () => {
    for (const entry of await store.outbox.toArray()) entry.photos.forEach((photo) => named.add(photo.id));
    await store.photos.filter((photo) => !named.has(photo.id) && now - Date.parse(photo.at) > DAY).delete();
  });
}

/** A form not yet handed in, which outlives its page: phones close pages while the camera is open. Words are kept with each keystroke, before
 * anything else can happen to the page (a database would only have begun to write); a photo is shown once it is stored. Of two people with one
 * phone each finds their own; what was begun before anybody was known goes to whoever then is, unless they had begun one themselves. */
export function useDraft<T extends Record<string, unknown>>(form: string, account: () => string | null, empty: T) {
  const NOTHING: Row<T> = { fields: empty, photos: [] };
  const fields = reactive({ ...empty }) as T;
  const photos = ref<Photo[]>([]);
  const loaded = ref(false);
  let reading = 0;

  const keyOf = (user: string | null): string => `${KEYS}${user ?? ""}:${form}`;
  const kept = (user: string | null): Row<T> => readTyped(keyOf(user), NOTHING, localStorage);
  const begun = ({ fields, photos }: Row<T>): boolean => JSON.stringify({ fields, photos }) !== JSON.stringify(NOTHING);

  function save(): void {
    if (!loaded.value) return;
    const row = { fields: toRaw(fields), photos: photos.value.map((photo) => photo.id) };
    keepTyped(keyOf(account()), begun(row) ? { ...row, at: Date.now() } : NOTHING, NOTHING, localStorage);
  }

  async function load(row: Row<T>): Promise<void> {
    const turn = ++reading;
    loaded.value = false;
    Object.assign(fields, empty, row.fields);
    photos.value = [];
    const stored = row.photos.length ? await store.photos.bulkGet(row.photos) : [];
    if (turn !== reading) return;
    photos.value = stored.filter((photo) => photo !== undefined);
    loaded.value = true;
    save(); // what was typed while the photos were read
  }

  watch([fields, photos], save, { deep: true, flush: "sync" });
  watch(
    account,
    (now, before) => {
      let row = kept(now);
      if (before === null && !begun(row)) {
        row = kept(before);
        forgetTyped(keyOf(before), localStorage);
      }
      void load(row);
    },
    { flush: "sync" },
  );
  void load(kept(account()));

  async function add(photo: Photo): Promise<void> {
    await store.photos.put(storable(photo)).catch(() => undefined); // a full or forbidden database: then it lives as long as the page
    photos.value = [...photos.value, photo];
  }

  async function removePhoto(id: string): Promise<void> {
    photos.value = photos.value.filter((photo) => photo.id !== id);
    await store.photos.delete(id);
  }

  /** What had been handed in and comes back to be mended. */
  async function begin(again: T, pictures: Photo[]): Promise<void> {
    await store.photos.bulkPut(pictures.map(storable));
    Object.assign(fields, again);
    photos.value = pictures;
  }

  /** After hand-in: the photos now belong to the outbox. */
  function clear(): void {
    Object.assign(fields, empty);
    photos.value = [];
  }

  return { fields, photos, loaded, add, removePhoto, begin, clear };
}
