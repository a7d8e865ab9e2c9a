// When events are, how often tasks repeat, and that everything the server says in English has a German word.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { de } from "../src/i18n/de.ts";
import { en } from "../src/i18n/en.ts";
import type { Translate } from "../src/i18n/i18n.tsx";
import { hoursOn, lastMoment } from "../src/panels/event_times.ts";
import { repeats } from "../src/panels/repeats.ts";

const event = (occurrenceStart: string, occurrenceEnd: string, allDay = false) => ({
  occurrenceStart,
  occurrenceEnd,
  allDay,
});

test("an event of several days has on each of them the hours that are of that day", () => {
  const trip = event("2025-05-10T08:00:00Z", "2025-05-12T22:00:00Z");
  assert.equal(lastMoment(trip), "2025-05-12T22:00");
  assert.equal(hoursOn(trip, "2025-05-10"), "08:00–");
  assert.equal(hoursOn(trip, "2025-05-11"), null, "all of it");
  assert.equal(hoursOn(trip, "2025-05-12"), "–22:00");
});

test("an event of one day has both hours, of which midnight is no other day", () => {
  assert.equal(hoursOn(event("2025-05-10T08:00", "2025-05-10T09:30"), "2025-05-10"), "08:00–09:30");
  const party = event("2025-05-10T20:00", "2025-05-11T00:00");
  assert.equal(lastMoment(party).slice(0, 10), "2025-05-10");
  assert.equal(hoursOn(party, "2025-05-10"), "20:00–00:00");
  const moment = event("2025-05-10T00:00", "2025-05-10T00:00");
  assert.equal(lastMoment(moment).slice(0, 10), "2025-05-10");
});

test("the end of whole days is the last of them, not the first day after", () => {
  const fair = event("2025-05-10", "2025-05-13", true);
  assert.equal(lastMoment(fair), "2025-05-12");
  assert.equal(hoursOn(fair, "2025-05-10"), null);
  assert.equal(lastMoment(event("2025-05-10", "2025-05-11", true)), "2025-05-10");
});

test("rules of repetition are said in words, and others as they are", () => {
  const t = Object.assign((key: string, values = {}) => `${key}${Object.values(values).join()}`, {
    span: (count: number, unit: string) => ` ${count} ${unit}s`,
    weekday: (day: string) => new Date(day).toLocaleDateString("en", { weekday: "short", timeZone: "UTC" }),
  }) as unknown as Translate;
  assert.equal(repeats(t, "FREQ=DAILY"), "every_day");
  assert.equal(repeats(t, "FREQ=WEEKLY;INTERVAL=2"), "every 2 weeks");
  assert.equal(repeats(t, "RRULE:FREQ=WEEKLY;BYDAY=MO,FR"), "every_week (Mon, Fri)");
  assert.equal(repeats(t, "FREQ=MONTHLY;BYDAY=1MO"), "every_month");
  assert.equal(repeats(t, "FREQ=HOURLY"), "FREQ=HOURLY");
});

test("whatever the assistant is said to do, and each kind of action, has its words", () => {
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const labels = [...read("api/live/frames.py").matchAll(/^ {4}"(\w+)": "(.+)",$/gm)];
  assert.ok(labels.length > 10, "the server's list is found");
  for (const [, kind, label] of labels) {
    assert.ok(`action_${kind}` in en, `${kind} has a name`);
    assert.ok(`doing_${label}` in de, `“${label}” is said in German`);
  }
  const searches = [...read("workers/turns/flights.py").matchAll(/^[A-Z]+ = "(\w+ing flights)"$/gm)];
  assert.equal(searches.length, 2);
  for (const [, label] of searches) assert.ok(`doing_${label}` in de, `“${label}” is said in German`);
});
