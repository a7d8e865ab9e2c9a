// An OpenID Connect issuer with one user, who is always logged in: discovery, authorization code with PKCE, key set, and
// refresh tokens that are good once, for whoever asks for offline access.
import { createHash, createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { freePort } from "./system.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Issuer {
  readonly url: string;
  private readonly server: Server;
  /** How many refresh tokens were taken, and how many were refused. */
  readonly refreshed = { taken: 0, refused: 0 };
  /** Who is logged in, and for how long a token is good, from now on. */
  user = "anna";
  lifetimeSeconds = 600;
  private readonly challenges = new Map<string, string>();
  private readonly offline = new Set<string>();
  private refreshToken = "";

  private constructor(server: Server, port: number) {
    this.server = server;
    this.url = `http://127.0.0.1:${port}`;
    server.on("request", (request, response) => void this.answer(request, response));
  }

  static async start(): Promise<Issuer> {
    const port = await freePort();
    const server = createServer();
    const issuer = new Issuer(server, port);
    await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    return issuer;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    const json = (body: object, status = 200) =>
      response
        .writeHead(status, {
          "content-type": "application/json",
          "access-control-allow-origin": "*",
          "access-control-allow-headers": "*",
        })
        .end(JSON.stringify(body));
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return void json({
          issuer: this.url,
          authorization_endpoint: `${this.url}/authorize`,
          token_endpoint: `${this.url}/token`,
          jwks_uri: `${this.url}/keys`,
        });
      case "/keys":
        return void json({ keys: [{ ...publicKey.export({ format: "jwk" }), kid: "k1", use: "sig", alg: "RS256" }] });
      case "/authorize": {
        const code = randomUUID();
        this.challenges.set(code, url.searchParams.get("code_challenge") ?? "");
        if (/\boffline_access\b/.test(url.searchParams.get("scope") ?? "")) this.offline.add(code);
        const back = new URL(url.searchParams.get("redirect_uri") ?? "");
        back.search = new URLSearchParams({
          code,
          state: url.searchParams.get("state") ?? "",
          iss: this.url,
        }).toString();
        return void response.writeHead(302, { location: back.href }).end();
      }
      case "/token": {
        let body = "";
        for await (const piece of request) body += String(piece);
        const form = new URLSearchParams(body);
        if (form.get("grant_type") === "refresh_token") {
          const isGood = this.refreshToken !== "" && form.get("refresh_token") === this.refreshToken;
          this.refreshed[isGood ? "taken" : "refused"] += 1;
          return void (isGood ? json(this.grant(true)) : json({ error: "invalid_grant" }, 400));
        }
        const verified = createHash("sha256")
          .update(form.get("code_verifier") ?? "")
          .digest("base64url");
        const code = form.get("code") ?? "";
        const known = this.challenges.get(code);
        this.challenges.delete(code);
        if (verified !== known) return void json({ error: "invalid_grant" }, 400);
        return void json(this.grant(this.offline.delete(code)));
      }
      default:
        return void response.writeHead(404).end();
    }
  }

  /** Takes the refresh token back: the next renewal is refused. */
  revoke(): void {
    this.refreshToken = "";
  }

  private grant(isRenewable: boolean): object {
    this.refreshToken = isRenewable ? randomUUID() : "";
    return {
      token_type: "Bearer",
      access_token: "opaque-to-all-but-the-issuer",
      id_token: this.token(),
      ...(isRenewable ? { refresh_token: this.refreshToken } : {}),
    };
  }

  private token(): string {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: this.url,
      sub: this.user,
      aud: "microcos-web",
      iat: now,
      exp: now + this.lifetimeSeconds,
      jti: randomUUID(),
    };
    const signed = `${part({ alg: "RS256", kid: "k1", typ: "JWT" })}.${part(claims)}`;
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey).toString("base64url")}`;
  }
}
