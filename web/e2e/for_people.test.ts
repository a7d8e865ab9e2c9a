// For everybody: keyboard, screen readers, contrast, dark and light, a phone, German; and what stops an answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { BrowserContextOptions } from "playwright-core";
import { Person, assertSoon, closeBrowser, today } from "./people.ts";
import { System } from "./system.ts";

const PANELS = ["Today", "Tasks", "Calendar", "Trips", "Memory"];
let system: System;
before(async () => {
  system = await System.start({ MICROCOS_LIMIT_TOKENS_PER_DAY: "3000", MICROCOS_LIMIT_FLIGHT_SEARCHES_PER_DAY: "1" });
  const day = today();
  await system.call("seen", "POST", "/api/v1/memory/pin", {
    type: "preference",
    key: "favorite_airport",
    value: "JFK",
  });
  await system.call("seen", "PUT", `/api/v1/plan/${day}`, {
    priorities: ["Send budget"],
    todos: ["Pack"],
    notes: ["Breathe."],
  });
  await system.call("seen", "POST", "/api/v1/tasks", {
    action: "create",
    task: { title: "Send budget", due: day, tags: ["finance"] },
  });
  await system.call("seen", "POST", "/api/v1/notes", { id: "note_1", title: "Budget", text: "12k for travel" });
  const text = "Remind me to call John tomorrow at 5pm";
  await system.call("seen", "POST", "/api/v1/message", { channel: "chat", text });
  await system.call("seen", "POST", "/api/v1/message", {
    channel: "chat",
    text: "Remind me to call Ada tomorrow at 6pm",
  });
});
after(async () => {
  await closeBrowser();
  await system.close();
});

const LOOKS: [string, BrowserContextOptions][] = [
  ["light", { colorScheme: "light" }],
  ["dark", { colorScheme: "dark" }],
  ["phone", { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true }],
];

for (const [name, options] of LOOKS) {
  test(`axe finds nothing in the ${name} page, with each panel`, async () => {
    const person = await Person.loggedIn(system, "seen", options);
    await person.answers.last().locator(".card").getByText("call Ada").waitFor();
    assert.deepEqual(await person.axe(), []);
    for (const panel of PANELS) {
      const opened = await person.openPanel(panel);
      await opened.waitFor();
      await assertSoon(async () => assert.equal(await opened.getByText("Loading …").count(), 0));
      assert.deepEqual(await person.axe(), [], panel);
      await person.shot(`${name}-${panel.toLowerCase()}`);
      if (name === "phone") await person.page.getByRole("button", { name: "Close panel" }).click();
    }
    const width = await person.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(width <= 0, `nothing is wider than the page, by ${width}`);
    await person.shot(name);
    await person.leave();
  });
}

test("axe finds nothing at the log-in, and how soon it paints is told", async () => {
  const person = await Person.come();
  await person.page.goto(`${system.url}/login`);
  await person.page.getByRole("button", { name: "Log in" }).waitFor();
  assert.deepEqual(await person.axe(), []);
  await person.page.reload(); // warm
  await person.page.getByRole("button", { name: "Log in" }).waitFor();
  const paints = await person.page.evaluate(() =>
    performance.getEntriesByType("paint").map((paint) => paint.startTime),
  );
  console.log(`first paint after ${Math.min(...paints).toFixed(0)} ms`);
  await person.shot("login");
  await person.leave();
});

