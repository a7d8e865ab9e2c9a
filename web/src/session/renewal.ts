// Keeps a log-in going: asks the issuer for a newer token shortly before the time is over, or when the server refuses
// the one that there is. The page goes on with it as if nothing had happened.
import { Away, type Bearer } from "../live/client.ts";
import { getConfig } from "./config.ts";
import { refreshOidc } from "./oidc.ts";
import { expire, logIn, login, reread, subscribe } from "./token.ts";

const EARLY_MS = 60_000;
const PAUSE_MS = 5_000; // at least: with a clock that is wrong every token looks old
const TIMER_MS_MAX = 2 ** 31 - 1;

/** For the requests of one user: whoever logs in after them in this browser lends them no token. */
export function bearerOf(userId: string): Bearer {
  const isHere = () => login()?.userId === userId;
  return {
    token: () => (isHere() ? (login()?.token ?? null) : null),
    renew: async (refused) => isHere() && (await renew(refused)) && isHere(),
    expire: () => {
      if (isHere()) expire();
    },
  };
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** To be called once, before anybody is logged in. */
export function startRenewal(): void {
  subscribe(() => {
    clearTimeout(timer);
    const found = login();
    if (found === null || found.refreshToken === null) return;
    const left = found.expiresAt * 1_000 - Date.now();
    const wait = Math.max(PAUSE_MS, left - EARLY_MS, left * 0.8);
    // Not answered: the token is still good, and its refusal asks again.
    timer = setTimeout(() => void renew(found.token).catch(() => undefined), Math.min(wait, TIMER_MS_MAX));
  });
}

/** Whether there is another token than this one, which is refused or soon will be. If not, the log-in is over. Rejects
 * with `Away` when nobody can tell. */
async function renew(refused: string): Promise<boolean> {
  if (login()?.refreshToken != null) {
    // One tab at a time, and the others take what it got: an issuer may take each refresh token once.
    await navigator.locks.request("microcos.refresh", () => exchange(refused));
  }
  const found = login();
  if (found !== null && found.token !== refused) return true;
  expire();
  return false;
}

async function exchange(refused: string): Promise<void> {
  reread();
  const before = login();
  if (before === null || before.token !== refused || before.refreshToken === null) return;
  try {
    const { oidc } = await getConfig();
    if (oidc === null) return;
    const renewed = await refreshOidc(oidc, before.refreshToken);
    reread();
    // Somebody may have logged out meanwhile, also in another tab; and an issuer that answers for another user is not
    // to be followed.
    if (login()?.token === refused && renewed.userId === before.userId) logIn(renewed);
  } catch (error) {
    if (error instanceof Away) throw error;
  }
}
