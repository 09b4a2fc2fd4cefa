/**
 * Live messages. One EventSource for all tabs of a user (in a SharedWorker; a 7th tab would hang on HTTP/1.1 otherwise), or one per tab
 * where SharedWorker is missing. The browser resumes a cut stream by Last-Event-ID; where the stream had to be opened anew, `reset` is
 * sent to the tabs, which then read everything again.
 */
import type { LiveCase, LiveTask } from "@/api/cases";

export type LiveMessage =
  | { type: "case"; id: string; data: LiveCase }
  | { type: "task"; id: string; data: LiveTask }
  | { type: "reset" }
  | { type: "state"; open: boolean };

export const LIVE_PATH = "/api/v1/live";
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

type Source = Pick<EventSource, "addEventListener" | "close" | "readyState">;
type Schedule = (act: () => void, ms: number) => unknown;

/** Follows the stream for ever. `make` and `schedule` are given so that tests can drive it. */
export function follow(
  send: (message: LiveMessage) => void,
  make: () => Source = () => new EventSource(LIVE_PATH),
  schedule: Schedule = setTimeout,
): () => void {
  let stopped = false;
  let wait = FIRST_WAIT;
  let source: Source | null = null;
  let anew = false; // the stream was closed for good and opened again: Last-Event-ID is lost

  const open = (): void => {
    if (stopped) return;
    const current = make();
    source = current;
    current.addEventListener("open", () => {
      wait = FIRST_WAIT;
      send({ type: "state", open: true });
      if (anew) send({ type: "reset" });
      anew = false;
    });
    current.addEventListener("case", (e) => send(parsed("case", e)));
    current.addEventListener("task", (e) => send(parsed("task", e)));
    current.addEventListener("reset", () => send({ type: "reset" }));
    // the stream is there, but what feeds it is not: nothing is lost, it is only late
    current.addEventListener("stale", () => send({ type: "state", open: false }));
    current.addEventListener("fresh", () => send({ type: "state", open: true }));
    current.addEventListener("error", () => {
      send({ type: "state", open: false });
      if (current.readyState !== 2 || source !== current) return; // the browser itself is reconnecting
      source = null;
      anew = true;
      current.close();
      schedule(open, wait);
      wait = Math.min(wait * 2, LONGEST_WAIT);
    });
  };
  open();
  return () => {
    stopped = true;
    source?.close();
  };
}

function parsed(type: "case" | "task", e: Event): LiveMessage {
  const event = e as MessageEvent<string>;
  return { type, id: event.lastEventId, data: JSON.parse(event.data) } as LiveMessage;
}

/** Connects this tab; returns the way to leave. The name keeps users apart when the log-in changes. */
export function connect(user: string, receive: (message: LiveMessage) => void): () => void {
  if (typeof SharedWorker === "undefined") return follow(receive);
  const worker = new SharedWorker(new URL("./live.worker.ts", import.meta.url), { type: "module", name: `gridloop-live-${user}` });
  worker.port.onmessage = (e: MessageEvent<LiveMessage>) => receive(e.data);
  const leave = (): void => worker.port.postMessage("leave");
  worker.port.start();
  window.addEventListener("pagehide", leave, { once: true });
  return leave;
}
