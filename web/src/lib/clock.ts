/** The deployment clock in the browser: taken from the server, moved on at its rate, ticking once a second. */
import { computed, ref } from "vue";

const state = { base: Date.now(), taken: Date.now(), rate: 1 };
const tick = ref(Date.now());
let timer: ReturnType<typeof setInterval> | undefined;

/** Deployment milliseconds now. */
export function deploymentNow(): number {
  return state.base + (Date.now() - state.taken) * state.rate;
}

export function setClock(clock: { now: string; rate: number }): void {
  state.base = Date.parse(clock.now);
  state.taken = Date.now();
  state.rate = clock.rate;
  tick.value = deploymentNow();
  timer ??= setInterval(() => (tick.value = deploymentNow()), 1000);
}

/** Reactive deployment time, for countdowns. */
export const now = computed(() => tick.value);
export const clockRate = (): number => state.rate;
