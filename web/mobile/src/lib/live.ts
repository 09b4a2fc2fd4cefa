import { onScopeDispose } from "vue";

/** One stream for the page; phones have no SharedWorker to share it over tabs. The browser resumes it with Last-Event-ID by itself. */
let stream: EventSource | null = null;
const listeners = new Set<(kind: string) => void>();
const KINDS = ["case", "task", "reset"] as const;

function open(): void {
  stream ??= new EventSource("/api/v1/live");
  for (const kind of KINDS) stream.addEventListener(kind, () => listeners.forEach((listener) => listener(kind)));
}

/** Calls back at most once per `rest` ms after something of the caller's scope changed; ends with the component. */
export function onLive(react: () => void, rest = 400): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const listener = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      react();
    }, rest);
  };
  listeners.add(listener);
  if (!stream) open();
  // A stream the server closed for good (log-in ended, server away) does not come back alone.
  const check = setInterval(() => {
    if (stream?.readyState === EventSource.CLOSED) {
      stream = null;
      open();
      listener();
    }
  }, 15_000);
  onScopeDispose(() => {
    clearTimeout(timer);
    clearInterval(check);
    listeners.delete(listener);
    if (listeners.size === 0) {
      stream?.close();
      stream = null;
    }
  });
}
