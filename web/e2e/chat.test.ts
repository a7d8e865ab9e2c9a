// Chat in a browser, against the real system with the offline model.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Person, assertSoon, closeBrowser, today } from "./people.ts";
import { System } from "./system.ts";

let system: System;
before(async () => {
  system = await System.start();
});
after(async () => {
  await closeBrowser();
  await system.close();
});

const keptKeys = (person: Person) =>
  person.page.evaluate(() => Object.keys(localStorage).filter((key) => !key.includes("taste")));

test("the printed link logs in once, and logging out forgets everything", async () => {
  const person = await Person.come();
  const link = await system.loginLink();
  await person.page.goto(system.url);
  await person.page.waitForURL("**/login");
  await person.page.goto(link);
  await person.page.reload(); // from the same address: only a new document reads its fragment
  await person.box.waitFor();
  assert.ok(!person.page.url().includes("code"), "the code is taken out of the address");
  assert.equal(await person.ask("Hello").then((text) => text.length > 0), true);
  await person.page.getByText("me", { exact: true }).click();
  await person.page.getByRole("button", { name: "Log out" }).click();
  await person.page.waitForURL("**/login");
  assert.deepEqual(await keptKeys(person), []);
  await person.page.getByLabel(/Log-in link/).fill(link);
  await person.page.getByRole("button", { name: "Log in" }).click();
  await person.page.getByText(/used already/).waitFor();
  await person.leave(/404/);
});

test("a reminder becomes a card that is done in the panel when it is done in the message", async () => {
  const person = await Person.loggedIn(system, "reminded");
  const text = await person.ask("Remind me to call John tomorrow at 5pm");
  assert.match(text, /call John/);
  const card = person.answers.last().locator(".card");
  await card.getByText("call John").waitFor();
  const panel = await person.openPanel("Tasks");
  await panel.getByText("call John").waitFor();
  // Not `check`, which wants the mark in the same moment: it comes with the answer or just before it.
  await card.getByRole("checkbox").click();
  await panel.getByText(/Done lately/).click();
  await panel.locator(".task.done", { hasText: "call John" }).waitFor();
  await person.shot("reminder");
  await person.leave();
});

test("a new task shows at once, once, and survives a reload", async () => {
  const person = await Person.loggedIn(system, "tasks");
  const panel = await person.openPanel("Tasks");
  let answer: () => void = () => undefined;
  const mayAnswer = new Promise<void>((done) => {
    answer = done;
  });
  await person.page.route("**/api/v1/tasks", async (route) => {
    await mayAnswer;
    await route.continue();
  });
  await panel.getByLabel("New task").fill("Send budget");
  await panel.getByLabel("New task").press("Enter");
  await panel.locator(".task.pending", { hasText: "Send budget" }).waitFor();
  answer();
  await panel.locator(".task:not(.pending)", { hasText: "Send budget" }).waitFor();
  assert.equal(await panel.getByText("Send budget").count(), 1);
  await person.page.reload();
  await panel.getByText("Send budget").waitFor();
  assert.equal(await panel.getByText("Send budget").count(), 1);
  await person.leave();
});

test("a refused change of a task is taken back and said", async () => {
  const person = await Person.loggedIn(system, "refused");
  await system.call("refused", "POST", "/api/v1/tasks", { action: "create", task: { title: "Stay open" } });
  const panel = await person.openPanel("Tasks");
  await person.page.route("**/api/v1/tasks", (route) =>
    route.fulfill({
      status: 409,
      contentType: "application/problem+json",
      body: '{"status":409,"code":"tasks_full","detail":"No."}',
    }),
  );
  await panel.getByRole("checkbox", { name: /Stay open/ }).click();
  await person.page.locator(".notice").getByText("No.").waitFor();
  await panel.locator(".task.open", { hasText: "Stay open" }).waitFor();
  await person.page.route("**/api/v1/tasks", (route) => route.abort());
  await panel.getByRole("checkbox", { name: /Stay open/ }).click();
  await person.page.locator(".notice").getByText("The server does not answer.").waitFor();
  await panel.locator(".task.open", { hasText: "Stay open" }).waitFor();
  await person.page.unroute("**/api/v1/tasks");
  await person.ask("Remind me to call John tomorrow at 5pm");
  const card = person.answers.last().locator(".card"); // where a task that is done stays in its place
  await card.locator(".task.open").waitFor();
  let refuse: () => void = () => undefined;
  const mayRefuse = new Promise<void>((done) => {
    refuse = done;
  });
  await person.page.route("**/api/v1/tasks", async (route) => {
    await mayRefuse;
    await route.abort();
  });
  await card.getByRole("checkbox").click();
  await card.locator(".task.done.pending").waitFor();
  refuse();
  await card.locator(".task:not(.pending)").waitFor();
  assert.match((await card.locator(".task").getAttribute("class")) ?? "", /\bopen\b/);
  await person.leave(/409|ERR_FAILED/);
});

