// The real system for the flows: `microcos dev` with its Postgres, NATS and roles, and a browser for each person.
import { type ChildProcess, spawn } from "node:child_process";
import { createHmac, randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");
const COMMAND = process.env.MICROCOS_COMMAND ?? join(ROOT, ".venv/bin/microcos");
const READY_MS = 180_000;
// A machine that stands still for a moment is no view that stands still, and no database without connections.
const PATIENT = { MICROCOS_MIN_VERSION_WAIT_SECONDS: "30", MICROCOS_DATABASE_WAIT_SECONDS: "30" };
// Below what the kernel takes for outgoing connections, so that a port is still free after a restart.
const [PORT_FIRST, PORT_COUNT] = [10_000, 3_000];

export class System {
  readonly url: string;
  readonly dataDir: string;
  private readonly environment: Record<string, string>;
  private child: ChildProcess | null = null;
  private output = "";

  private constructor(port: number, environment: Record<string, string>) {
    this.url = `http://127.0.0.1:${port}`;
    this.dataDir = mkdtempSync(join(tmpdir(), "microcos-web-"));
    this.environment = environment;
  }

  static async start(environment: Record<string, string> = {}): Promise<System> {
    const system = new System(await freePort(), environment);
    await system.up();
    return system;
  }

  /** Starts everything, on the data of before. */
  async up(): Promise<void> {
    this.output = "";
    const given = ["dev", "--port", new URL(this.url).port, "--data-dir", this.dataDir];
    // Under the launcher, which ends it with this process, whatever ends that.
    const launcher = ["-I", "-S", join(ROOT, "infra/embedded/launch.py"), String(process.pid), "15", "same", "--"];
    const child = spawn(join(dirname(COMMAND), "python"), [...launcher, COMMAND, ...given], {
      cwd: ROOT,
      env: { ...process.env, ...PATIENT, ...this.environment },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.child = child;
    child.stdout?.on("data", (data: Buffer) => {
      this.output += data.toString();
    });
    await this.told(/^dev\s+\| ready in/m);
  }

  /** Ends everything: as by Ctrl-C, or at once. */
  async down(signal: "SIGINT" | "SIGKILL" = "SIGINT"): Promise<void> {
    const child = this.child;
    if (child === null || hasEnded(child)) return;
    const gone = new Promise((done) => child.once("exit", done));
    child.kill(signal);
    await gone;
  }

  async close(): Promise<void> {
    await this.down();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** The single-use link that was printed at the start. */
  async loginLink(): Promise<string> {
    return (await this.told(/^log in\s+\| (\S+)$/m))[1] ?? "";
  }

  /** Kills one role where it stands; `dev` brings it back. Returns once it is. */
  async kill(role: "api" | "worker-1"): Promise<void> {
    const ready = new RegExp(`^${role}\\s+\\| ready \\(pid (\\d+)`, "gm");
    const pids = [...this.output.matchAll(ready)];
    process.kill(Number(pids.at(-1)?.[1]), "SIGKILL");
    await this.until(() => [...this.output.matchAll(ready)].length > pids.length);
  }

  /** A development token, good for `seconds`. */
  token(user: string, seconds = 3_600): string {
    const secret = readFileSync(join(this.dataDir, "keys/auth_dev_secret"), "utf8").trim();
    const now = Math.floor(Date.now() / 1_000);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ sub: user, iat: now, exp: now + seconds })}`;
    return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
  }

  async call<T>(user: string, method: string, path: string, body?: object): Promise<T> {
    const headers = { authorization: `Bearer ${this.token(user)}`, "content-type": "application/json" };
    const answer = await fetch(this.url + path, { method, headers, body: body ? JSON.stringify(body) : null });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  private async told(what: RegExp): Promise<RegExpExecArray> {
    await this.until(() => what.test(this.output));
    return what.exec(this.output) as RegExpExecArray;
  }

  private async until(condition: () => boolean): Promise<void> {
    const end = Date.now() + READY_MS;
    while (!condition()) {
      if (Date.now() > end) throw new Error(`microcos dev is not ready:\n${this.output}`);
      if (this.child === null || hasEnded(this.child)) throw new Error(`microcos dev ended:\n${this.output}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_FIRST + randomInt(PORT_COUNT);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}
