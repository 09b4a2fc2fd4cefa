/**
 * The queue of the console: state + following messages = fresh state. A message names a case that changed; the caller reads those cases
 * under the same filters and gives the answer to `patched`: a case that is missing from the answer has left the list.
 */
import type { CaseItem } from "@/api/cases";
import { byUrgency } from "./domain";

export interface Queue {
  items: CaseItem[];
  /** Cases that arrived while the person was pointing into the list; shown as a pill, merged on demand. */
  waiting: CaseItem[];
  /** Codes that arrived since the list was opened, to mark them as new. */
  fresh: ReadonlySet<string>;
}

export const emptyQueue = (): Queue => ({ items: [], waiting: [], fresh: new Set() });

export const opened = (items: CaseItem[]): Queue => ({ items: sorted(items), waiting: [], fresh: new Set() });

/** `asked` were changed, `found` is what the server has of them now. `hold` keeps newcomers out of the visible list. */
export function patched(queue: Queue, asked: Iterable<string>, found: CaseItem[], hold: boolean): Queue {
  const answer = new Map(found.map((item) => [item.code, item]));
  const known = new Set(queue.items.map((item) => item.code));
  const touched = new Set(asked);
  const items = queue.items.flatMap((item) => (touched.has(item.code) ? (answer.get(item.code) ?? []) : item));
  const stillWaiting = queue.waiting.flatMap((item) => (touched.has(item.code) ? (answer.get(item.code) ?? []) : item));
  const waitingCodes = new Set(stillWaiting.map((item) => item.code));
  const newcomers = found.filter((item) => touched.has(item.code) && !known.has(item.code) && !waitingCodes.has(item.code));
  const fresh = new Set([...queue.fresh, ...newcomers.map((item) => item.code)]);
  if (hold) return { items: sorted(items), waiting: sorted([...stillWaiting, ...newcomers]), fresh };
  return { items: sorted([...items, ...stillWaiting, ...newcomers]), waiting: [], fresh };
}

/** Shows what was waiting. */
export const released = (queue: Queue): Queue => ({ ...queue, items: sorted([...queue.items, ...queue.waiting]), waiting: [] });

/** Adds the next page of the same list. */
export function extended(queue: Queue, page: CaseItem[]): Queue {
  const known = new Set([...queue.items, ...queue.waiting].map((item) => item.code));
  return { ...queue, items: sorted([...queue.items, ...page.filter((item) => !known.has(item.code))]) };
}

/** The case to go to when `code` leaves: the next one below, else the one above. */
export function neighbour(items: CaseItem[], code: string, step: 1 | -1 = 1): string | null {
  const at = items.findIndex((item) => item.code === code);
  if (at < 0) return items[0]?.code ?? null;
  return (items[at + step] ?? items[at - step] ?? null)?.code ?? null;
}

const sorted = (items: CaseItem[]): CaseItem[] => [...items].sort(byUrgency);
