import assert from "node:assert/strict";
import { test } from "node:test";
import { shownMessages, unknownConversations } from "../src/chat/shown.ts";
import type { Client } from "../src/live/client.ts";
import { Away, Problem } from "../src/live/client.ts";
import { type Accepted, Outbox } from "../src/live/outbox.ts";
import { SseParser } from "../src/live/sse.ts";
import { Kept } from "../src/session/storage.ts";
import type { Message } from "../src/wire.ts";
import { Memory } from "./memory.ts";

test("frames are the same however the text is cut", () => {
  const source =
    'retry: 1000\n: ok\n\nid: g.1\nevent: task.created\ndata: {"version":1}\n\n: ping\n\nevent: x\r\ndata: {"a":\ndata: "ü"}\r\n\r\n';
  const expected = [
    { name: "task.created", id: "g.1", data: { version: 1 } },
    { name: "x", id: null, data: { a: "ü" } },
  ];
  for (let cut = 0; cut <= source.length; cut += 1) {
    const parser = new SseParser();
    assert.deepEqual([...parser.push(source.slice(0, cut)), ...parser.push(source.slice(cut))], expected);
  }
});

const entry = (id: string) => ({
  id,
  conversationId: "main",
  text: id,
  notes: [],
  speak: false,
  language: "en",
  createdAt: "",
});

/** A server that answers as told, once each, and then accepts. */
function server(...answers: Error[]) {
  const keys: string[] = [];
  const json = (_: string, ask: { key?: string }) => {
    keys.push(ask.key ?? "");
    const answer = answers.shift();
    return answer === undefined ? Promise.resolve({} as Accepted) : Promise.reject(answer);
  };
  return { keys, client: { json } as unknown as Client };
}

test("one that waits says why, and no longer once it was sent", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const busy = new Problem(429, "messages_per_minute", "Wait a little.", 5);
  const { client } = server(busy, new Away());
  const outbox = new Outbox(client, new Memory(), "u", () => undefined);
  const seen = async () => {
    await new Promise((done) => setImmediate(done));
    const [first] = outbox.list();
    return [first?.state, first?.code];
  };
  outbox.add(entry("a"));
  assert.deepEqual(await seen(), ["waiting", "messages_per_minute"]);
  t.mock.timers.tick(5_000);
  assert.deepEqual(await seen(), ["waiting", "away"]);
  t.mock.timers.tick(15_000);
  assert.deepEqual(await seen(), ["sent", undefined]);
});

test("messages go in order, each under its own key, and wait while nobody answers", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { keys, client } = server(new Away());
  const outbox = new Outbox(client, new Memory(), "u", () => undefined);
  outbox.add(entry("a"));
  outbox.add(entry("b"));
  await outbox.flush();
  await new Promise(setImmediate);
  assert.deepEqual(keys, ["a"], "b waits behind a");
  assert.equal(outbox.isUnanswered(), true);
  t.mock.timers.tick(2_000);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.deepEqual(keys, ["a", "a", "b"]);
  assert.equal(outbox.isUnanswered(), false);
  assert.deepEqual(
    outbox.list().map(({ state }) => state),
    ["sent", "sent"],
  );
  outbox.stop();
});

test("a refused message says why, holds nobody up, and can be sent again or let go", async () => {
  const { keys, client } = server(new Problem(400, "text_too_long", "Too long.", null));
  const storage = new Memory();
  const outbox = new Outbox(client, storage, "u", () => undefined);
  outbox.add(entry("a"));
  outbox.add(entry("b"));
  await new Promise(setImmediate);
  assert.deepEqual(
    outbox.list().map(({ state, code }) => [state, code]),
    [
      ["refused", "text_too_long"],
      ["sent", undefined],
    ],
  );
  outbox.retry("a");
  await new Promise(setImmediate);
  assert.deepEqual(keys, ["a", "b", "a"]);
  outbox.settle(() => true, 0);
  assert.equal(storage.length, 0);
});

test("what another page left unsent is sent by the next", async () => {
  const storage = new Memory();
  const first = new Outbox(server(new Problem(401, "token_expired", "", null)).client, storage, "u", () => undefined);
  first.add(entry("a"));
  await new Promise(setImmediate);
  const { keys, client } = server();
  await new Outbox(client, storage, "u", () => undefined).flush();
  assert.deepEqual(keys, ["a"]);
});

