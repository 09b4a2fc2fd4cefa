import { onMounted, reactive, ref, watch } from "vue";
import type { Photo } from "../photos/take";
import { plain, store } from "./store";

/** A form that survives reload: fields at each change, photos the moment they are taken. */
export function useDraft<T extends Record<string, unknown>>(key: string, empty: T) {
  const fields = reactive({ ...empty }) as T;
  const photos = ref<Photo[]>([]);
  const loaded = ref(false);
  /** Photos never change once taken: each is written once, so that the words of a keystroke do not wait behind megabytes. */
  const kept = new Set<string>();

  onMounted(async () => {
    const row = await store.drafts.get(key);
    if (row) {
      Object.assign(fields, row.fields);
      photos.value = (await store.photos.bulkGet(row.photos)).filter((photo) => photo !== undefined);
      for (const photo of photos.value) kept.add(photo.id);
    }
    loaded.value = true;
  });

  watch([fields, photos], () => loaded.value && void save(), { deep: true });

  async function save(): Promise<void> {
    const row = { key, fields: plain(fields), photos: photos.value.map((photo) => photo.id) };
    const fresh = photos.value.filter((photo) => !kept.has(photo.id)).map((photo) => ({ ...photo, place: photo.place ? { ...photo.place } : null }));
    if (!fresh.length) return void (await store.drafts.put(row));
    await store.transaction("rw", store.photos, store.drafts, async () => {
      await store.photos.bulkPut(fresh);
      await store.drafts.put(row);
    });
    for (const photo of fresh) kept.add(photo.id);
  }

  async function removePhoto(id: string): Promise<void> {
    photos.value = photos.value.filter((photo) => photo.id !== id);
    kept.delete(id);
    await store.photos.delete(id);
  }

  /** After hand-in: the photos now belong to the outbox. */
  async function clear(): Promise<void> {
    loaded.value = false;
    Object.assign(fields, empty);
    photos.value = [];
    await store.drafts.delete(key);
    loaded.value = true;
  }

  return { fields, photos, loaded, removePhoto, clear };
}
