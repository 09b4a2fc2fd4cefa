/** A masked read asked again for a purpose: what it opened is kept until the thing shown changes. */
import { computed, ref, watch, type Ref } from "vue";
import { Problem } from "@/api/client";
import type { Look } from "@/api/shared";

export function useLook<T>(read: (asked: Look) => Promise<T>, shown: Ref<unknown>) {
  const opened = ref<T | null>(null) as Ref<T | null>;
  const failure = ref("");
  const busy = ref(false);

  watch(shown, () => {
    opened.value = null;
    failure.value = "";
  });

  async function ask(asked: Look): Promise<void> {
    const before = shown.value;
    busy.value = true;
    failure.value = "";
    try {
      const answer = await read(asked);
      if (shown.value === before) opened.value = answer;
    } catch (error) {
      failure.value = error instanceof Problem ? (error.fields[0]?.message ?? error.message) : String(error);
    } finally {
      busy.value = false;
    }
  }

  return { opened, ask, state: computed(() => ({ failure: failure.value, busy: busy.value })) };
}