test("what another tab wrote a moment ago is not lost when this one lets go of a message", async () => {
  const storage = new Memory();
  const silent = { json: () => new Promise(() => undefined) } as unknown as Client;
  new Outbox(silent, storage, "u", () => undefined).add(entry("a"));
  const here = new Outbox(server().client, storage, "u", () => undefined);
  new Outbox(silent, storage, "u", () => undefined).add(entry("b")); // no event of the storage has come yet
  here.settle((id) => id === "a", 0);
  const left = new Outbox(silent, storage, "u", () => undefined).list();
  assert.deepEqual(
    left.map(({ id }) => id),
    ["b"],
  );
});

test("a message that was accepted long ago, or in a conversation that is gone, is not sent for ever", async () => {
  const storage = new Memory();
  const client = { json: () => Promise.resolve({ version: 7 }) } as unknown as Client;
  const outbox = new Outbox(client, storage, "u", () => undefined);
  outbox.add(entry("a"));
  await new Promise(setImmediate);
  outbox.settle(() => false, 6);
  assert.equal(outbox.list().length, 1, "the stream may still show it");
  outbox.settle(() => false, 7);
  assert.equal(outbox.list().length, 0);
});

test("once it was stopped nothing more is sent, whatever was on its way", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  for (const answer of [undefined, new Away()]) {
    let tell: () => void = () => undefined;
    const told = new Promise<void>((done) => {
      tell = done;
    });
    const keys: string[] = [];
    const json = async (_: string, ask: { key?: string }) => {
      keys.push(ask.key ?? "");
      await told;
      if (answer !== undefined) throw answer;
      return {};
    };
    const outbox = new Outbox({ json } as unknown as Client, new Memory(), "u", () => undefined);
    outbox.add(entry("a"));
    outbox.add(entry("b"));
    outbox.stop();
    tell();
    await new Promise(setImmediate);
    t.mock.timers.tick(60_000);
    await new Promise(setImmediate);
    assert.deepEqual(keys, ["a"]);
  }
});

test("where the browser has no room for it a message is sent all the same", async () => {
  const storage = new Memory();
  storage.setItem = () => {
    throw new DOMException("It is full.", "QuotaExceededError");
  };
  const { keys, client } = server();
  const outbox = new Outbox(client, new Kept(() => storage), "u", () => undefined);
  outbox.add(entry("a"));
  outbox.add(entry("b"));
  await new Promise(setImmediate);
  assert.deepEqual(keys, ["a", "b"]);
  assert.deepEqual(
    outbox.list().map(({ id, state }) => [id, state]),
    [
      ["a", "sent"],
      ["b", "sent"],
    ],
  );
});

test("a conversation is listed while something in it was not sent, and what was not sent goes when it is deleted", async () => {
  const { client } = server(new Problem(400, "text_too_long", "Too long.", null));
  const outbox = new Outbox(client, new Memory(), "u", () => undefined);
  outbox.add({ ...entry("a"), conversationId: "gone" });
  await new Promise(setImmediate);
  const listed = [{ id: "main" }, { id: "kept" }];
  assert.deepEqual(unknownConversations(listed, outbox.list(), "main"), ["gone"]);
  assert.deepEqual(unknownConversations(listed, outbox.list(), "new"), ["new", "gone"]);
  outbox.leave("gone");
  assert.deepEqual(unknownConversations(listed, outbox.list(), "main"), []);
});

const message = (id: string, change: Partial<Message>): Message => ({
  id,
  role: "user",
  text: id,
  status: "completed",
  conversationId: "main",
  channel: "chat",
  origin: "user",
  actions: [],
  createdAt: "2025-11-21T09:00:00.000Z",
  version: 1,
  ...change,
});

test("a new answer stands in the place of the old one, and an unsent message at the end", () => {
  const later = "2025-11-21T09:05:00.000Z";
  const listed = [
    message("m1", { clientMessageId: "c1" }),
    message("r1", { role: "assistant", inReplyTo: "m1" }),
    message("m2", { createdAt: "2025-11-21T09:01:00.000Z" }),
    message("r2", { role: "assistant", inReplyTo: "m2", createdAt: "2025-11-21T09:01:00.000Z" }),
    message("r3", { role: "assistant", inReplyTo: "m1", supersedes: "r1", createdAt: later }),
    message("other", { conversationId: "conv_2" }),
  ];
  const known = Object.fromEntries(listed.map((one) => [one.id, one]));
  const shown = shownMessages(
    known,
    [
      { ...entry("c1"), state: "sent" },
      { ...entry("c9"), state: "waiting" },
    ],
    "main",
  );
  assert.deepEqual(
    shown.map(({ key }) => key),
    ["c1", "r3", "m2", "r2", "c9"],
  );
});
