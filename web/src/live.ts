/** The tab's end of the live stream: one connection, many listeners, one status dot. */
import { onBeforeUnmount, ref } from "vue";
import { connect, type LiveMessage } from "@/lib/live";

type Listener = (message: LiveMessage) => void;

export const liveOpen = ref(false);
const listeners = new Set<Listener>();
let leave: (() => void) | null = null;

export function startLive(user: string): void {
  leave ??= connect(user, (message) => {
    if (message.type === "state") liveOpen.value = message.open;
    for (const listener of listeners) listener(message);
  });
}

export function stopLive(): void {
  leave?.();
  leave = null;
}

export function onLive(listener: Listener): void {
  listeners.add(listener);
  onBeforeUnmount(() => listeners.delete(listener));
}

/** Gathers calls: runs once at the end of each `ms`, at once for the first. */
export function gathered(act: () => void, ms: number): () => void {
  let waiting: ReturnType<typeof setTimeout> | null = null;
  let last = 0;
  return () => {
    if (waiting) return;
    waiting = setTimeout(() => {
      waiting = null;
      last = Date.now();
      act();
    }, Math.max(0, last + ms - Date.now()));
  };
}
