import { ref } from "vue";
import { user } from "../lib/session";
import { keep, kept } from "../queue/store";

/** Ids of tasks checked in from this phone: after it, the result is the main action. */
const done = ref<ReadonlySet<string>>(new Set());

export const checkedIn = (id: string | number): boolean => done.value.has(String(id));

export async function loadCheckIns(): Promise<void> {
  const row = await kept<string[]>("checkins", user.value ?? "");
  done.value = new Set(row?.value ?? []);
}

export async function noteCheckIn(id: string | number): Promise<void> {
  done.value = new Set([...done.value, String(id)].slice(-200));
  await keep("checkins", user.value ?? "", [...done.value]);
}
