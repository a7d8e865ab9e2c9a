// What is long, late, far away, refused or pressed by mistake; and what a finger does on a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Locator } from "playwright-core";
import { Person, assertSoon, closeBrowser, today } from "./people.ts";
import { System } from "./system.ts";

const PHONE = { viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true };
let system: System;
before(async () => {
  system = await System.start();
});
after(async () => {
  await closeBrowser();
  await system.close();
});

const inDays = (days: number): string => {
  const date = new Date(`${today()}T12:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
};
const addTask = (user: string, task: object) =>
  system.call<{ id: string }>(user, "POST", "/api/v1/tasks", { action: "create", task });
const refusal = (status: number, code: string, headers: Record<string, string> = {}) => ({
  status,
  headers: { ...headers, "content-type": "application/problem+json" },
  body: JSON.stringify({ status, code, detail: `The detail of ${code}.` }),
});

async function assertWithin(inner: Locator, outer: Locator): Promise<void> {
  const [small, large] = [await inner.boundingBox(), await outer.boundingBox()];
  assert.ok(small !== null && large !== null);
  assert.ok(small.x >= large.x && small.x + small.width <= large.x + large.width, "nothing sticks out");
}

test("a phone's menu takes the focus, and closes when something beside it is pressed", async () => {
  const person = await Person.loggedIn(system, "thumb", PHONE);
  const { page } = person;
  const menu = page.getByRole("navigation", { name: "Conversations" });
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));
  await page.getByRole("button", { name: "Open menu" }).tap();
  await menu.waitFor();
  await assertSoon(async () => assert.equal(await focused(), "Close menu"));
  assert.equal(await person.box.evaluate((box) => box.closest("[inert]") !== null), true);
  assert.deepEqual(await person.axe(), []);
  await person.shot("phone-menu");
  await page.touchscreen.tap(380, 300);
  await assertSoon(async () => assert.equal(await menu.isVisible(), false));
  await assertSoon(async () => assert.equal(await focused(), "Open menu"));
  await person.leave();
});

test("on a phone one panel leads to the next", async () => {
  const person = await Person.loggedIn(system, "swiper", PHONE);
  for (const name of ["Today", "Tasks", "Calendar", "Trips", "Memory"]) {
    const panel = await person.openPanel(name); // without closing the one before
    await panel.getByRole("heading", { name, exact: true }).waitFor();
  }
  assert.equal(await person.page.getByRole("complementary").count(), 1);
  await person.leave();
});

test("a long word stays in its place, and what is late or repeats says so", async () => {
  const long = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz";
  await addTask("wordy", { title: `Lies das ${long}`, due: inDays(-3), recurrence: "FREQ=WEEKLY;INTERVAL=2" });
  await addTask("wordy", { title: "In time", due: inDays(3) });
  const person = await Person.loggedIn(system, "wordy", PHONE);
  const panel = await person.openPanel("Tasks");
  const row = panel.locator(".task", { hasText: long });
  await row.getByText("overdue").waitFor();
  await row.getByText("every 2 weeks").waitFor();
  await assertWithin(row.getByRole("button", { name: /^Delete/ }), panel);
  await assertWithin(row.locator(".task-title"), panel);
  assert.equal(await panel.getByText("overdue").count(), 1);
  await person.shot("phone-long");
  await person.leave();
});

test("what is deleted is asked about first, and looking away means no", async () => {
  await addTask("clumsy", { title: "Keep me" });
  const person = await Person.loggedIn(system, "clumsy");
  const panel = await person.openPanel("Tasks");
  const trash = panel.getByRole("button", { name: /Delete “Keep me”/ });
  await trash.click();
  await assertSoon(async () => assert.equal(await trash.innerText(), "Delete?"));
  assert.deepEqual(await person.axe(), []);
  await panel.getByLabel("New task").focus();
  await assertSoon(async () => assert.equal(await trash.innerText(), ""));
  assert.equal(await panel.getByText("Keep me").count(), 1);
  await trash.click();
  await trash.click();
  await panel.getByText("No open tasks.").waitFor();
  await person.leave();
});

test("a task that another device deletes is not brought back by an answer that comes later", async () => {
  const person = await Person.loggedIn(system, "deleted");
  const { id } = await addTask("deleted", { title: "Short-lived" });
  const remove = (task: { id: string }) =>
    system.call("deleted", "POST", "/api/v1/tasks", { action: "delete", task: { id: task.id } });
  const panel = await person.openPanel("Tasks");
  const row = panel.getByText("Short-lived");
  await row.waitFor();
  const gone = panel.getByText("No open tasks.");
  const refused = new Promise<void>((done) => {
    void person.page.route("**/api/v1/tasks", async (route) => {
      await remove({ id });
      await gone.waitFor();
      await assertSoon(async () => assert.equal(await row.count(), 0));
      await route.continue();
      done();
    });
  });
  await panel.getByRole("checkbox", { name: /Short-lived/ }).click();
  await refused;
  await person.page.locator(".notice").waitFor();
  assert.equal(await row.count(), 0);
  await person.page.unroute("**/api/v1/tasks");
  await person.page.route("**/api/v1/tasks", async (route) => {
    const answer = await route.fetch();
    const made = (await answer.json()) as { id: string };
    await panel.locator(".task:not(.pending)", { hasText: "Short-lived" }).waitFor();
    await remove(made);
    await panel.locator(".task.pending", { hasText: "Short-lived" }).waitFor();
    await route.fulfill({ response: answer });
  });
  await panel.getByLabel("New task").fill("Short-lived");
  await panel.getByLabel("New task").press("Enter");
  await gone.waitFor();
  assert.equal(await row.count(), 0);
  await person.leave(/404/);
});

test("a trip of several days shows when it ends, on each day what is of that day", async () => {
  await system.call("away", "PUT", "/api/v1/preferences/timezone", { value: "Europe/Berlin" });
  const entry = { title: "Fair", start: `${inDays(-1)}T09:00`, end: `${inDays(2)}T17:00` };
  await system.call("away", "POST", "/api/v1/calendar/event", entry);
  const abroad = { title: "Call", start: `${today()}T23:30`, end: `${today()}T23:45`, timezone: "America/New_York" };
  await system.call("away", "POST", "/api/v1/calendar/event", abroad);
  const person = await Person.loggedIn(system, "away");
  const agenda = await person.openPanel("Today");
  const row = agenda.locator(".event", { hasText: "Fair" });
  await row.getByText("all day").waitFor();
  assert.match(await row.innerText(), /until \d+ \w+, 17:00/);
  const calendar = await person.openPanel("Calendar");
  await calendar.locator(".event", { hasText: "Call" }).getByText("America/New York").waitFor();
  await calendar.locator(".event", { hasText: "Fair" }).getByText("09:00–", { exact: true }).waitFor();
  await person.leave();
});

test("a file that is no text is refused in words", async () => {
  const person = await Person.loggedIn(system, "picture");
  const chooser = person.page.waitForEvent("filechooser");
  await person.page.getByRole("button", { name: "Attach a text file" }).click();
  await (await chooser).setFiles({ name: "me.png", mimeType: "image/png", buffer: Buffer.from([137, 80, 78, 71, 0]) });
  await person.page.getByText("“me.png” is not a text file.").waitFor();
  assert.equal(await person.page.locator(".attachment").count(), 0);
  await person.leave();
});

test("a message that has to wait says why, and is sent by itself", async () => {
  const person = await Person.loggedIn(system, "fast");
  await person.page.route("**/api/v1/message", (route) =>
    route.fulfill(refusal(429, "messages_per_minute", { "retry-after": "2" })),
  );
  await person.say("Hello");
  await person.page.getByText("Too many in a minute.").waitFor();
  await person.shot("waits");
  await person.page.unroute("**/api/v1/message");
  await person.answered();
  assert.equal(await person.page.getByText("Too many in a minute.").count(), 0);
  await person.leave(/429/);
});

test("a list that cannot be had is tried again, and then on demand", async () => {
  const person = await Person.loggedIn(system, "behind", { locale: "de-DE" });
  let asked = 0;
  await person.page.route("**/api/v1/calendar/events*", (route) => {
    asked += 1;
    return route.fulfill(refusal(503, "view_behind", { "retry-after": "1" }));
  });
  const panel = await person.openPanel("Kalender");
  await panel.getByText("Der Server kann das gerade nicht.").waitFor();
  assert.ok(asked > 1, "it was asked again before anybody was told");
  assert.equal(await panel.getByText("The detail").count(), 0, "English is no answer to a German");
  await person.page.unroute("**/api/v1/calendar/events*");
  await panel.getByRole("button", { name: "Noch einmal" }).click();
  await panel.getByText("Nichts in diesen zwei Wochen.").waitFor();
  await person.leave(/503/);
});

test("what was searched for is brought into sight, however long ago it was said", async () => {
  for (let index = 0; index < 58; index += 1) {
    await system.call("digger", "POST", "/api/v1/message", { channel: "chat", text: `layer-${index}.` });
  }
  const person = await Person.loggedIn(system, "digger");
  const list = person.page.getByRole("navigation", { name: "Conversations" });
  await person.page.getByText("layer-57.").waitFor();
  assert.equal(await person.page.getByText("layer-2.", { exact: true }).count(), 0);
  await list.getByLabel("Search").fill("layer-2.");
  await list.locator(".hits button", { hasText: "Main conversation" }).first().click();
  await assertSoon(async () => {
    const box = await person.page.locator(".message.user", { hasText: "layer-2." }).boundingBox();
    assert.ok(box !== null && box.y > 50 && box.y < 750, `at ${box?.y}`);
  });
  await person.shot("found");
  await person.leave();
});

test("where older messages cannot be had they are not asked for without an end", async () => {
  for (let index = 0; index < 58; index += 1) {
    await system.call("hurried", "POST", "/api/v1/message", { channel: "chat", text: `layer-${index}.` });
  }
  const person = await Person.loggedIn(system, "hurried");
  const list = person.page.getByRole("navigation", { name: "Conversations" });
  let asked = 0;
  await person.page.route(/\/messages\?.*cursor=/, (route) => {
    asked += 1;
    return route.fulfill(refusal(400, "no_such_thing"));
  });
  await list.getByLabel("Search").fill("layer-2.");
  await list.locator(".hits button", { hasText: "Main conversation" }).first().click();
  await assertSoon(async () => assert.ok(asked > 0));
  await person.page.unroute(/\/messages\?.*cursor=/);
  await person.page.getByRole("button", { name: /earlier/i }).click();
  await person.page.locator(".message.user", { hasText: "layer-2." }).waitFor();
  assert.equal(asked, 1);
  await person.leave(/400/);
});

test("an archived conversation can be brought back while it is read", async () => {
  await system.call("keeper", "POST", "/api/v1/message", { channel: "chat", text: "Hi", conversationId: "old" });
  await system.call("keeper", "PATCH", "/api/v1/conversations/old", { title: "Old things", archived: true });
  const person = await Person.loggedIn(system, "keeper");
  const list = person.page.getByRole("navigation", { name: "Conversations" });
  await list.getByText("Archived (1)").click();
  await list.getByRole("button", { name: "Old things", exact: true }).click();
  await person.page.getByRole("heading", { name: "Old things" }).waitFor();
  await list.getByRole("button", { name: "Restore “Old things”" }).click();
  await list.getByRole("button", { name: "Archive “Old things”" }).waitFor();
  assert.equal(await list.getByText(/^Archived/).count(), 0);
  await person.leave();
});

test("the panels have their names beside their icons where there is room", async () => {
  const person = await Person.loggedIn(system, "novice", { viewport: { width: 1440, height: 900 } });
  const button = person.page.getByRole("button", { name: "Calendar", exact: true });
  const width = async () => (await button.boundingBox())?.width ?? 0;
  assert.ok((await width()) > 60, "icon and name");
  await person.page.setViewportSize({ width: 390, height: 800 });
  await assertSoon(async () => assert.ok((await width()) <= 40, "the icon alone"));
  await person.leave();
});

test("a reminder is done where it is said", async () => {
  const person = await Person.loggedIn(system, "prompt");
  const due = new Date().toISOString().slice(0, 16);
  await addTask("prompt", { title: "Stretch", due, timezone: "UTC" });
  await person.page.getByText("Reminder: Stretch").waitFor();
  await person.page.getByRole("button", { name: "Done", exact: true }).click();
  await assertSoon(async () => assert.equal(await person.page.getByText("Reminder: Stretch").count(), 0));
  const panel = await person.openPanel("Tasks");
  await panel.getByText("Done lately (1)").waitFor();
  await person.leave();
});

test("messages of another day have that day above them", async () => {
  const person = await Person.loggedIn(system, "diarist");
  await person.ask("Hello");
  assert.equal(await person.page.locator(".day-line").count(), 0, "today goes without saying");
  await person.page.clock.setFixedTime(Date.now() + 2 * 86_400_000); // a day has 25 hours once a year
  await person.page.reload();
  await person.page.locator(".day-line").waitFor();
  assert.equal(await person.page.locator(".day-line").count(), 1);
  await person.leave();
});

test("the agenda of a page that stays open over midnight is that of the new day", async () => {
  const person = await Person.come({ timezoneId: "UTC" });
  await person.page.clock.install({ time: `${inDays(-2)}T23:59:30Z` });
  await person.page.addInitScript((token) => localStorage.setItem("microcos.login", token), system.token("owl"));
  await person.page.goto(system.url);
  const agenda = await person.openPanel("Today");
  const before = await agenda.locator(".day").innerText();
  await person.page.clock.fastForward(60_000);
  await assertSoon(async () => assert.notEqual(await agenda.locator(".day").innerText(), before));
  await person.leave();
});

test("each conversation keeps its draft while another one is open", async () => {
  const person = await Person.loggedIn(system, "drafter");
  const list = person.page.getByRole("navigation", { name: "Conversations" });
  const draftIs = (draft: string) => assertSoon(async () => assert.equal(await person.box.inputValue(), draft));
  await person.ask("Hello");
  await person.box.fill("For the main one");
  await list.getByRole("button", { name: "New conversation" }).first().click();
  await person.page.getByText("What can I take off your mind?").waitFor();
  await draftIs("");
  await person.box.fill("For the new one");
  await list.getByRole("button", { name: "Main conversation", exact: true }).click();
  await draftIs("For the main one");
  await person.page.goBack();
  await draftIs("For the new one");
  await person.page.reload();
  await draftIs("For the new one");
  await person.leave();
});

test("where the browser has no room for a draft the page goes on", async () => {
  const person = await Person.loggedIn(system, "full");
  await person.page.evaluate(() => {
    const keep = Storage.prototype.setItem;
    Storage.prototype.setItem = function (key, value) {
      if (this === localStorage) throw new DOMException("It is full.", "QuotaExceededError");
      keep.call(this, key, value);
    };
  });
  await person.ask("Hello");
  assert.equal(await person.page.locator(".message.user").count(), 1);
  await person.leave();
});

test("where site data is blocked people log in and talk, as long as the page is open", async () => {
  const person = await Person.come();
  await person.page.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, name, {
        get: () => {
          throw new DOMException("Access is denied for this document.", "SecurityError");
        },
      });
    }
  });
  await person.page.goto(system.url);
  await person.page.getByLabel(/Log-in link/).fill(system.token("blocked"));
  await person.page.getByRole("button", { name: "Log in" }).click();
  await person.ask("Hello");
  await person.ask("Hello again");
  assert.equal(await person.page.locator(".message.user").count(), 2);
  await person.leave();
});

test("a task that comes to be late while it is looked at says so", async () => {
  await addTask("patient", { title: "Water", due: `${inDays(-2)}T12:00`, timezone: "UTC" });
  const person = await Person.come({ timezoneId: "UTC" });
  await person.page.clock.install({ time: `${inDays(-2)}T11:59:30Z` });
  await person.page.addInitScript((token) => localStorage.setItem("microcos.login", token), system.token("patient"));
  await person.page.goto(system.url);
  const panel = await person.openPanel("Tasks");
  await panel.getByText("Water").waitFor();
  assert.equal(await panel.getByText("overdue").count(), 0);
  await person.page.clock.fastForward(60_000);
  await panel.getByText("overdue").waitFor();
  await person.leave();
});

test("a refused message whose conversation was deleted elsewhere is still to be found, and can be let go", async () => {
  await system.call("refused", "POST", "/api/v1/message", { channel: "chat", text: "Hi", conversationId: "old" });
  await system.call("refused", "POST", "/api/v1/message", { channel: "chat", text: "Hi" });
  await system.call("refused", "PATCH", "/api/v1/conversations/old", { title: "Old things" });
  const person = await Person.loggedIn(system, "refused");
  const list = person.page.getByRole("navigation", { name: "Conversations" });
  await list.getByRole("button", { name: "Old things", exact: true }).click();
  await person.page.getByRole("heading", { name: "Old things" }).waitFor();
  await person.page.route("**/api/v1/message", (route) => route.fulfill(refusal(400, "no_such_thing")));
  await person.say("Say it again");
  await person.page.getByText("Not sent.").waitFor();
  await list.getByRole("button", { name: "Main conversation", exact: true }).click();
  await system.call("refused", "DELETE", "/api/v1/conversations/old");
  await assertSoon(async () => assert.equal(await list.getByText("Old things").count(), 0));
  await list.locator(".thread-item", { hasText: "New conversation" }).locator(".thread-title").click();
  await person.page.getByText("Not sent.").waitFor();
  await person.page.getByRole("button", { name: "Discard" }).click();
  await list.getByRole("button", { name: "Main conversation", exact: true }).click();
  await assertSoon(async () => assert.equal(await list.locator(".thread-item").count(), 1));
  await person.leave(/400/);
});

test("cards name things as people do", async () => {
  const person = await Person.loggedIn(system, "plain");
  await person.ask("Remember that my favourite airport is JFK");
  await person.answers.last().locator(".card").getByText("favourite airport", { exact: true }).waitFor();
  await person.ask("Remind me to take out the bins every Monday at 9am");
  await person.answers.last().locator(".card").getByText("every week").waitFor();
  const panel = await person.openPanel("Memory");
  await panel.getByText("Time zone").waitFor();
  await person.leave();
});
