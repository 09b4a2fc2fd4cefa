/** One form's sending: refusals stand at their field, the rest is said once; what was typed stays. */
import { ref, watch, type Ref } from "vue";
import { Problem } from "@/api/client";
import { faultText, type Say } from "@/lib/faults";
import { forgetTyped, keepTyped, readTyped } from "@/lib/kept";

export function useSave(say: Say) {
  const busy = ref(false);
  const faults = ref<Record<string, string>>({});
  const general = ref("");

  function clear(): void {
    faults.value = {};
    general.value = "";
  }

  /** True when it went through. */
  async function save(act: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    clear();
    try {
      await act();
      return true;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      for (const fault of error.fields) {
        const name = fault.pointer.split("/")[1] ?? "";
        if (name) faults.value[name] = fault.message;
      }
      if (!Object.keys(faults.value).length) general.value = error.fields[0]?.message ?? (error.detail || faultText(error, say).title);
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, faults, general, save, clear };
}

/** What a form's fields hold, and under which key that is kept until it was sent. */
export interface Keep {
  key: () => string;
  fields: Record<string, Ref<unknown>>;
}

/** A form that is filled anew each time it opens; with `keep`, what was typed and not sent comes back, after a reload, too. */
export function useForm(say: Say, open: Ref<boolean>, fill: () => void, keep?: Keep, store: Storage = sessionStorage) {
  const form = useSave(say);
  const restored = ref(false);
  const held = (): Record<string, unknown> => Object.fromEntries(Object.entries(keep?.fields ?? {}).map(([name, field]) => [name, field.value]));
  let key = "";
  let before: Record<string, unknown> = {};

  function begin(): void {
    form.clear();
    restored.value = false;
    key = "";
    fill();
    if (!keep) return;
    before = JSON.parse(JSON.stringify(held())) as Record<string, unknown>;
    const typed = readTyped<Record<string, unknown>>(keep.key(), {}, store);
    for (const [name, value] of Object.entries(typed)) {
      const field = keep.fields[name];
      if (field) field.value = value;
    }
    restored.value = Object.keys(typed).length > 0;
    key = keep.key();
  }

  /** Throws away what came back. */
  function anew(): void {
    if (key) forgetTyped(key, store);
    begin();
  }

  watch(open, (shown) => shown && begin(), { immediate: true });
  if (keep) watch(() => held(), (now) => open.value && key && keepTyped(key, changed(before, now), {}, store), { deep: true, flush: "sync" });

  /** True when it went through; the form is closed then. */
  async function send(act: () => Promise<unknown>): Promise<boolean> {
    const of = key;
    const sent = await form.save(act);
    if (!sent) return false;
    if (of) forgetTyped(of, store);
    open.value = false;
    return true;
  }

  return { ...form, send, restored, anew };
}

/** Only what differs from before, so that a masked number is never sent back. */
export function changed<T extends Record<string, unknown>>(before: Partial<T>, after: T): Partial<T> {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]))) as Partial<T>;
}
