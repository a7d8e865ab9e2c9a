// Who is logged in, in this browser: the token and what renews it, kept where every tab sees them. When the time is
// over everything else stays.
import { everywhere, here } from "./storage.ts";

export interface Login {
  token: string;
  userId: string;
  /** Unix seconds. */
  expiresAt: number;
  /** Good for a newer token at the issuer; null where it gave none. */
  refreshToken: string | null;
}

export type Farewell = "erased";

const KEY = "microcos.login";
const REFRESH_KEY = "microcos.refresh";
const listeners = new Set<() => void>();
let current: Login | null = null;
let era = 0;
let said: Farewell | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;

/** The claims of a token, unverified: the server does that. Null for what is no token. */
export function readToken(token: string): Login | null {
  try {
    const part = token.split(".")[1] ?? "";
    const bytes = Uint8Array.from(atob(part.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown; exp?: unknown };
    if (typeof claims.sub !== "string" || typeof claims.exp !== "number") return null;
    return { token, userId: claims.sub, expiresAt: claims.exp, refreshToken: null };
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
  const found = readToken(everywhere.getItem(KEY) ?? "");
  return found && { ...found, refreshToken: everywhere.getItem(REFRESH_KEY) };
}

function take(login: Login | null): void {
  const goesOn = current !== null && current.userId === login?.userId && !isExpired(current);
  if (!goesOn) era += 1;
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

/** Also with a newer token of the same user. */
export function logIn(login: Login): void {
  keepRefreshToken(login.refreshToken);
  everywhere.setItem(KEY, login.token);
  said = null;
  take(login);
}

function keepRefreshToken(refreshToken: string | null): void {
  if (refreshToken === null) everywhere.removeItem(REFRESH_KEY);
  else everywhere.setItem(REFRESH_KEY, refreshToken);
}

/** Looks whether another tab has a newer token, of which this one may not have been told yet. */
export function reread(): void {
  const found = stored();
  if (found?.token !== current?.token) take(found);
}

/** Forgets the token and what this browser kept for the user; another tab follows. */
export function logOut(why: Farewell | null = null): void {
  said = why;
  for (const kept of [everywhere, here]) {
    kept.forget((key) => key.startsWith("microcos.") && !key.startsWith("microcos.taste."));
  }
  take(null);
}

/** The token will not be taken any more, and there is no newer one: as if its time were over. */
export function expire(): void {
  keepRefreshToken(null);
  if (current !== null) take({ ...current, expiresAt: 0, refreshToken: null });
}

export const login = (): Login | null => current;
/** Why there is no log-in any more, where that has to be said. */
export const farewell = (): Farewell | null => said;
/** Changes with every log-in, and not when a token is renewed: what was begun with the old one goes on. */
export const logInEra = (): number => era;
/** Only a log-in helps: what can be renewed is not over. */
export const isExpired = (found: Login): boolean =>
  found.refreshToken === null && found.expiresAt * 1_000 <= Date.now();

/** For `useSyncExternalStore`: a text that changes when who is logged in does. */
export const stamp = (): string =>
  current === null ? "" : `${current.userId} ${current.token.length} ${current.expiresAt} ${isExpired(current)}`;

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
