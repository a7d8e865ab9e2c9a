// What the page does without the browser's storage: where site data is blocked, or there is no room.
import assert from "node:assert/strict";
import { type TestContext, afterEach, test } from "node:test";
import { Live } from "../src/live/live.ts";
import { bearerOf } from "../src/session/renewal.ts";
import { Kept } from "../src/session/storage.ts";
import { logIn, login, logOut, start } from "../src/session/token.ts";
import { Turn } from "../src/voice/turn.ts";
import { Memory } from "./memory.ts";

const refuse = (): never => {
  throw new DOMException("Not here.", "SecurityError");
};
const full = (): Memory => Object.assign(new Memory(), { setItem: refuse });

/** The browser's storages, each made by `open` when it is read. */
function browser(open: () => Storage): void {
  Object.defineProperty(globalThis, "window", { configurable: true, value: new EventTarget() });
  for (const name of ["localStorage", "sessionStorage"]) {
    Object.defineProperty(globalThis, name, { configurable: true, get: open });
  }
}

/** Accepts everything and tells nothing. Gives the keys of the messages that came. */
function network(t: TestContext): string[] {
  const keys: string[] = [];
  const place = { sessionId: "s", streamUrl: "/api/v1/stream/s?after=g.5", version: 5 };
  const nothing = { userId: "u", version: 5, tasks: [], notes: [], messages: [], preferences: {}, pinnedMemories: [] };
  t.mock.method(globalThis, "fetch", async (path: string, ask: RequestInit) => {
    if (path.endsWith("/message")) keys.push(new Headers(ask.headers).get("idempotency-key") ?? "");
    if (path.includes("/stream/")) return new Response(": ok\n\n");
    return new Response(JSON.stringify(path.includes("/state?") ? nothing : { ...place, version: 6 }));
  });
  return keys;
}

afterEach(() => logOut());

const written = { conversationId: "main", text: "Hi", notes: [], speak: false, language: "en", createdAt: "" };
const token = [{}, { sub: "u", exp: 9_999_999_999 }, {}]
  .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
  .join(".");

const places: [string, () => () => Storage][] = [
  ["where site data is blocked", () => refuse],
  [
    "where the storage is full",
    () => {
      const one = full();
      return () => one;
    },
  ],
];
for (const [where, open] of places) {
  test(`${where} people can log in and write`, async (t) => {
    browser(open());
    const keys = network(t);
    start();
    logIn({ token, userId: "u", expiresAt: 9_999_999_999, refreshToken: null });
    const live = new Live("u", bearerOf("u"));
    void live.start();
    t.after(() => live.stop());
    live.outbox.add({ ...written, id: "a" });
    live.outbox.add({ ...written, id: "b" }); // comes after the place of the first was to be remembered
    for (let tries = 0; tries < 100 && keys.length < 2; tries += 1) await new Promise((done) => setTimeout(done, 10));
    assert.deepEqual(keys, ["a", "b"]);
    assert.equal(login()?.token, token);
  });
}

test("what there was no room for stands before what is stored, until there is room", () => {
  const storage = new Memory();
  const kept = new Kept(() => storage);
  kept.setItem("a", "1");
  const { setItem } = storage;
  storage.setItem = refuse;
  kept.setItem("a", "2");
  assert.deepEqual([kept.getItem("a"), storage.getItem("a")], ["2", "1"]);
  storage.setItem = setItem;
  kept.setItem("a", "3");
  assert.deepEqual([kept.getItem("a"), storage.getItem("a")], ["3", "3"]);
});

test("what is to be forgotten is, whether it was stored or not, and nothing else", () => {
  const storage = new Memory();
  const kept = new Kept(() => storage);
  for (const key of ["ours.1", "ours.2", "theirs"]) kept.setItem(key, "stored");
  storage.setItem = refuse;
  for (const key of ["ours.1", "ours.3", "theirs"]) kept.setItem(key, "of the page");
  kept.forget((key) => key.startsWith("ours."));
  assert.deepEqual(
    ["ours.1", "ours.2", "ours.3", "theirs"].map((key) => kept.getItem(key)),
    [null, null, null, "of the page"],
  );
  assert.equal(storage.length, 1);
});

test("of two tabs the one that was looked at last speaks, and whoever is left when it closes", () => {
  const storage = new Memory();
  const [one, other] = [new Turn(storage), new Turn(storage)];
  const speaking = () => [one.isMine(), other.isMine()];
  one.take();
  assert.deepEqual(speaking(), [true, false]);
  other.take();
  assert.deepEqual(speaking(), [false, true]);
  one.leave();
  assert.deepEqual(speaking(), [false, true]);
  other.leave();
  assert.equal(one.isMine(), true);
});
