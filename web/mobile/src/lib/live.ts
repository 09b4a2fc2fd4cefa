import type { LiveMessage } from "@/lib/live";
import { inject, type InjectionKey, onScopeDispose, onUnmounted } from "vue";

type Listener = (message: LiveMessage) => void;

export interface Live {
  tell: Listener;
  add: (listener: Listener) => () => void;
}

export const liveKey: InjectionKey<Live> = Symbol("live");

export function makeLive(): Live {
  const listeners = new Set<Listener>();
  return {
    tell: (message) => listeners.forEach((listener) => listener(message)),
    add: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Calls back when something of the caller's scope changed, at most once per `rest` ms; also after a stream that lost its place. */
export function onLive(react: () => void, wanted: (message: LiveMessage) => boolean = () => true, rest = 300): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const leave = inject(liveKey)?.add((message) => {
    if (message.type === "state" || (message.type !== "reset" && !wanted(message))) return;
    timer ??= setTimeout(() => {
      timer = undefined;
      react();
    }, rest);
  });
  onUnmounted(() => clearTimeout(timer));
  onScopeDispose(() => leave?.());
}