test("the keyboard reaches everything that the mouse does", async () => {
  const person = await Person.loggedIn(system, "typist");
  const { page } = person;
  await assertSoon(async () => assert.equal(await person.box.evaluate((box) => box === document.activeElement), true));
  await page.keyboard.type("Hello");
  await page.keyboard.press("Enter");
  await person.answered();
  const reached = new Set<string>();
  for (let steps = 0; steps < 60; steps += 1) {
    await page.keyboard.press("Tab");
    reached.add(
      await page.evaluate(
        () => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent?.trim() ?? "",
      ),
    );
  }
  for (const name of [
    "Search",
    "New conversation",
    "Today",
    "Tasks",
    "Memory",
    "Copy",
    "Answer again",
    "Write a message",
    "Attach a text file",
  ]) {
    assert.ok(reached.has(name), `${name} is reached by Tab`);
  }
  await page.getByRole("button", { name: "Tasks", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("New task").focus();
  await page.keyboard.press("Escape");
  await assertSoon(async () => assert.equal(await page.getByRole("complementary").count(), 0));
  await person.leave();
});

test("a phone has its menu, its panels and its chat", async () => {
  const person = await Person.loggedIn(system, "walker", {
    viewport: { width: 390, height: 800 },
    isMobile: true,
    hasTouch: true,
  });
  const { page } = person;
  const menu = page.getByRole("navigation", { name: "Conversations" });
  assert.equal(await menu.isVisible(), false);
  await page.getByRole("button", { name: "Open menu" }).click();
  await menu.getByRole("button", { name: "New conversation" }).first().click();
  await assertSoon(async () => assert.equal(await menu.isVisible(), false));
  await person.box.fill("Hello");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await person.answered();
  await person.shot("phone-chat");
  await person.leave();
});

test("German is spoken by whoever's browser does, and can be chosen", async () => {
  const person = await Person.loggedIn(system, "deutsch", { locale: "de-DE" });
  await person.page.getByText("Was darf ich dir abnehmen?").waitFor();
  assert.equal(await person.page.evaluate(() => document.documentElement.lang), "de");
  assert.deepEqual(await person.axe(), []);
  await person.shot("german");
  await person.page.getByText("deutsch", { exact: true }).click();
  await person.page.getByLabel("Sprache").selectOption("en");
  await person.page.getByText("What can I take off your mind?").waitFor();
  await person.page.getByLabel("Colours").selectOption("dark");
  await person.page.reload();
  await person.page.getByText("What can I take off your mind?").waitFor();
  const ground = await person.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(ground, "rgb(23, 26, 24)", "the chosen colours stay");
  await person.leave();
});

test("the day's budget is shown, and said when it stops an answer", async () => {
  const person = await Person.loggedIn(system, "spender");
  await person.page.getByText(/of 3,000 tokens today/).waitFor();
  for (let times = 0; times < 20 && (await person.page.getByText(/budget is spent/).count()) === 0; times += 1) {
    await person.ask("Tell me about the weather");
  }
  await person.page.getByText(/Today’s token budget is spent/).waitFor();
  await person.shot("budget");
  await person.leave();
});

test("the last flight search of the day is said beforehand, and the one after it is refused", async () => {
  const person = await Person.loggedIn(system, "searcher");
  await person.ask("Find me flights from New York to Boston next week");
  await person.page.getByText("Nearly spent: 1 of 1 flight searches.").waitFor();
  await person.page.getByText("1 of 1 flight searches", { exact: true }).waitFor();
  assert.match(await person.ask("Find me flights from Boston to Chicago next week"), /1 flight search/);
  await person.shot("searches");
  await person.leave();
});

test("a voice note says what is missing where speech is not set up", async () => {
  const person = await Person.loggedIn(system, "speaker", { permissions: ["microphone"], locale: "de-DE" });
  const recorded = await person.countRecorded();
  await person.page.getByRole("button", { name: "Sprachnachricht aufnehmen" }).click();
  await person.page.getByText("Ich höre zu …").waitFor();
  await recorded(0.5);
  await person.shot("recording");
  await person.page.getByRole("button", { name: "Aufnahme senden" }).click();
  await person.page
    .locator(".notice", { hasText: "Spracherkennung ist auf diesem Server nicht eingerichtet" })
    .waitFor();
  await person.page.getByRole("button", { name: "Sprachnachricht aufnehmen" }).waitFor();
  await person.leave(/Failed to load resource|WebSocket/);
});