test("an attached file is kept as a note that the message names", async () => {
  const person = await Person.loggedIn(system, "attaching");
  const chooser = person.page.waitForEvent("filechooser");
  await person.page.getByRole("button", { name: "Attach a text file" }).click();
  await (await chooser).setFiles({ name: "budget.txt", mimeType: "text/plain", buffer: Buffer.from("12k for travel") });
  await person.page.locator(".attachment", { hasText: "budget.txt" }).waitFor();
  await person.ask("What is in this file?");
  const panel = await person.openPanel("Memory");
  await panel.getByText("budget.txt").click();
  await panel.getByText("12k for travel").waitFor();
  await person.leave();
});

test("conversations are made, named, archived and deleted", async () => {
  const person = await Person.loggedIn(system, "talkative");
  const { page } = person;
  const list = page.getByRole("navigation", { name: "Conversations" });
  await person.ask("Hello there");
  await list.getByRole("button", { name: "New conversation" }).first().click();
  await assertSoon(async () => assert.equal(await person.answers.count(), 0));
  await person.ask("Something else entirely");
  const row = list.locator(".thread-item", { hasText: "Something else" });
  await row.hover();
  await row.getByRole("button", { name: /^Rename/ }).click();
  await list.getByLabel("New name").fill("Else");
  await list.getByLabel("New name").press("Enter");
  await list.getByRole("button", { name: "Else", exact: true }).waitFor();
  await list.getByRole("button", { name: "Main conversation", exact: true }).click();
  await page.getByText("Hello there").waitFor();
  const renamed = list.locator(".thread-item", { hasText: "Else" });
  await renamed.hover();
  await renamed.getByRole("button", { name: "Archive “Else”" }).click();
  await list.getByText("Archived (1)").click();
  await list.getByRole("button", { name: "Else", exact: true }).waitFor();
  await person.shot("conversations");
  await list.locator(".thread-item", { hasText: "Else" }).getByRole("button", { name: "Delete “Else”" }).click();
  await list.getByRole("button", { name: "Delete for good" }).click();
  await assertSoon(async () => assert.equal(await list.getByText("Else", { exact: true }).count(), 0));
  await person.leave();
});

test("history pages back to the first message", async () => {
  for (let index = 0; index < 60; index += 1) {
    await system.call("historian", "POST", "/api/v1/message", { channel: "chat", text: `message-${index}.` });
  }
  const person = await Person.loggedIn(system, "historian");
  await person.page.getByText("message-59.").waitFor();
  const first = person.page.getByText("message-0.", { exact: true });
  assert.equal(await first.count(), 0);
  const earlier = person.page.locator("button:enabled", { hasText: "Earlier messages" });
  while ((await first.count()) === 0) {
    const page = person.page.waitForResponse(/\/conversations\/main\/messages/);
    await earlier.click();
    await page;
    await first.or(earlier).first().waitFor();
  }
  const said = await person.page.locator(".message.user").allInnerTexts();
  assert.deepEqual(
    said.map((text) => /message-(\d+)/.exec(text)?.[1]),
    Array.from({ length: 60 }, (_, index) => String(index)),
  );
  await person.leave();
});

test("the calendar takes an entry and an .ics file, and today's stands in the agenda", async () => {
  const person = await Person.loggedIn(system, "planner");
  const panel = await person.openPanel("Calendar");
  await panel.getByText("New entry").click();
  const day = today();
  await panel.getByLabel("Title", { exact: true }).fill("Stand-up");
  await panel.getByLabel("Start", { exact: true }).fill(`${day}T22:30`);
  await panel.getByLabel("End", { exact: true }).fill(`${day}T21:45`);
  await panel.getByRole("button", { name: "Add", exact: true }).click();
  await person.page.locator(".notice").getByText("The end comes after the start").waitFor();
  await panel.getByLabel("End", { exact: true }).fill(`${day}T22:45`);
  await panel.getByRole("button", { name: "Add", exact: true }).click();
  await panel.getByText("Stand-up").waitFor();
  await panel.getByText("22:30–22:45").waitFor();
  const stamp = `${day.replaceAll("-", "")}T210000Z`;
  const lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//t", "BEGIN:VEVENT", "UID:1@t", `DTSTAMP:${stamp}`];
  lines.push(`DTSTART:${stamp}`, "DURATION:PT30M", "SUMMARY:Imported", "END:VEVENT", "END:VCALENDAR", "");
  const file = lines.join("\r\n");
  await panel
    .getByLabel("Import an .ics file")
    .setInputFiles({ name: "a.ics", mimeType: "text/calendar", buffer: Buffer.from(file) });
  await panel.getByText("Imported").waitFor();
  await person.openPanel("Calendar"); // closes it
  const agenda = await person.openPanel("Today");
  await agenda.getByText("Stand-up").waitFor();
  await person.shot("agenda");
  await person.leave(/400/);
});

