import { Problem } from "@/api/client";
import { ref, shallowRef } from "vue";
import { keep, kept } from "../queue/store";
import { toLogin, user } from "./session";

export type LoadState = "loading" | "ready" | "error" | "offline" | "denied" | "missing";

/**
 * Reads something for a screen: what was kept last time at once, then the server's answer. Off-line the kept copy stays, with its age.
 * `key` null = keep nothing.
 */
export function useKept<T>(key: () => string | null, fetchIt: () => Promise<T>) {
  const value = shallowRef<T | null>(null);
  const state = ref<LoadState>("loading");
  const keptAt = ref<number | null>(null);
  const detail = ref("");

  async function load(): Promise<void> {
    const owner = user.value ?? "";
    if (value.value === null) await showKept(owner);
    try {
      const fresh = await fetchIt();
      value.value = fresh;
      keptAt.value = null;
      state.value = "ready";
      const name = key();
      if (name) await keep(name, owner, fresh);
    } catch (fault) {
      failed(fault);
    }
  }

  async function showKept(owner: string): Promise<void> {
    const name = key();
    const old = name ? await kept<T>(name, owner) : null;
    if (!old || value.value !== null) return;
    value.value = old.value;
    keptAt.value = old.at;
    state.value = "ready";
  }

  function failed(fault: unknown): void {
    const status = fault instanceof Problem ? fault.status : -1;
    detail.value = fault instanceof Problem ? fault.detail : "";
    if (status === 401) toLogin();
    else if (status === 403) state.value = "denied";
    else if (status === 404) state.value = "missing";
    else if (value.value !== null) keptAt.value ??= Date.now();
    else state.value = status === 0 ? "offline" : "error";
    if (status === 403 || status === 404) value.value = null;
    if (status === -1) throw fault;
  }

  return { value, state, keptAt, detail, load };
}
