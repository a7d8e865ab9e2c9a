// Somebody with a browser. What their console says is kept: it must stay clean.
import assert from "node:assert/strict";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, afterEach } from "node:test";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Locator,
  type Page,
  chromium,
} from "playwright-core";
import { VOICE } from "./fake_speech.ts";
import type { System } from "./system.ts";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const RESULTS = join(import.meta.dirname, "../e2e-results");
const TIME_ZONE = "Europe/Berlin";
const VOICE_FILE = join(tmpdir(), `microcos-voice-${process.pid}.wav`);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const WAIT_MS = 60_000; // for a machine that has other things to do
const BUSY = /status of 503/; // a busy server says so, and the page asks again; it is the browser that complains

/** The day that everybody's clock shows, which is not the one in UTC just before midnight. */
export const today = (): string => new Date().toLocaleDateString("sv-SE", { timeZone: TIME_ZONE });

/** Who has not left yet. */
const present = new Set<Person>();
let browser: Promise<Browser> | null = null;

function openBrowser(): Promise<Browser> {
  if (browser === null) writeFileSync(VOICE_FILE, VOICE);
  browser ??= chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
      ...["--disable-component-update", "--disable-sync"],
      ...["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
      `--use-file-for-fake-audio-capture=${VOICE_FILE}`,
    ],
  });
  return browser;
}

export async function closeBrowser(): Promise<void> {
  await (await browser)?.close();
  rmSync(VOICE_FILE, { force: true });
}

export class Person {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly complaints: string[] = [];

  private constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    this.watch(page);
    present.add(this);
  }

  /** A new browser context that nobody has logged in to. */
  static async come(options: BrowserContextOptions = {}): Promise<Person> {
    const context = await (
      await openBrowser()
    ).newContext({
      viewport: { width: 1280, height: 800 },
      locale: "en-GB",
      timezoneId: TIME_ZONE,
      reducedMotion: "reduce",
      ...options,
    });
    context.setDefaultTimeout(WAIT_MS);
    return new Person(context, await context.newPage());
  }

  /** One who is logged in and looks at the chat. */
  static async loggedIn(system: System, user: string, options: BrowserContextOptions = {}): Promise<Person> {
    const person = await Person.come(options);
    await person.page.addInitScript((token) => {
      if (localStorage.getItem("microcos.login") === null) localStorage.setItem("microcos.login", token);
    }, system.token(user));
    await person.page.goto(system.url);
    await person.box.waitFor();
    return person;
  }

  watch(page: Page): void {
    page.on("pageerror", (error) => this.complaints.push(`error: ${error.message}`));
    page.on("console", (line) => {
      if (line.type() === "error" || line.type() === "warning") this.complaints.push(`console: ${line.text()}`);
    });
  }

  get box(): Locator {
    return this.page.getByRole("textbox", { name: /Write a message|Nachricht schreiben/ });
  }

  get answers(): Locator {
    return this.page.locator(".message.assistant");
  }

  async say(text: string): Promise<void> {
    await this.box.fill(text);
    await this.box.press("Enter");
  }

  /** Waits for the answer to what was said last to end, and gives its text. */
  async answered(status = "completed"): Promise<string> {
    const last = this.answers.last();
    await this.page.locator(`.message.assistant[data-status="${status}"]`).last().waitFor();
    await assertSoon(async () => assert.equal(await last.getAttribute("data-status"), status));
    return last.locator(".markdown").innerText();
  }

  async ask(text: string): Promise<string> {
    const before = await this.answers.count();
    await this.say(text);
    await assertSoon(async () => assert.equal(await this.answers.count(), before + 1));
    return this.answered();
  }

  async openPanel(name: string): Promise<Locator> {
    await this.page.getByRole("button", { name, exact: true }).click();
    return this.page.getByRole("complementary", { name });
  }

  /** To be called before a recording. Gives what waits until so much of it is there: it comes in tenths of a second. */
  async countRecorded(): Promise<(seconds: number) => Promise<void>> {
    await this.page.evaluate(() => {
      const counted = window as unknown as { chunks: number };
      counted.chunks = 0;
      window.AudioWorkletNode = class extends AudioWorkletNode {
        constructor(...given: ConstructorParameters<typeof AudioWorkletNode>) {
          super(...given);
          this.port.addEventListener("message", () => {
            counted.chunks += 1;
          });
        }
      };
    });
    const chunks = () => this.page.evaluate(() => (window as unknown as { chunks: number }).chunks);
    return (seconds) => assertSoon(async () => assert.ok((await chunks()) >= seconds * 10, "something was recorded"));
  }

  async shot(name: string): Promise<void> {
    await this.page.screenshot({ path: join(RESULTS, `${name}.png`) });
  }

  /** Puts down what every page of this person shows, and what it complained about. */
  async witness(name: string): Promise<void> {
    for (const [index, page] of this.context.pages().entries()) {
      const path = join(RESULTS, `failed-${name}-${index}`);
      await page.screenshot({ path: `${path}.png` });
      writeFileSync(`${path}.txt`, `${page.url()}\n${this.complaints.join("\n")}\n`);
    }
  }

  /** Every finding of axe on the page as it stands. */
  async axe(): Promise<string[]> {
    await this.page.evaluate(AXE);
    return this.page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      const { violations } = await axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
    });
  }

  async close(): Promise<void> {
    present.delete(this);
    await this.context.close();
  }

  /** To be called last: the console is clean, but for what `allowed` matches. */
  async leave(allowed: RegExp = /^$/): Promise<void> {
    await this.close();
    assert.deepEqual(
      this.complaints.filter((line) => !allowed.test(line) && !BUSY.test(line)),
      [],
    );
  }
}

// Whoever is still there when a test ends is there because it failed: they would go on, and disturb the next one.
afterEach(async (context) => {
  const { name, passed } = context as TestContext & { passed: boolean };
  for (const person of [...present].reverse()) {
    if (!passed) await person.witness(name.replace(/\W+/g, "-").slice(0, 60));
    await person.close();
  }
});

/** Looks again until the assertion holds. */
export async function assertSoon(assertion: () => Promise<void>): Promise<void> {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
