/** One form's sending: refusals stand at their field, the rest is said once; what was typed stays. */
import { ref, watch, type Ref } from "vue";
import { Problem } from "@/api/client";

export function useSave() {
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
      if (!Object.keys(faults.value).length) general.value = error.fields[0]?.message ?? error.message;
      return false;
    } finally {
      busy.value = false;
    }
  }

  return { busy, faults, general, save, clear };
}

/** A form that is filled anew each time it opens. */
export function useForm(open: Ref<boolean>, fill: () => void) {
  const form = useSave();
  watch(
    open,
    (shown) => {
      if (!shown) return;
      form.clear();
      fill();
    },
    { immediate: true },
  );

  /** True when it went through; the form is closed then. */
  async function send(act: () => Promise<unknown>): Promise<boolean> {
    const sent = await form.save(act);
    if (sent) open.value = false;
    return sent;
  }

  return { ...form, send };
}

/** Only what differs from before, so that a masked number is never sent back. */
export function changed<T extends Record<string, unknown>>(before: Partial<T>, after: T): Partial<T> {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]))) as Partial<T>;
}
