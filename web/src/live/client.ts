// HTTP as this API speaks it: bearer token, idempotency keys, problems. It knows no route.
import { number, record, text } from "./read.ts";

/** The server's answer was a refusal; `code` is stable, `detail` is for people (English). */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly retryAfterSeconds: number | null;

  constructor(status: number, code: string, detail: string, retryAfterSeconds: number | null) {
    super(detail);
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** Whether the same request, sent again later, may be answered otherwise. */
  get isPassing(): boolean {
    return this.status >= 500 || this.status === 429 || this.status === 408 || this.code === "request_running";
  }
}

/** No answer came: the network or the server is away. Nobody knows whether the request arrived. */
export class Away extends Error {}

export interface Ask {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  /** Sent as it is, with its own content type. */
  form?: FormData;
  /** The body as it is, under the type that the server wants. */
  file?: Blob;
  fileType?: string;
  key?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** Whose requests these are. */
export interface Bearer {
  token(): string | null;
  /** Whether there is another token than the one that was refused. Rejects with `Away` when nobody can tell. */
  renew(refused: string): Promise<boolean>;
  expire(): void;
}

export class Client {
  readonly bearer: Bearer;

  constructor(bearer: Bearer) {
    this.bearer = bearer;
  }

  /** Throws `Problem` for a refusal and `Away` when nothing answered. */
  async send(path: string, ask: Ask = {}): Promise<Response> {
    const token = this.bearer.token();
    let response = await fetchAs(token, path, ask);
    if (response.status === 401 && token !== null && (await this.bearer.renew(token))) {
      response = await fetchAs(this.bearer.token(), path, ask);
      if (response.status === 401) this.bearer.expire();
    }
    if (response.ok) return response;
    throw await problemOf(response);
  }

  async json<T>(path: string, ask: Ask = {}): Promise<T> {
    const response = await this.send(path, ask);
    try {
      return (await response.json()) as T;
    } catch {
      throw new Away(); // cut off in the middle
    }
  }
}

async function fetchAs(token: string | null, path: string, ask: Ask): Promise<Response> {
  const headers: Record<string, string> = { ...ask.headers };
  if (token !== null) headers.authorization = `Bearer ${token}`;
  if (ask.key !== undefined) headers["idempotency-key"] = ask.key;
  if (ask.body !== undefined) headers["content-type"] = "application/json";
  if (ask.fileType !== undefined) headers["content-type"] = ask.fileType;
  const body = ask.file ?? ask.form ?? (ask.body === undefined ? null : JSON.stringify(ask.body));
  try {
    const { method = "GET", signal = null } = ask;
    return await fetch(path, { method, headers, body, signal, credentials: "omit", redirect: "error" });
  } catch (error) {
    if (ask.signal?.aborted) throw error;
    throw new Away();
  }
}

async function problemOf(response: Response): Promise<Problem> {
  const body = record(await response.json().catch(() => null));
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new Problem(
    number(body.status) || response.status,
    text(body.code) || `http_${response.status}`,
    text(body.detail) || response.statusText,
    Number.isFinite(seconds) ? seconds : null,
  );
}
