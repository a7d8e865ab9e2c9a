import assert from "node:assert/strict";
import { test } from "node:test";
import { type Brain, emptyBrain, mergeMessages, withSnapshot } from "../src/live/brain.ts";
import { reduce, reduceAll } from "../src/live/reducer.ts";
import type { Frame, State } from "../src/wire.ts";

const frame = (name: string, data: Record<string, unknown>): Frame => ({
  name,
  id: null,
  data: { type: name, ...data },
});
const AT = "2025-11-21T09:00:00.000Z";
const asked = frame("message.created", {
  messageId: "m1",
  role: "user",
  text: "Hi",
  status: "accepted",
  conversationId: "main",
  createdAt: AT,
  version: 1,
});
const announced = frame("message.created", {
  messageId: "r1",
  role: "assistant",
  text: "",
  status: "queued",
  inReplyTo: "m1",
  conversationId: "main",
  createdAt: AT,
  version: 2,
});
const token = (text: string, offset: number, attempt = 1): Frame =>
  frame("llm.token", { token: text, messageId: "r1", attempt, offset, version: 2 });
const completed = (text: string, version = 4): Frame =>
  frame("message.completed", {
    messageId: "r1",
    event: "done",
    attempt: 1,
    role: "assistant",
    text,
    status: "completed",
    inReplyTo: "m1",
    conversationId: "main",
    createdAt: AT,
    version,
    usage: {},
  });
const said = (brain: Brain) => brain.messages.r1?.text;
const begun = reduceAll(emptyBrain(), [asked, announced]);
const snapshot = (change: Partial<State>): State => ({
  userId: "u",
  tasks: [],
  notes: [],
  messages: [],
  preferences: {},
  pinnedMemories: [],
  version: 0,
  ...change,
});

test("tokens join, and repeated or overlapping ones change nothing", () => {
  const tokens = [token("He", 0), token("llo ", 2), token("llo ", 2), token("o you", 4), token("He", 0)];
  assert.equal(said(reduceAll(begun, tokens)), "Hello you");
});

test("offsets count code points, so a face is one", () => {
  assert.equal(said(reduceAll(begun, [token("🙂🙂", 0), token("🙂!", 1), token("?", 3)])), "🙂🙂!?");
});

test("a gap between tokens makes the state stale instead of the text wrong", () => {
  const after = reduceAll(begun, [token("He", 0), token("you", 6)]);
  assert.equal(said(after), "He");
  assert.equal(after.stale, true);
});

test("a new attempt drops the text of the one before, whose late tokens are dropped", () => {
  const restarted = frame("llm.restarted", { messageId: "r1", attempt: 2, version: 3 });
  assert.equal(said(reduceAll(begun, [token("Hel", 0), restarted, token("lo", 3), token("Good", 0, 2)])), "Good");
});

test("an end is the last word: tokens and progress after it change nothing", () => {
  const progress = frame("message.progress", { messageId: "r1", stage: "thinking", version: 4 });
  const ended = reduceAll(begun, [token("Hel", 0), completed("Hello")]);
  assert.equal(reduceAll(ended, [token("x", 5), progress]), ended);
  assert.equal(said(ended), "Hello");
});

test("facts at or below the known version change nothing, whatever they say", () => {
  const created = frame("task.created", { taskId: "t1", task: { id: "t1", title: "A", version: 3 }, version: 3 });
  const deleted = frame("task.deleted", { taskId: "t1", version: 4 });
  const once = reduceAll(begun, [created, deleted]);
  assert.deepEqual(reduceAll(once, [asked, announced, created, deleted]), once);
  assert.deepEqual(once.tasks, {});
});

