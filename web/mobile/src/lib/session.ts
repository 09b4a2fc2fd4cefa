import { get, Problem } from "@/api/client";
import type { Me } from "@/api/access";
import { setClock } from "@/lib/clock";
import { computed, ref, shallowRef } from "vue";
import { keep, kept } from "../queue/store";

/** Who is here. `unknown` until the first answer; off-line the last known person of this phone. */
export const me = shallowRef<Me | null>(null);
export const known = ref(false);
export const stale = ref(false);
export const user = computed(() => me.value?.user ?? null);
export const hasTasks = computed(() => me.value?.permissions.includes("task.read") ?? false);

/** Who worked here until the session ended; null after a log-out, and on a phone nobody ever logged in on. */
export const ended = ref<string | null>(null);

const PHONE = ""; // not a person's row: who used this phone last
const LAST = "last";
let loading: Promise<void> | undefined;

export function loadMe(): Promise<void> {
  loading ??= fetchMe().finally(() => (loading = undefined));
  return loading;
}

async function fetchMe(): Promise<void> {
  try {
    me.value = await get<Me>("/api/v1/me");
    stale.value = false;
    setClock(me.value.clock);
    ended.value = null;
    await keep("me", PHONE, me.value);
    await keep(LAST, PHONE, me.value.user);
  } catch (fault) {
    if (!(fault instanceof Problem)) throw fault;
    if (fault.status === 401) {
      me.value = null;
      ended.value = (await kept<string | null>(LAST, PHONE))?.value ?? null;
      await keep("me", PHONE, null);
    } else {
      me.value = (await kept<Me | null>("me", PHONE))?.value ?? null;
      stale.value = true;
    }
  }
  known.value = true;
}

/** After a log-out: nobody works here any more. */
export async function forgetWho(): Promise<void> {
  await keep("me", PHONE, null);
  await keep(LAST, PHONE, null);
  me.value = ended.value = null;
}

export function toLogin(next: string = location.pathname + location.search): void {
  location.assign(`/login/?next=${encodeURIComponent(next)}`);
}
