// What streams: answers that grow, stop, are killed and go on; two tabs, two devices; no connection; time over.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Person, assertSoon, closeBrowser } from "./people.ts";
import { SlowModel, counted } from "./slow_model.ts";
import { System } from "./system.ts";

let model: SlowModel;
let system: System;
before(async () => {
  model = await SlowModel.start(40);
  system = await System.start({
    MICROCOS_LLM_PROVIDER: "openai",
    MICROCOS_LLM_BASE_URL: model.url,
    MICROCOS_LLM_MODEL: "slow",
    MICROCOS_LLM_TIMEOUT_SECONDS: "60", // it is silent while a test looks
  });
});
afterEach(() => {
  model.wordsMax = Number.POSITIVE_INFINITY;
});
after(async () => {
  await closeBrowser();
  await system.close();
  model.close();
});

const growing = (person: Person) => person.answers.last().locator(".markdown");

async function untilSays(person: Person, text: string): Promise<void> {
  await growing(person).getByText(text).waitFor();
}

test("an answer grows word by word, never backwards, and ends whole", async () => {
  const person = await Person.loggedIn(system, "reader");
  const seen: string[] = [];
  for (let words = 25; words <= 125; words += 25) {
    model.wordsMax = words;
    if (words === 25) await person.say("count to 150");
    await assertSoon(async () => {
      const text = await growing(person).innerText();
      if (text !== seen.at(-1)) seen.push(text);
      assert.equal(text, counted(words));
    });
  }
  model.wordsMax = Number.POSITIVE_INFINITY;
  for (const [index, text] of seen.entries()) assert.ok(text.startsWith(seen[index - 1] ?? ""), "it only grows");
  assert.equal(await person.answered(), counted(150));
  await person.shot("streamed");
  await person.leave();
});

test("stop keeps what was said; answering again replaces it", async () => {
  const person = await Person.loggedIn(system, "stopper");
  model.wordsMax = 20;
  await person.say("count to 400");
  await untilSays(person, "number-5 ");
  await person.page.getByRole("button", { name: "Stop", exact: true }).click();
  const stopped = await person.answered("stopped");
  assert.ok(counted(20).startsWith(stopped));
  await person.page.getByText("You stopped this answer.").waitFor();
  await person.page.getByRole("button", { name: "Answer again" }).click();
  await person.page.getByRole("button", { name: "Stop", exact: true }).waitFor();
  assert.equal(await person.answers.count(), 1, "the new answer stands in the place of the old one");
  await person.page.getByRole("button", { name: "Stop", exact: true }).click();
  await person.answered("stopped");
  await person.leave();
});

test("what was answered before stays as it is while a new answer runs", async () => {
  const person = await Person.loggedIn(system, "still");
  await person.ask("count to 3");
  const first = person.answers.first();
  const height = (await first.boundingBox())?.height;
  model.wordsMax = 50;
  await person.say("count to 100");
  await untilSays(person, "number-2 ");
  assert.equal((await first.boundingBox())?.height, height);
  const copy = first.getByRole("button", { name: "Copy" });
  await assertSoon(async () => {
    await copy.click(); // the mark goes away after a while
    assert.equal(await copy.evaluate((button) => getComputedStyle(button, "::after").content), '"✓"');
  });
  await person.leave(/clipboard/i);
});

test("Arabic begins at the right, words in a table stay whole, and a line ends where the model ended it", async () => {
  const person = await Person.loggedIn(system, "layout", { viewport: { width: 390, height: 800 } });
  const table =
    "| Departs | Arrives | Price | Airline | Remark |\n|-|-|-:|-|-|\n| 08:00 | 17:00 | 1,200.00 | Polaris | x |";
  await person.say(`say: # Plan\n\nمرحبا كيف حالك\n\n- البند الأول\n\nOne\nTwo\n\n${table}`);
  await person.answered();
  const answer = person.answers.last();
  const styleOf = (selector: string, name: string) =>
    answer.locator(selector).evaluate((found, property) => getComputedStyle(found).getPropertyValue(property), name);
  assert.equal(await styleOf("ul", "direction"), "rtl");
  const right = await answer.locator("p", { hasText: "مرحبا" }).evaluate((paragraph) => {
    const range = document.createRange();
    range.selectNodeContents(paragraph);
    return paragraph.getBoundingClientRect().right - range.getBoundingClientRect().right;
  });
  assert.ok(right < 2, `${right} from the right`);
  assert.equal(await answer.locator("p", { hasText: "One" }).innerText(), "One\nTwo");
  for (const word of ["Departs", "1,200.00"]) {
    const { height } = (await answer.getByText(word, { exact: true }).boundingBox()) ?? { height: 99 };
    assert.ok(height < 40, `${word} is one line, of ${height}`);
  }
  assert.ok(parseFloat(await styleOf(".heading", "font-size")) > 18, "a heading is larger than text");
  const width = await person.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(width <= 0, "the table scrolls, not the page");
  await person.shot("phone-layout");
  await person.leave();
});

test("messages sent while an answer runs are answered one by one", async () => {
  const person = await Person.loggedIn(system, "hasty");
  model.wordsMax = 50;
  await person.say("count to 100");
  await untilSays(person, "number-2 ");
  await person.say("count to 7");
  await person.page.getByText("Waiting for its turn").waitFor();
  model.wordsMax = Number.POSITIVE_INFINITY;
  await assertSoon(async () => assert.equal(await person.answers.last().locator(".markdown").innerText(), counted(7)));
  assert.deepEqual(await person.answers.locator(".markdown").allInnerTexts(), [counted(100), counted(7)]);
  await person.leave();
});