test("replay from any place ends in the same state", () => {
  const action = { id: "a1", kind: "create_task", status: "committed", payload: { title: "A" }, resultId: "t1" };
  const frames = [
    asked,
    announced,
    frame("llm.action", {
      action: "create_task",
      actionId: "a1",
      payload: { title: "A" },
      messageId: "r1",
      attempt: 1,
      index: 1,
      offset: 0,
      version: 2,
    }),
    frame("task.created", { taskId: "t1", task: { id: "t1", title: "A", version: 4 }, version: 3 }),
    frame("action.created", { messageId: "r1", action, version: 4 }),
    token("Done", 0),
    token(": A", 4),
    completed("Done: A", 5),
  ];
  const whole = reduceAll(emptyBrain(), frames);
  for (let cut = 0; cut <= frames.length; cut += 1) {
    for (let back = 0; back <= cut; back += 1) {
      assert.deepEqual(
        reduceAll(reduceAll(emptyBrain(), frames.slice(0, cut)), frames.slice(back)),
        whole,
        `${back} to ${cut}`,
      );
    }
  }
  assert.deepEqual(whole.messages.r1?.actions, [action]);
});

test("a reset puts the text in its place, and asks for facts that were left out", () => {
  const reset = (version: number) =>
    frame("stream.reset", { messageId: "r1", attempt: 1, index: 9, text: "All of ", version });
  const after = reduceAll(begun, [token("xx", 0), reset(2), token("it", 7)]);
  assert.equal(said(after), "All of it");
  assert.equal(after.stale, false);
  assert.equal(reduce(begun, reset(9)).stale, true);
  assert.equal(
    reduce(begun, frame("stream.reset", { text: "", version: 1 })).stale,
    true,
    "of a log that was restored",
  );
});

test("an older snapshot does not take back what frames brought, a newer one replaces it", () => {
  const created = frame("task.created", { taskId: "t1", task: { id: "t1", title: "A", version: 3 }, version: 3 });
  const brain = reduce(begun, created);
  assert.deepEqual(Object.keys(withSnapshot(brain, snapshot({ version: 2 })).tasks), ["t1"]);
  assert.deepEqual(withSnapshot(brain, snapshot({ version: 9 })).tasks, {});
});

test("a snapshot, which has no text of a running reply, keeps the one that streamed", () => {
  const streaming = reduceAll(begun, [token("Hel", 0)]);
  const reply = {
    ...announced.data,
    id: "r1",
    actions: [],
    status: "streaming",
  } as unknown as State["messages"][number];
  assert.equal(said(withSnapshot(streaming, snapshot({ version: 9, messages: [reply] }))), "Hel");
});

test("a page of history that is behind the stream takes back nothing of an action", () => {
  const proposed = { id: "a1", kind: "create_task", status: "proposed" as const, payload: null };
  const action = (name: string, status: string, version: number) =>
    frame(name, { messageId: "r1", action: { ...proposed, status }, version });
  const ended = reduceAll(begun, [action("action.created", "proposed", 3), completed("Shall I?", 4)]);
  const page = Object.values(ended.messages); // was read here, and comes after the next frame
  const brain = reduce(ended, action("action.updated", "committed", 5));
  const statusAfter = (isBehind: boolean) => mergeMessages(brain.messages, page, isBehind).r1?.actions[0]?.status;
  assert.equal(statusAfter(true), "committed");
  assert.equal(statusAfter(false), "proposed", "a view that is not behind has the last word");
});

test("a deleted conversation takes its messages with it", () => {
  const deleted = frame("conversation.deleted", { conversationId: "main", version: 3 });
  assert.deepEqual(reduce(begun, deleted).messages, {});
});

test("frames of a newer server are passed over", () => {
  assert.equal(reduce(begun, frame("mood.changed", { version: 7 })), begun);
  assert.equal(reduce(begun, frame("server.closing", { version: 7 })), begun);
});

test("flights join their trip, and the question that led to them", () => {
  const flights = [
    {
      flight_id: "f1",
      airline: "A",
      departure: "08:00",
      arrival: "17:00",
      departs: "2025-12-01T08:00",
      destination: "BOS",
      price: { amount: 1, currency: "USD" },
    },
  ];
  const found = reduceAll(begun, [
    frame("travel.suggestions", {
      workflowId: "w1",
      travelEventId: null,
      messageId: "m1",
      rankedFlights: flights,
      version: 3,
    }),
    frame("travel.selected", { workflowId: "w1", flight: flights[0], version: 4 }),
  ]);
  assert.equal(found.made.m1?.trip, "w1");
  assert.equal(found.trips.w1?.selected_flight_id, "f1");
});
