import { onReached } from "@/api/client";
import { readonly, ref } from "vue";

const ASK_EVERY_MS = 5_000;
const answered = ref(navigator.onLine);
const returned = ref(0);
let lost = false; // the door itself did not answer: not only one request was cut off
let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Is the server reached? A telephone calls itself on-line in every network, also in one that leads nowhere (and a page opened from the
 * service worker may be told so without any): what became of the last request decides. While it failed, the door is asked again.
 */
export const online = readonly(answered);

/** How often the network has come back: the time to send at once what was kept. */
export const returns = readonly(returned);

function reached(yes: boolean): void {
  answered.value = yes;
  clearTimeout(timer);
  if (!yes) timer = setTimeout(() => void ask(), lost ? ASK_EVERY_MS : 0);
  else if (lost) {
    lost = false;
    returned.value += 1;
  }
}

async function ask(): Promise<void> {
  try {
    await fetch("/healthz", { cache: "no-store" });
    reached(true);
  } catch {
    lost = true;
    reached(false);
  }
}

export function listenForNetwork(): void {
  onReached(reached);
  window.addEventListener("offline", () => reached(false));
  window.addEventListener("online", () => {
    lost = true;
    void ask();
  });
}