test("a day is planned in a card, and the plan stands in the agenda", async () => {
  const person = await Person.loggedIn(system, "busy");
  await system.call("busy", "POST", "/api/v1/tasks", {
    action: "create",
    task: { title: "Send budget", priority: "high" },
  });
  await person.ask("Plan my day");
  await person.answers.last().locator(".card.plan").waitFor();
  await person.page.reload();
  await person.answers.last().locator(".card.plan").waitFor();
  const agenda = await person.openPanel("Today");
  await agenda.getByText("Plan", { exact: true }).waitFor();
  await person.leave();
});

test("flights are found, and one is selected from its card", async () => {
  const person = await Person.loggedIn(system, "flyer");
  await person.ask("Find me flights from New York to Boston next week");
  const card = person.answers.last().locator(".card.trip");
  await card
    .getByRole("button", { name: /^Select/ })
    .first()
    .waitFor();
  await person.shot("flights");
  const trips = await person.openPanel("Trips");
  await trips.getByText("Trip to Boston").waitFor();
  await card
    .getByRole("button", { name: /^Select/ })
    .first()
    .click();
  await card.getByText("selected").waitFor();
  await trips.getByText("selected").waitFor();
  assert.equal(await card.getByRole("button", { name: /^Select/ }).count(), 0);
  await person.page.reload();
  await card.getByText("selected").waitFor();
  const tasks = await person.openPanel("Tasks");
  await assertSoon(async () =>
    assert.ok((await tasks.locator(".task").count()) > 0, "what is left to do became tasks"),
  );
  await person.shot("flight-selected");
  await person.leave();
});

test("search finds what was said and what was kept", async () => {
  const person = await Person.loggedIn(system, "seeker");
  await person.ask("Remember that my favourite airport is JFK");
  const list = person.page.getByRole("navigation", { name: "Conversations" });
  await list.getByRole("button", { name: "New conversation" }).first().click();
  await assertSoon(async () => assert.equal(await person.answers.count(), 0));
  await list.getByLabel("Search").fill("airport");
  await list.locator("mark", { hasText: "airport" }).first().waitFor();
  await person.shot("search");
  await list.locator(".hits button", { hasText: "Main conversation" }).first().click();
  await person.page.locator(".message.user", { hasText: "favourite airport" }).waitFor();
  await list.getByLabel("Search").fill("nothing has these words");
  await list.getByText("Nothing found.").waitFor();
  await person.leave();
});

test("what is put forward happens only once it is approved", async () => {
  const person = await Person.loggedIn(system, "careful");
  await person.ask("Find me flights from New York to Boston next week");
  await person.ask("Select the first one");
  const card = person.answers.last().locator(".card.proposed");
  await card.getByRole("button", { name: "Approve" }).click();
  await person.answers.last().locator(".card.committed").getByText("selected").waitFor();
  await person.answers.first().locator(".card.trip").getByText("selected").waitFor();
  await person.shot("approved");
  await person.leave();
});

test("everything can be taken along", async () => {
  const person = await Person.loggedIn(system, "leaver");
  await person.ask("Hello");
  await person.page.getByText("leaver", { exact: true }).click();
  const download = person.page.waitForEvent("download");
  await person.page.getByRole("button", { name: "Export everything" }).click();
  assert.equal((await download).suggestedFilename(), "microcos-export.zip");
  await person.leave();
});

