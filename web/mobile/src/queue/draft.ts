import { onMounted, reactive, ref, watch } from "vue";
import type { Photo } from "../photos/take";
import { plain, store } from "./store";

/** A form that survives reload: fields at each change, photos the moment they are taken. */
export function useDraft<T extends Record<string, unknown>>(key: string, empty: T) {
  const fields = reactive({ ...empty }) as T;
  const photos = ref<Photo[]>([]);
  const loaded = ref(false);

  onMounted(async () => {
    const row = await store.drafts.get(key);
    if (row) {
      Object.assign(fields, row.fields);
      photos.value = (await store.photos.bulkGet(row.photos)).filter((photo) => photo !== undefined);
    }
    loaded.value = true;
  });

  watch([fields, photos], () => loaded.value && void save(), { deep: true });

  async function save(): Promise<void> {
    const list = photos.value.map((photo) => ({ ...photo, place: photo.place ? { ...photo.place } : null }));
    await store.transaction("rw", store.photos, store.drafts, async () => {
      await store.photos.bulkPut(list);
      await store.drafts.put({ key, fields: plain(fields), photos: list.map((photo) => photo.id) });
    });
  }

  async function removePhoto(id: string): Promise<void> {
    photos.value = photos.value.filter((photo) => photo.id !== id);
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
