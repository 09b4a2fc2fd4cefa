import { ref } from "vue";

export interface Toast {
  text: string;
  bad: boolean;
}

const SHOWN_MS = 2_500;
const BAD_MS = 6_000; // a refusal must be read
export const toast = ref<Toast | null>(null);
let timer: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, bad = false): void {
  toast.value = { text, bad };
  clearTimeout(timer);
  timer = setTimeout(() => (toast.value = null), bad ? BAD_MS : SHOWN_MS);
}
