// How this server wants its people to log in. Asked by whoever has no token.
import { Client } from "../live/client.ts";
import type { OidcConfig } from "./oidc.ts";

export interface LogInConfig {
  mode: "dev" | "oidc" | "token";
  oidc: OidcConfig | null;
}

export const stranger = new Client({
  token: () => null,
  renew: () => Promise.resolve(false),
  expire: () => undefined,
});

export const getConfig = () => stranger.json<LogInConfig>("/auth/config");
