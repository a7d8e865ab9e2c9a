// Voice notes and spoken answers, with the browser's own tone for a voice.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FakeSpeech, HEARD } from "./fake_speech.ts";
import { Person, assertSoon, closeBrowser } from "./people.ts";
import { System } from "./system.ts";

let speech: FakeSpeech;
let system: System;
before(async () => {
  speech = await FakeSpeech.start();
  system = await System.start({
    MICROCOS_STT_PROVIDER: "openai",
    MICROCOS_TTS_PROVIDER: "openai",
    MICROCOS_SPEECH_BASE_URL: speech.url,
  });
});
after(async () => {
  await closeBrowser();
  await system.close();
  speech.close();
});

const record = (person: Person) => person.page.getByRole("button", { name: "Record a voice note" });
const send = (person: Person) => person.page.getByRole("button", { name: "Send recording" });

test("words show while they are spoken, and become a message that is answered", async () => {
  const person = await Person.loggedIn(system, "speaker", { permissions: ["microphone"] });
  // All that it ever said: it is gone as soon as the utterance has ended, be anybody looking or not.
  await person.page.evaluate(() => {
    const kept = window as unknown as { transcripts: string[] };
    kept.transcripts = [];
    new MutationObserver(() => {
      kept.transcripts.push(document.querySelector(".transcript")?.textContent ?? "");
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  const shown = () => person.page.evaluate(() => (window as unknown as { transcripts: string[] }).transcripts);
  await record(person).click();
  await assertSoon(async () => assert.ok((await shown()).some((text) => text.includes(HEARD))));
  await person.shot("voice");
  // The tone may have ended the utterance by a silence of its own.
  if (await send(person).isVisible())
    await send(person)
      .click({ timeout: 2_000 })
      .catch(() => undefined);
  await person.page.locator(".message.user", { hasText: HEARD }).waitFor();
  assert.match(await person.answered(), /JFK/);
  await assertSoon(async () => assert.equal(await record(person).isVisible(), true));
  assert.equal(await person.page.locator(".message.user").count(), 1);
  await person.leave();
});

test("where no socket is to be had, the recording is uploaded", async () => {
  const person = await Person.loggedIn(system, "uploader", { permissions: ["microphone"] });
  await person.page.route("**/api/v1/stream/ticket", (route) => route.abort());
  const recorded = await person.countRecorded();
  await record(person).click();
  await person.page.getByText("Listening …").waitFor();
  await recorded(1.2);
  await send(person).click();
  await person.page.locator(".message.user", { hasText: HEARD }).waitFor();
  await person.answered();
  assert.equal(await person.page.locator(".message.user").count(), 1);
  await person.leave(/ERR_FAILED/);
});

test("a recording that is as long as it may be is sent, and says so", async () => {
  const person = await Person.loggedIn(system, "talker", { permissions: ["microphone"] });
  await person.page.route("**/api/v1/stream/ticket", (route) => route.abort());
  // Each tenth of a second counts as a minute, so that two of them are all that a recording takes.
  await person.page.evaluate(() => {
    window.AudioWorkletNode = class extends AudioWorkletNode {
      constructor(...given: ConstructorParameters<typeof AudioWorkletNode>) {
        super(...given);
        const { port } = this;
        Object.defineProperty(port, "onmessage", {
          set: (hear: (message: { data: Int16Array }) => void) => {
            port.addEventListener("message", () => hear({ data: new Int16Array(60 * 16_000).fill(1) }));
            port.start();
          },
        });
      }
    };
  });
  await record(person).click();
  await person.page.getByText("two minutes at most").waitFor();
  await person.page.locator(".message.user", { hasText: HEARD }).waitFor();
  await person.answered();
  assert.equal(await person.page.locator(".message.user").count(), 1);
  await person.leave(/ERR_FAILED/);
});

test("a recording that is called off leaves nothing, whatever was still on its way", async () => {
  const person = await Person.loggedIn(system, "shy", { permissions: ["microphone"] });
  await person.page.route("**/api/v1/stream/ticket", (route) => route.abort());
  await person.page.evaluate(() => {
    window.AudioWorkletNode = class extends AudioWorkletNode {
      constructor(...given: ConstructorParameters<typeof AudioWorkletNode>) {
        super(...given);
        Object.assign(window, { microphone: this.port });
      }
    };
  });
  await record(person).click();
  await person.page.getByRole("button", { name: "Cancel recording" }).click();
  await record(person).waitFor();
  await person.page.evaluate(() => {
    const { microphone } = window as unknown as { microphone: MessagePort };
    microphone.onmessage?.(new MessageEvent("message", { data: new Int16Array(121 * 16_000) }));
  });
  assert.equal(await record(person).isEnabled(), true);
  assert.equal(await person.page.locator(".transcript").count(), 0);
  assert.equal(await person.page.locator(".message").count(), 0);
  await person.leave(/ERR_FAILED/);
});

test("of two tabs only the one that was looked at last speaks", async () => {
  const person = await Person.loggedIn(system, "doubled");
  await person.page.getByText("doubled", { exact: true }).click();
  await person.page.getByLabel("Speak answers").check();
  const other = await person.context.newPage();
  person.watch(other);
  await other.addInitScript((token) => localStorage.setItem("microcos.login", token), system.token("doubled"));
  await other.goto(system.url);
  await other.getByRole("textbox", { name: "Write a message" }).waitFor();
  const tabs = [person.page, other];
  for (const tab of tabs) {
    await tab.evaluate(() => {
      const counted = window as unknown as { played: number };
      counted.played = 0;
      HTMLMediaElement.prototype.play = () => {
        counted.played += 1;
        return Promise.resolve();
      };
    });
  }
  const played = () =>
    Promise.all(tabs.map((tab) => tab.evaluate(() => (window as unknown as { played: number }).played)));
  await other.evaluate(() => window.dispatchEvent(new Event("focus")));
  await person.ask("Hello");
  for (const tab of tabs) await tab.getByRole("button", { name: /^(Listen|Stop listening)$/ }).waitFor();
  await assertSoon(async () => assert.deepEqual(await played(), [0, 1]));
  await person.page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await person.ask("Hello again");
  for (const tab of tabs) {
    const buttons = tab.getByRole("button", { name: /^(Listen|Stop listening)$/ });
    await assertSoon(async () => assert.equal(await buttons.count(), 2));
  }
  await assertSoon(async () => assert.deepEqual(await played(), [1, 1]));
  await person.leave();
});

test("who wishes for spoken answers hears them, and can hear them again", async () => {
  const person = await Person.loggedIn(system, "listener");
  await person.page.getByText("listener", { exact: true }).click();
  await person.page.getByLabel("Speak answers").check();
  await person.page.evaluate(() => {
    const counted = window as unknown as { played: number };
    counted.played = 0;
    HTMLMediaElement.prototype.play = () => {
      counted.played += 1;
      return Promise.resolve();
    };
  });
  await person.ask("Hello");
  const played = () => person.page.evaluate(() => (window as unknown as { played: number }).played);
  await assertSoon(async () => assert.equal(await played(), 1));
  await person.page.getByRole("button", { name: "Stop listening" }).click();
  await person.page.getByRole("button", { name: "Listen", exact: true }).click();
  await assertSoon(async () => assert.equal(await played(), 2));
  await person.page.getByRole("button", { name: "Stop listening" }).click();
  let speak: () => void = () => undefined;
  const maySpeak = new Promise<void>((done) => {
    speak = done;
  });
  await person.page.route("**/api/v1/message/*/audio", async (route) => {
    await maySpeak;
    await route.continue().catch(() => undefined); // nobody may wait for it any more
  });
  await person.page.getByRole("button", { name: "Listen", exact: true }).click();
  await person.page.getByRole("button", { name: "New conversation" }).first().click();
  await person.page.getByText("What can I take off your mind?").waitFor();
  speak();
  await person.ask("Hello again"); // is heard, and what was left behind is not
  await person.page.getByRole("button", { name: "Stop listening" }).waitFor();
  assert.equal(await played(), 3);
  await person.leave();
});

test("a microphone that may not be used is said", async () => {
  const person = await Person.loggedIn(system, "silent");
  await person.page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  });
  await record(person).click();
  await person.page.getByText("The microphone cannot be used.").waitFor();
  await person.leave();
});
