// An OpenID Connect issuer with one user, who is always logged in: discovery, authorization code with PKCE, key set.
import { createHash, createSign, generateKeyPairSync, randomUUID } from "node:crypto";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { freePort } from "./system.ts";

const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class Issuer {
  readonly url: string;
  private readonly server: Server;
  private readonly challenges = new Map<string, string>();

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
        const verified = createHash("sha256")
          .update(form.get("code_verifier") ?? "")
          .digest("base64url");
        const known = this.challenges.get(form.get("code") ?? "");
        this.challenges.delete(form.get("code") ?? "");
        if (verified !== known) return void json({ error: "invalid_grant" }, 400);
        return void json({
          token_type: "Bearer",
          access_token: "opaque-to-all-but-the-issuer",
          id_token: this.token(),
        });
      }
      default:
        return void response.writeHead(404).end();
    }
  }

  private token(): string {
    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: this.url, sub: "anna", aud: "microcos-web", iat: now, exp: now + 600 };
    const signed = `${part({ alg: "RS256", kid: "k1", typ: "JWT" })}.${part(claims)}`;
    return `${signed}.${createSign("RSA-SHA256").update(signed).sign(privateKey).toString("base64url")}`;
  }
}
