/** What somebody typed and has not sent: a reload, an ended session, a refusal or a look elsewhere must not lose it. It lives in the tab, and ends
 * with it and with log-out; the key names the account, so that whoever logs in next finds nothing of it. */
import { ref, watch, type Ref } from "vue";

const PREFIX = "typed:";

export function readTyped<T>(key: string, empty: T, store: Storage = sessionStorage): T {
  try {
    const kept = store.getItem(PREFIX + key);
    return kept === null ? structuredClone(empty) : (JSON.parse(kept) as T);
  } catch {
    return structuredClone(empty);
  }
}

/** Nothing typed is nothing kept. A full or forbidden store only means that a reload loses the words, as it would without us. */
export function keepTyped<T>(key: string, value: T, empty: T, store: Storage = sessionStorage): void {
  const text = JSON.stringify(value);
  try {
    if (text === JSON.stringify(empty)) store.removeItem(PREFIX + key);
    else store.setItem(PREFIX + key, text);
  } catch {
    /* kept in memory all the same */
  }
}

export function forgetTyped(key: string, store: Storage = sessionStorage): void {
  store.removeItem(PREFIX + key);
}

/** The keys of what is kept that begin so. */
export function typedKeys(beginning: string, store: Storage = sessionStorage): string[] {
  return Object.keys(store)
    .filter((key) => key.startsWith(PREFIX + beginning))
    .map((key) => key.slice(PREFIX.length));
}

export function forgetAllTyped(store: Storage = sessionStorage): void {
  for (const key of typedKeys("", store)) forgetTyped(key, store);
}

/** A value of a form that outlives the page; another key is another form. `sync`: a value is never written under the key that came after it. */
export function useTyped<T>(key: () => string, empty: T, store: Storage = sessionStorage): Ref<T> {
  const value = ref(readTyped(key(), empty, store)) as Ref<T>;
  watch(key, (now) => (value.value = readTyped(now, empty, store)), { flush: "sync" });
  watch(value, (now) => keepTyped(key(), now, empty, store), { deep: true, flush: "sync" });
  return value;
}