test("everything can be erased, once the word is typed, and who comes back is somebody new", async () => {
  const person = await Person.loggedIn(system, "erased");
  const { page } = person;
  await person.ask("Remind me to call John tomorrow at 5pm");
  await page.getByText("erased", { exact: true }).click();
  await page.getByRole("button", { name: "Erase everything …" }).click();
  const dialog = page.getByRole("dialog", { name: "Erase everything?" });
  await dialog.getByRole("button", { name: "Keep everything" }).click();
  await dialog.waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Erase everything …" }).click();
  const confirm = dialog.getByRole("button", { name: "Erase for good" });
  assert.equal(await confirm.isDisabled(), true);
  await dialog.getByLabel("To confirm, type ERASE").fill("erase it");
  assert.equal(await confirm.isDisabled(), true);
  await dialog.getByLabel("To confirm, type ERASE").fill("ERASE");
  assert.deepEqual(await person.axe(), []);
  await person.shot("erase");
  let isHeld = true;
  await page.route("**/api/v1/erase", async (route) => {
    await assertSoon(async () => assert.equal(isHeld, false));
    await route.continue();
  });
  await confirm.click();
  await dialog.getByRole("progressbar", { name: "Erasing …" }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await dialog.isVisible(), true, "what has begun is not called off");
  isHeld = false;
  await page.waitForURL("**/login");
  await page.getByText("All your data was erased").waitFor();
  await person.shot("erased");
  assert.deepEqual(await keptKeys(person), []);
  await page.getByLabel(/Log-in link/).fill(system.token("erased"));
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("What can I take off your mind?").waitFor();
  const panel = await person.openPanel("Tasks");
  await panel.getByText("No open tasks.").waitFor();
  await person.leave();
});

test("an erasure that gets no answer is said, and can be tried again or left", async () => {
  const person = await Person.loggedIn(system, "hesitant", { locale: "de-DE" });
  const { page } = person;
  await page.getByText("hesitant", { exact: true }).click();
  await page.getByRole("button", { name: "Alles löschen …" }).click();
  const dialog = page.getByRole("dialog", { name: "Alles löschen?" });
  await dialog.getByLabel("Zur Bestätigung LÖSCHEN eintippen").fill("LÖSCHEN");
  await page.route("**/api/v1/erase", (route) => route.abort());
  await dialog.getByRole("button", { name: "Endgültig löschen" }).click();
  await dialog.getByRole("alert").getByText("Der Server antwortet nicht.").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await person.ask("Hallo");
  await person.leave(/ERR_FAILED/);
});

test("a reminder that comes due says so on every page", async () => {
  const person = await Person.loggedIn(system, "forgetful");
  const due = new Date().toISOString().slice(0, 16);
  await system.call("forgetful", "POST", "/api/v1/tasks", {
    action: "create",
    task: { title: "Take a break", due, timezone: "UTC" },
  });
  await person.page.getByText("Reminder: Take a break").waitFor();
  await person.shot("due");
  await person.page.getByRole("button", { name: "Dismiss" }).click();
  await assertSoon(async () => assert.equal(await person.page.getByText("Reminder: Take a break").count(), 0));
  await person.leave();
});

test("the picture in the README", async () => {
  const day = today();
  const add = (title: string, more: object) =>
    system.call("anna", "POST", "/api/v1/tasks", { action: "create", task: { title, ...more } });
  await system.call("anna", "PUT", "/api/v1/preferences/timezone", { value: "Europe/Berlin" });
  await system.call("anna", "POST", "/api/v1/calendar/event", {
    title: "Stand-up",
    start: `${day}T09:30`,
    end: `${day}T09:45`,
    location: "Room 4",
  });
  await system.call("anna", "POST", "/api/v1/calendar/event", {
    title: "Lunch with Jim",
    start: `${day}T12:30`,
    end: `${day}T13:30`,
  });
  await add("Send budget", { due: day, priority: "high", tags: ["finance"] });
  await add("Follow up with Jim", { due: day });
  const plan = {
    priorities: ["Send budget", "Prepare for Boston"],
    todos: ["Follow up with Jim", "Book the hotel"],
    notes: ["One thing at a time."],
  };
  await system.call("anna", "PUT", `/api/v1/plan/${day}`, plan);
  for (const [conversationId, text, title] of [
    ["garden", "Remember that the roses want water on Fridays", "Garden"],
    ["offsite", "Remind me to book the room for the offsite tomorrow", "Offsite in Boston"],
  ]) {
    await system.call("anna", "POST", "/api/v1/message", { channel: "chat", text, conversationId });
    await system.call("anna", "PATCH", `/api/v1/conversations/${conversationId}`, { title });
  }
  const person = await Person.loggedIn(system, "anna", { viewport: { width: 1240, height: 860 } });
  await person.ask("Find me flights from New York to Boston next week");
  await person.ask("Select the first one");
  const agenda = await person.openPanel("Today");
  await agenda.getByText("Lunch with Jim").waitFor();
  await person.answers.last().getByRole("button", { name: "Approve" }).waitFor();
  await person.shot("readme");
  await person.leave();
});
