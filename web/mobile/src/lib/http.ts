/** The one place of this app that calls `fetch`: session cookie, CSRF header, language, problem documents, log-in when needed. */
export interface Reply<T> {
  status: number;
  data: T | null;
  detail: string;
  retryAfter: string | null;
}

export class HttpFault extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail || String(status));
  }
}

/** The network did not carry the request; nothing is known about its effect. */
export class OfflineFault extends Error {}

export interface Ask {
  method?: string;
  json?: unknown;
  form?: FormData;
  key?: string;
  timeout?: number;
}

export async function ask<T>(path: string, options: Ask = {}): Promise<Reply<T>> {
  const response = await fetch(path, {
    method: options.method ?? "GET",
    credentials: "same-origin",
    headers: headers(options),
    body: options.form ?? (options.json === undefined ? undefined : JSON.stringify(options.json)),
    signal: AbortSignal.timeout(options.timeout ?? 30_000),
  }).catch(() => {
    throw new OfflineFault("offline");
  });
  const data: unknown = await response.json().catch(() => null);
  return { status: response.status, data: data as T | null, detail: sentence(data), retryAfter: response.headers.get("Retry-After") };
}

/** Reads JSON or throws HttpFault / OfflineFault. */
export async function read<T>(path: string): Promise<T> {
  const reply = await ask<T>(path);
  if (reply.status >= 400 || reply.data === null) throw new HttpFault(reply.status, reply.detail);
  return reply.data;
}

export function toLogin(next: string = location.pathname + location.search): void {
  location.assign(`/login/?next=${encodeURIComponent(next)}`);
}

function headers(options: Ask): Record<string, string> {
  const result: Record<string, string> = { Accept: "application/json", "Accept-Language": document.documentElement.lang };
  if (options.json !== undefined) result["Content-Type"] = "application/json";
  if (options.key) result["Idempotency-Key"] = options.key;
  const csrf = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  if (csrf && options.method && options.method !== "GET") result["X-CSRFToken"] = csrf;
  return result;
}

/** The server's own sentences: detail, then each named fault. */
function sentence(data: unknown): string {
  if (typeof data !== "object" || data === null) return "";
  const problem = data as { title?: string; detail?: unknown; errors?: { message?: string }[] };
  const parts = [typeof problem.detail === "string" ? problem.detail : (problem.title ?? "")];
  for (const fault of Array.isArray(problem.errors) ? problem.errors : []) if (fault.message) parts.push(fault.message);
  return [...new Set(parts.filter(Boolean))].join(" ");
}
