/** Keyboard of the desk: one table of keys per screen, silent while a person types or holds a modifier. */
import { onBeforeUnmount, onMounted } from "vue";

export type KeyTable = Record<string, (event: KeyboardEvent) => void>;

const EDITABLE = new Set(["INPUT", "TEXTAREA", "SELECT"]);
/** On these, Enter and Space belong to the control itself. */
const PRESSED = new Set(["BUTTON", "A", "SUMMARY", "VIDEO"]);

export function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return EDITABLE.has(target.tagName) || target.isContentEditable || target.getAttribute("role") === "combobox";
}

/** Whatever lies over the whole screen: what is under it is not seen, and its keys are not meant. */
const OVER = '[aria-modal="true"], .el-image-viewer__wrapper';
const covered = (): boolean => [...document.querySelectorAll(OVER)].some((one) => !one.closest('[style*="display: none"]'));

/** The action a key press means, or null. Escape works everywhere, also in a field; over the screen it closes only what lies there. */
export function meant(event: KeyboardEvent, table: KeyTable): ((event: KeyboardEvent) => void) | null {
  if (covered()) return null;
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return repeats(event, table);
  if (event.key === "Escape") return table["Escape"] ?? null;
  if (typing(event.target)) return null;
  const target = event.target;
  if (event.key === "Enter" && target instanceof HTMLElement && PRESSED.has(target.tagName)) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  return table[key] ?? null;
}

/** A held key may walk the list but must never dispatch twice. */
function repeats(event: KeyboardEvent, table: KeyTable): ((event: KeyboardEvent) => void) | null {
  const walking = ["j", "k", "ArrowDown", "ArrowUp"].includes(event.key);
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;
  return event.repeat && plain && walking && !typing(event.target) ? (table[event.key] ?? null) : null;
}

export function useKeys(table: KeyTable, active: () => boolean = () => true): void {
  const listen = (event: KeyboardEvent): void => {
    if (!active() || event.defaultPrevented) return;
    const act = meant(event, table);
    if (!act) return;
    event.preventDefault();
    act(event);
  };
  onMounted(() => window.addEventListener("keydown", listen));
  onBeforeUnmount(() => window.removeEventListener("keydown", listen));
}
