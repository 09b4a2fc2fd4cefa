/** The one door to the server: JSON in and out, problem documents as `Problem`, CSRF and idempotency keys on every write. */

export interface FieldError {
  pointer: string;
  message: string;
}

interface ProblemDocument {
  type?: string;
  title?: string;
  detail?: string;
  errors?: FieldError[];
  verbs?: string[];
}

/** An answer other than 2xx. `status` 0 means the server was not reached. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly fields: FieldError[];
  readonly verbs: string[];

  constructor(status: number, doc: ProblemDocument = {}) {
    super(doc.detail || doc.title || `HTTP ${status}`);
    this.name = "Problem";
    this.status = status;
    this.title = doc.title ?? "";
    this.detail = doc.detail ?? "";
    this.fields = Array.isArray(doc.errors) ? doc.errors : [];
    this.verbs = Array.isArray(doc.verbs) ? doc.verbs : [];
  }
}

export type Query = Record<string, string | number | boolean | null | undefined>;

export interface CallOptions {
  query?: Query;
  body?: unknown;
  form?: FormData;
  /** Give the same key again to repeat a write safely (outbox). */
  key?: string;
  signal?: AbortSignal;
  /** Without the session: whoever is logged in is not told to the server. */
  nameless?: boolean;
}

const settings = { lang: "zh-CN", unauthorised: (): void => {}, reached: (_yes: boolean): void => {} };

/** Language of the server's sentences in answers. */
export function speak(lang: string): void {
  settings.lang = lang;
}

/** What to do when the session is gone (desk: go to the log-in page; phone: ask in place). */
export function onUnauthorised(act: () => void): void {
  settings.unauthorised = act;
}

/** Told after each call whether the server answered at all (the phone says so in its head). */
export function onReached(tell: (yes: boolean) => void): void {
  settings.reached = tell;
}

/** A random key; `crypto.randomUUID` is missing on plain http outside localhost. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

export function cookie(name: string, source: string = document.cookie): string {
  for (const part of source.split(";")) {
    const [key, ...value] = part.trim().split("=");
    if (key === name) return decodeURIComponent(value.join("="));
  }
  return "";
}

export function address(path: string, query: Query = {}): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") params.set(key, String(value));
  }
  const text = params.toString();
  return text ? `${path}${path.includes("?") ? "&" : "?"}${text}` : path;
}

export function headersFor(method: string, options: CallOptions): Record<string, string> {
  const headers: Record<string, string> = { Accept: "application/json", "Accept-Language": settings.lang };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") {
    headers["Idempotency-Key"] = options.key ?? newKey();
    const token = cookie("csrftoken");
    if (token) headers["X-CSRFToken"] = token;
  }
  return headers;
}

/** The problem an answer carries; never throws on a body that is not JSON. */
export function readProblem(status: number, text: string): Problem {
  try {
    const doc: unknown = JSON.parse(text);
    return new Problem(status, typeof doc === "object" && doc !== null ? (doc as ProblemDocument) : {});
  } catch {
    return new Problem(status);
  }
}

/** Calls the server. Throws `Problem`; `T` is the parsed body, `undefined` for 204. */
export async function call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(address(path, options.query), {
      method,
      credentials: options.nameless ? "omit" : "same-origin",
      headers: headersFor(method, options),
      body: options.form ?? (options.body === undefined ? null : JSON.stringify(options.body)),
      signal: options.signal ?? null,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    settings.reached(false);
    throw new Problem(0);
  }
  settings.reached(true);
  const text = await answer.text();
  if (answer.ok) return (text ? JSON.parse(text) : undefined) as T;
  if (answer.status === 401) settings.unauthorised();
  throw readProblem(answer.status, text);
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> =>
  call<T>("GET", path, { ...(query ? { query } : {}), ...(signal ? { signal } : {}) });

export const put = <T>(path: string, body: unknown = {}, key?: string): Promise<T> =>
  call<T>("PUT", path, { body, key: key ?? newKey() });

export const patch = <T>(path: string, body: unknown = {}, key?: string): Promise<T> =>
  call<T>("PATCH", path, { body, key: key ?? newKey() });

export const post = <T>(path: string, body: unknown = {}, key?: string): Promise<T> =>
  call<T>("POST", path, { body, ...(key ? { key } : {}) });

/** Uploads with progress (0–1), which `fetch` cannot report. */
export function upload<T>(path: string, form: FormData, progress: (share: number) => void, key = newKey()): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries(headersFor("POST", { form, key }))) request.setRequestHeader(name, value);
    request.upload.onprogress = (e) => e.lengthComputable && progress(e.loaded / e.total);
    request.onerror = () => reject(new Problem(0));
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve(JSON.parse(request.responseText) as T);
      else {
        if (request.status === 401) settings.unauthorised();
        reject(readProblem(request.status, request.responseText));
      }
    };
    request.send(form);
  });
}
