/** The one EventSource for all tabs of one user; ends with the last tab. */
import { follow, type LiveMessage } from "./live";

interface SharedWorkerScope {
  onconnect: ((e: MessageEvent) => void) | null;
}

const ports = new Set<MessagePort>();
let stop: (() => void) | null = null;
let isOpen = false;

function send(message: LiveMessage): void {
  if (message.type === "state") isOpen = message.open;
  for (const port of ports) port.postMessage(message);
}

(globalThis as unknown as SharedWorkerScope).onconnect = (e) => {
  const port = e.ports[0]!;
  ports.add(port);
  port.onmessage = (message) => {
    if (message.data !== "leave") return;
    ports.delete(port);
    if (ports.size === 0) {
      stop?.();
      stop = null;
    }
  };
  if (stop) port.postMessage({ type: "state", open: isOpen } satisfies LiveMessage);
  else stop = follow(send);
};
