import { computed, ref, shallowRef } from "vue";
import { keep, kept } from "../queue/store";
import { HttpFault, OfflineFault, read } from "./http";
import type { Me } from "./types";

/** Who is here. `unknown` until the first answer; off-line the last known person of this phone. */
export const me = shallowRef<Me | null>(null);
export const known = ref(false);
export const stale = ref(false);
export const user = computed(() => me.value?.user ?? null);
export const hasTasks = computed(() => me.value !== null && me.value.roles.some((role) => role !== "citizen"));

const PHONE = ""; // not a person's row: who used this phone last
let loading: Promise<void> | undefined;

export function loadMe(): Promise<void> {
  loading ??= fetchMe().finally(() => (loading = undefined));
  return loading;
}

async function fetchMe(): Promise<void> {
  try {
    me.value = await read<Me>("/api/v1/me");
    stale.value = false;
    setClock(me.value.clock);
    await keep("me", PHONE, me.value);
  } catch (fault) {
    if (fault instanceof HttpFault && fault.status === 401) {
      me.value = null;
      await keep("me", PHONE, null);
    } else if (fault instanceof OfflineFault || fault instanceof HttpFault) {
      me.value = (await kept<Me | null>("me", PHONE))?.value ?? null;
      stale.value = true;
    } else throw fault;
  }
  known.value = true;
}

let base = { at: Date.now(), since: performance.now(), rate: 1 };

function setClock(clock: Me["clock"] | undefined): void {
  const at = clock ? Date.parse(clock.now) : Number.NaN;
  if (clock && Number.isFinite(at)) base = { at, since: performance.now(), rate: clock.rate || 1 };
}

/** The deployment's clock: sample counties run on their own time. */
export function now(): Date {
  return new Date(base.at + (performance.now() - base.since) * base.rate);
}
