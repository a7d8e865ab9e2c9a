// Who is logged in, in this browser: the token, kept where every tab sees it. Expiry keeps everything but the token.
export interface Login {
  token: string;
  userId: string;
  /** Unix seconds. */
  expiresAt: number;
}

const KEY = "microcos.login";
const listeners = new Set<() => void>();
let current: Login | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

/** The claims of a token, unverified: the server does that. Null for what is no token. */
export function readToken(token: string): Login | null {
  try {
    const part = token.split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; exp?: unknown };
    if (typeof claims.sub !== "string" || typeof claims.exp !== "number") return null;
    return { token, userId: claims.sub, expiresAt: claims.exp };
  } catch {
    return null;
  }
}

export function start(): void {
  take(stored());
  window.addEventListener("storage", (event) => {
    if (event.key === KEY || event.key === null) take(stored());
  });
}

function stored(): Login | null {
  return readToken(localStorage.getItem(KEY) ?? "");
}

function take(login: Login | null): void {
  current = login;
  clearTimeout(timer);
  if (login !== null) {
    const ms = login.expiresAt * 1_000 - Date.now();
    timer = setTimeout(tell, Math.min(Math.max(ms, 0), 2 ** 31 - 1));
  }
  tell();
}

function tell(): void {
  for (const listener of listeners) listener();
}

export function logIn(login: Login): void {
  localStorage.setItem(KEY, login.token);
  take(login);
}

/** Forgets the token and what this browser kept for the user; another tab follows. */
export function logOut(): void {
  for (const storage of [localStorage, sessionStorage]) {
    for (const key of Object.keys(storage)) {
      if (key.startsWith("microcos.") && !key.startsWith("microcos.taste.")) storage.removeItem(key);
    }
  }
  take(null);
}

/** The server will not take the token any more: as if its time were over. */
export function expire(): void {
  if (current !== null) take({ ...current, expiresAt: 0 });
}

export const login = (): Login | null => current;
export const isExpired = (found: Login): boolean => found.expiresAt * 1_000 <= Date.now();

/** For `useSyncExternalStore`: a text that changes when who is logged in does. */
export const stamp = (): string =>
  current === null ? "" : `${current.userId} ${current.token.length} ${current.expiresAt} ${isExpired(current)}`;

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
