// Log-in at any OpenID Connect issuer: authorization code with PKCE (RFC 7636), no secret and no library. The token is
// judged by the API, not here.
import { Away } from "../live/client.ts";
import { record, text } from "../live/read.ts";
import { type Login, readToken } from "./token.ts";

export interface OidcConfig {
  issuer: string;
  clientId: string;
  scope: string;
  audience: string | null;
}

const KEY = "microcos.oidc";

interface Attempt {
  state: string;
  verifier: string;
}

interface Endpoints {
  authorization: string;
  token: string;
}

export const redirectUri = (): string => `${window.location.origin}/login`;

/** Leaves the page, with nobody logged in yet. Rejects when the issuer cannot be asked. */
export async function beginOidc(config: OidcConfig): Promise<null> {
  const endpoints = await discover(config.issuer);
  const attempt: Attempt = { state: random(), verifier: random() };
  sessionStorage.setItem(KEY, JSON.stringify(attempt));
  const query = new URLSearchParams({
    response_type: "code",
    client_id: config.clientId,
    redirect_uri: redirectUri(),
    scope: config.scope,
    state: attempt.state,
    code_challenge: await challenge(attempt.verifier),
    code_challenge_method: "S256",
  });
  if (config.audience !== null) query.set("audience", config.audience);
  const separator = endpoints.authorization.includes("?") ? "&" : "?";
  window.location.assign(`${endpoints.authorization}${separator}${query}`);
  return null;
}

/** Ends what `beginOidc` began, with the query that the issuer sent back. Rejects with a sentence for people. */
export async function finishOidc(config: OidcConfig, query: URLSearchParams): Promise<Login> {
  const attempt = JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Partial<Attempt>;
  sessionStorage.removeItem(KEY);
  const refusal = query.get("error");
  if (refusal !== null) throw new Error(query.get("error_description") ?? refusal);
  const { state, verifier } = attempt;
  if (state === undefined || verifier === undefined || state !== query.get("state")) {
    throw new Error("The log-in was not begun in this tab.");
  }
  const endpoints = await discover(config.issuer);
  const body = new URLSearchParams({
    grant_type: "authorization_code",
    code: query.get("code") ?? "",
    redirect_uri: redirectUri(),
    client_id: config.clientId,
    code_verifier: verifier,
  });
  return fetchTokens(endpoints, body);
}

/** A newer token for the same user. Rejects with `Away` when the issuer does not answer, before the refresh token was
 * sent; whatever happens after that, it may be spent. */
export async function refreshOidc(config: OidcConfig, refreshToken: string): Promise<Login> {
  const endpoints = await discover(config.issuer);
  const body = new URLSearchParams({
    grant_type: "refresh_token",
    refresh_token: refreshToken,
    client_id: config.clientId,
  });
  try {
    const login = await fetchTokens(endpoints, body);
    return { ...login, refreshToken: login.refreshToken ?? refreshToken }; // none in the answer: the old one stays good
  } catch (error) {
    if (error instanceof Away) throw new Error("The issuer broke off.");
    throw error;
  }
}

async function fetchTokens(endpoints: Endpoints, body: URLSearchParams): Promise<Login> {
  const answer = record(await fetchJson(endpoints.token, { method: "POST", body }));
  // An access token that is opaque is for the issuer alone; then the id token says who this is.
  const login = readToken(text(answer.access_token)) ?? readToken(text(answer.id_token));
  if (login === null) throw new Error("The issuer sent no token that can be used here.");
  return { ...login, refreshToken: text(answer.refresh_token) || null };
}

async function discover(issuer: string): Promise<Endpoints> {
  const found = record(await fetchJson(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {}));
  const endpoints = { authorization: text(found.authorization_endpoint), token: text(found.token_endpoint) };
  if (text(found.issuer).replace(/\/$/, "") !== issuer.replace(/\/$/, "") || !endpoints.token) {
    throw new Error("The issuer does not describe itself as it should.");
  }
  return endpoints;
}

async function fetchJson(url: string, ask: RequestInit): Promise<unknown> {
  const headers = { accept: "application/json" };
  const response = await fetch(url, { ...ask, credentials: "omit", headers }).catch(() => {
    throw new Away();
  });
  if (response.status >= 500 || response.status === 429) throw new Away();
  if (!response.ok) throw new Error(`The issuer answered ${response.status}.`);
  return response.json();
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

async function challenge(verifier: string): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier))));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
}
