/**
 * The outbox as a pure state machine: what to send next, and what an answer means.
 *
 * An entry is one thing a person did (a report, or a verb on a task). Its photos go first, one by one; each keeps the
 * server's id once sent, so a cut in the middle never sends a photo twice. The body goes last, always with the same
 * idempotency key, so a repeat after a lost answer has no second effect.
 */
export type State = "waiting" | "sending" | "sent" | "refused";

export interface Entry {
  id: string;
  /** The Idempotency-Key: the same at every try. */
  key: string;
  kind: "report" | "verb";
  path: string;
  title: string;
  /** Code of the case it belongs to, when there is one already. */
  about: string | null;
  /** Login name of the maker; null = made without an account. Only the maker's session may send it. */
  user: string | null;
  body: Record<string, unknown>;
  photos: PhotoRef[];
  /** Without an account photos travel inside the report, with one they go ahead to the evidence store. */
  carry: "ahead" | "inside";
  state: State;
  tries: number;
  nextAt: number;
  madeAt: number;
  error: string | null;
  answer: Answer | null;
}

export interface PhotoRef {
  id: string;
  server: string | null;
}

export interface Answer {
  case?: string;
  track_url?: string;
  merged?: boolean;
}

export type Step = { do: "photo"; photo: string } | { do: "body" } | { do: "rest" };

export type Outcome =
  | { kind: "done"; answer: Answer | null }
  | { kind: "photo"; photo: string; server: string }
  | { kind: "offline" }
  | { kind: "busy" }
  | { kind: "login" }
  | { kind: "refused"; error: string };

const WAITS = [2_000, 5_000, 15_000, 60_000, 300_000];

/** Milliseconds to wait before try number `tries` + 1. */
export function pause(tries: number): number {
  return WAITS[Math.min(tries, WAITS.length) - 1] ?? 0;
}

export function nextStep(entry: Entry): Step {
  if (entry.state === "sent" || entry.state === "refused") return { do: "rest" };
  const photo = entry.carry === "ahead" ? entry.photos.find((p) => p.server === null) : undefined;
  return photo ? { do: "photo", photo: photo.id } : { do: "body" };
}

/** May this entry go now, for the person who is logged in (null = nobody)? */
export function ready(entry: Entry, user: string | null, now: number): boolean {
  return entry.state === "waiting" && entry.nextAt <= now && (entry.user === null || entry.user === user);
}

export function after(entry: Entry, outcome: Outcome, now: number): Entry {
  switch (outcome.kind) {
    case "done":
      return { ...entry, state: "sent", error: null, answer: outcome.answer, body: {}, photos: [] };
    case "photo":
      return {
        ...entry,
        tries: 0,
        photos: entry.photos.map((p) => (p.id === outcome.photo ? { ...p, server: outcome.server } : p)),
      };
    case "refused":
      return { ...entry, state: "refused", error: outcome.error };
    case "login":
      return { ...entry, state: "waiting", error: "login", nextAt: now + pause(2) };
    case "offline":
    case "busy": {
      const tries = entry.tries + 1;
      return { ...entry, state: "waiting", tries, error: null, nextAt: now + pause(tries) };
    }
  }
}

/** A page closed in the middle of sending leaves `sending` behind; the next page takes it up again. */
export function recovered(entry: Entry): Entry {
  return entry.state === "sending" ? { ...entry, state: "waiting", nextAt: 0 } : entry;
}

/** Everything the person still waits for; the number is always on screen. */
export function unsent(entries: readonly Entry[]): Entry[] {
  return entries.filter((e) => e.state === "waiting" || e.state === "sending");
}

/** The person may send a refused entry again, under a new key: the server remembers its answer to the old one. */
export function retried(entry: Entry, key: string): Entry {
  return { ...entry, key, state: "waiting", tries: 0, nextAt: 0, error: null };
}

/** Whether it waits for its maker to log in. */
export function needsLogin(entry: Entry, user: string | null): boolean {
  return entry.state === "waiting" && (entry.error === "login" || (entry.user !== null && entry.user !== user));
}

/** Whether it may go without its maker's name: a report, and nobody else is logged in who could choose that. */
export function mayGoNameless(entry: Entry, user: string | null): boolean {
  return entry.kind === "report" && needsLogin(entry, user) && (user === null || user === entry.user);
}

/** The same report as nobody's: what was uploaded under the account stays behind, its photos go inside again. */
export function nameless(entry: Entry, key: string): Entry {
  const photos = entry.photos.map((photo) => ({ ...photo, server: null }));
  return { ...retried(entry, key), user: null, carry: "inside", photos };
}

/** What a refused call means; status 0 = the server was not reached. `words` are the server's own sentences. */
export function readProblem(status: number, words: readonly string[]): Outcome {
  if (status === 0) return { kind: "offline" };
  if (status === 401) return { kind: "login" };
  if (status === 408 || status === 425 || status === 429 || status >= 500) return { kind: "busy" };
  return { kind: "refused", error: [...new Set(words.filter(Boolean))].join(" ") };
}
