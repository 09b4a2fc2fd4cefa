import { ref } from "vue";

interface InstallPrompt extends Event {
  prompt: () => Promise<unknown>;
}

let offered: InstallPrompt | null = null;
export const canInstall = ref(false);
export const installed = ref(matchMedia("(display-mode: standalone)").matches);

/** Chrome offers once per page, early: listened to from the start. */
export function listenForInstall(): void {
  window.addEventListener("beforeinstallprompt", (offer) => {
    offer.preventDefault();
    offered = offer as InstallPrompt;
    canInstall.value = true;
  });
  window.addEventListener("appinstalled", () => (installed.value = true));
}

export async function install(): Promise<void> {
  await offered?.prompt();
  canInstall.value = false;
}