test("who leaves a conversation whose answer still runs is not read an older one", async () => {
  const person = await Person.loggedIn(system, "hearer");
  const announced = person.page.locator(".thread > .only-read[role=status]");
  const list = person.page.getByRole("navigation", { name: "Conversations" });
  await person.ask("count to 3");
  await assertSoon(async () => assert.equal((await announced.textContent())?.trim(), counted(3).trim()));
  await list.getByRole("button", { name: "New conversation" }).first().click();
  await person.page.getByText("What can I take off your mind?").waitFor();
  model.wordsMax = 50;
  await person.say("count to 100");
  await untilSays(person, "number-2 ");
  const before = await announced.textContent();
  await list.getByRole("button", { name: "Main conversation", exact: true }).click();
  await untilSays(person, counted(3).trim());
  await person.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.equal(await announced.textContent(), before);
  await person.leave();
});

for (const role of ["api", "worker-1"] as const) {
  test(`${role} killed in the middle of an answer: the text is whole and nothing is doubled`, async () => {
    const person = await Person.loggedIn(system, `killed-${role}`);
    await person.say("count to 150");
    await untilSays(person, "number-10 ");
    await system.kill(role);
    assert.equal(await person.answered(), counted(150));
    assert.equal(await person.answers.count(), 1);
    assert.equal(await person.page.locator(".message.user").count(), 1);
    await person.page.reload();
    assert.equal(await person.answered(), counted(150));
    await person.leave(/Failed to load resource|ERR_/);
  });
}

test("everything killed and started again: the page goes on by itself", async () => {
  const person = await Person.loggedIn(system, "patient");
  await person.say("count to 150");
  await untilSays(person, "number-10 ");
  await system.down("SIGKILL");
  await person.page.locator(".banner[data-link=away]").waitFor();
  await person.say("count to 5");
  await person.page.getByText("Waiting for a connection").waitFor();
  await person.shot("offline");
  await system.up();
  await assertSoon(async () =>
    assert.deepEqual(await person.answers.locator(".markdown").allInnerTexts(), [counted(150), counted(5)]),
  );
  assert.equal(await person.page.locator(".message.user").count(), 2);
  await person.leave(/Failed to load resource|ERR_/);
});

test("two tabs and another device show the same while it happens", async () => {
  const person = await Person.loggedIn(system, "everywhere");
  const tab = await person.context.newPage();
  person.watch(tab);
  await tab.goto(system.url);
  const phone = await Person.loggedIn(system, "everywhere", { viewport: { width: 390, height: 800 } });
  await tab.getByText("What can I take off your mind?").waitFor();
  await person.say("count to 40");
  for (const page of [tab, phone.page]) await page.locator(".markdown", { hasText: "number-3 " }).waitFor();
  await person.answered();
  for (const page of [tab, phone.page]) {
    await page.locator(".message.assistant[data-status=completed]").waitFor();
    assert.equal(await page.locator(".markdown").innerText(), counted(40));
    assert.equal(await page.locator(".message").count(), 2);
  }
  await phone.leave();
  await person.leave();
});

test("a stream that cannot be continued is begun anew, and nothing is doubled or lost", async () => {
  const person = await Person.loggedIn(system, "restored");
  await person.say("count to 3");
  await person.answered();
  let resets = 0;
  await person.page.route("**/api/v1/stream/*", async (route) => {
    resets += 1;
    if (resets > 1) return route.continue();
    const frame = { type: "stream.reset", version: 1, text: "" };
    const body = `event: stream.reset\ndata: ${JSON.stringify(frame)}\n\n`;
    return route.fulfill({ contentType: "text/event-stream", body });
  });
  const began = person.page.waitForResponse((response) => response.url().endsWith("/api/v1/sessions"));
  await person.page.evaluate(() => window.dispatchEvent(new Event("online"))); // opens the stream again
  await began;
  await person.say("count to 40");
  await assertSoon(async () =>
    assert.deepEqual(await person.answers.locator(".markdown").allInnerTexts(), [counted(3), counted(40)]),
  );
  assert.equal(await person.page.locator(".message.user").count(), 2);
  await person.leave();
});

test("without a network messages wait, and each arrives once", async () => {
  const person = await Person.loggedIn(system, "traveller");
  await person.context.setOffline(true);
  await person.say("count to 2");
  await person.say("count to 4");
  await person.page.getByText("Waiting to be sent: 2").waitFor();
  const other = await person.context.newPage(); // has the same outbox, and sends it too
  person.watch(other);
  await person.context.setOffline(false);
  await other.goto(system.url);
  await assertSoon(async () =>
    assert.deepEqual(await person.answers.locator(".markdown").allInnerTexts(), [counted(2), counted(4)]),
  );
  await assertSoon(async () => assert.equal(await person.page.locator(".message.user").count(), 2));
  // Each page lets go of a message when its own stream has shown it.
  await assertSoon(async () =>
    assert.equal(await person.page.evaluate(() => localStorage.getItem("microcos.outbox.traveller")), null),
  );
  await person.leave(/ERR_INTERNET_DISCONNECTED/);
});

test("a draft outlives a log-in whose time is over", async () => {
  const person = await Person.come();
  await person.page.goto(system.url);
  await person.page.getByLabel(/Log-in link/).fill(system.token("late", 6));
  await person.page.getByRole("button", { name: "Log in" }).click();
  await person.box.fill("What I meant to say");
  await person.page.getByText("Your log-in is over").waitFor();
  await person.page.getByRole("link", { name: "Log in again" }).click();
  await person.page.getByLabel(/Log-in link/).fill(system.token("late"));
  await person.page.getByRole("button", { name: "Log in" }).click();
  await assertSoon(async () => assert.equal(await person.box.inputValue(), "What I meant to say"));
  await person.box.press("Enter");
  await person.answered();
  await person.leave(/401/);
});
