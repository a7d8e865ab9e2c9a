// What is told, and to whom, when streams break, snapshots are taken anew and people come and go. The network is ours.
import assert from "node:assert/strict";
import { QueryObserver } from "@tanstack/react-query";
import { type TestContext, before, test } from "node:test";
import { Client } from "../src/live/client.ts";
import { Connection } from "../src/live/connection.ts";
import { Live } from "../src/live/live.ts";
import { bearerOf } from "../src/session/renewal.ts";
import { logIn, login, logOut } from "../src/session/token.ts";
import { LiveSpeech } from "../src/voice/live_socket.ts";
import type { Frame } from "../src/wire.ts";
import { Memory } from "./memory.ts";

before(() => {
  const locks = { request: (_: string, held: () => Promise<void>) => held() };
  const given = { window: new EventTarget(), localStorage: new Memory(), sessionStorage: new Memory() };
  for (const [name, value] of Object.entries(given)) Object.defineProperty(globalThis, name, { value });
  Object.defineProperty(navigator, "locks", { value: locks });
});

interface Asked {
  path: string;
  headers: Headers;
}

/** Every request is answered by what `answer` gives, and told. */
function network(t: TestContext, answer: (path: string, asked: Asked[]) => Response | Promise<Response>): Asked[] {
  const asked: Asked[] = [];
  t.mock.method(globalThis, "fetch", async (path: string, ask: RequestInit) => {
    asked.push({ path, headers: new Headers(ask.headers) });
    return answer(path, asked);
  });
  return asked;
}

const stranger = { token: () => null, renew: () => Promise.resolve(false), expire: () => undefined };
const json = (body: object) => new Response(JSON.stringify(body));
const sse = (...frames: object[]) =>
  frames.map((data) => `event: ${(data as { type: string }).type}\ndata: ${JSON.stringify(data)}\n\n`).join("");
const placeAt = (version: number) => ({ sessionId: "s", streamUrl: `/api/v1/stream/s?after=g.${version}`, version });
const afterOf = ({ path, headers }: Asked) =>
  headers.get("last-event-id") ?? new URL(path, "http://api").searchParams.get("after");

const pause = () => new Promise((done) => setTimeout(done, 10));

test("a stream that broke before it told anything goes on from its own beginning, not from a younger place", async (t) => {
  const asked = network(t, (path) => (path.endsWith("/sessions") ? json(placeAt(10)) : new Response(": ok\n\n")));
  const ears = { onFrames: (_: Frame[]) => undefined, onLink: () => undefined };
  const connection = new Connection(new Client(stranger), new Memory(), "u", ears);
  await connection.open();
  connection.remember(placeAt(20)); // of a message that was accepted
  const over = connection.run();
  const streams = () => asked.filter(({ path }) => path.includes("/stream/"));
  while (streams().length < 2) await pause();
  connection.stop();
  await over;
  assert.deepEqual(streams().slice(0, 2).map(afterOf), ["g.10", "g.10"]);
});

test("frames that ask for another snapshot while one is taken get it, and the page goes on", async (t) => {
  const reset = { type: "stream.reset", version: 1, text: "" };
  const task = { type: "task.created", taskId: "t1", task: { id: "t1", title: "A", version: 9 }, version: 9 };
  let tellSecond: () => void = () => undefined;
  const secondReset = new Promise<void>((done) => {
    tellSecond = done;
  });
  let [streams, states] = [0, 0];
  network(t, async (path) => {
    if (path.endsWith("/sessions")) return json(placeAt(5));
    if (path.includes("/state?")) {
      states += 1;
      if (states === 2) await secondReset; // is held until this snapshot is there
      return json(nothing);
    }
    streams += 1;
    if (streams > 3) return new Response(new ReadableStream());
    if (streams === 2) setTimeout(tellSecond, 50);
    return new Response(sse(streams < 3 ? reset : task));
  });
  const live = new Live("u", stranger);
  void live.start();
  for (let tries = 0; tries < 500 && live.brain().version < 9; tries += 1) await pause();
  live.stop();
  assert.deepEqual(Object.keys(live.brain().tasks), ["t1"]);
});

const nothing = { userId: "u", version: 5, tasks: [], notes: [], messages: [], preferences: {}, pinnedMemories: [] };

test("a list that could not be read is asked for again when there is a connection", async (t) => {
  let isAway = true;
  let connect: () => void = () => undefined;
  const connected = new Promise<void>((done) => {
    connect = done;
  });
  network(t, async (path) => {
    if (path.endsWith("/sessions")) return json(placeAt(5));
    if (path.includes("/state?")) return json(nothing);
    if (path.includes("/list")) return isAway ? Promise.reject(new Error("away")) : json({ read: true });
    await connected;
    return new Response(": ok\n\n");
  });
  const live = new Live("u", stranger);
  void live.start();
  const list = { queryKey: ["list"], queryFn: () => live.client.json("/api/v1/list") };
  const watcher = new QueryObserver(live.queries, list);
  t.after(() => live.stop());
  t.after(watcher.subscribe(() => undefined));
  for (let tries = 0; tries < 100 && !watcher.getCurrentResult().isError; tries += 1) await pause();
  assert.equal(watcher.getCurrentResult().isError, true);
  isAway = false;
  connect();
  for (let tries = 0; tries < 100 && !watcher.getCurrentResult().isSuccess; tries += 1) await pause();
  assert.deepEqual(watcher.getCurrentResult().data, { read: true });
});

test("an answer that comes after the log-out leaves nothing in the browser", async (t) => {
  let accept: () => void = () => undefined;
  const accepted = new Promise<void>((done) => {
    accept = done;
  });
  network(t, async () => {
    await accepted;
    return json(placeAt(7));
  });
  const live = new Live("gone", stranger);
  const entry = { id: "a", conversationId: "main", text: "", notes: [], speak: false, language: "en", createdAt: "" };
  live.outbox.add(entry);
  live.stop();
  logOut();
  accept();
  await pause();
  assert.equal(localStorage.getItem("microcos.outbox.gone"), null);
  assert.equal(sessionStorage.getItem("microcos.place.gone"), null);
});

/** A token of that user, whose signature nobody looks at here. */
const tokenOf = (user: string, mark: string) => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({})}.${part({ sub: user, exp: Math.floor(Date.now() / 1_000) + 600 })}.${mark}`;
};
const loginOf = (user: string, mark: string, refreshToken: string | null = null) => ({
  token: tokenOf(user, mark),
  userId: user,
  expiresAt: Math.floor(Date.now() / 1_000) + 600,
  refreshToken,
});

test("what one user sent is never sent again as another who logged in meanwhile, nor ends their log-in", async (t) => {
  const anna = loginOf("anna", "a");
  logIn(anna);
  const asked = network(t, (_, all) => {
    if (all.length === 1) logIn(loginOf("ben", "b"));
    return new Response("{}", { status: 401 });
  });
  const bearer = bearerOf("anna");
  await assert.rejects(new Client(bearer).send("/api/v1/message", { method: "POST", body: {}, key: "k" }));
  await assert.rejects(new Client(bearer).send("/api/v1/message", { method: "POST", body: {}, key: "k" }));
  bearer.expire();
  assert.deepEqual(
    asked.map(({ headers }) => headers.get("authorization")),
    [`Bearer ${anna.token}`, null],
  );
  assert.equal(login()?.userId, "ben");
  assert.ok((login()?.expiresAt ?? 0) > 0);
  logOut();
});

test("a renewal that comes after a log-out in another tab logs nobody in", async (t) => {
  const anna = loginOf("anna", "a", "refresh");
  logIn(anna);
  const issuer = "https://issuer.test";
  network(t, (path) => {
    if (path === "/auth/config")
      return json({ mode: "oidc", oidc: { issuer, clientId: "c", scope: "", audience: null } });
    if (path.includes(".well-known"))
      return json({ issuer, authorization_endpoint: issuer, token_endpoint: `${issuer}/t` });
    localStorage.removeItem("microcos.login"); // by the other tab, whose event has not come yet
    return json({ access_token: tokenOf("anna", "renewed"), refresh_token: "next" });
  });
  assert.equal(await bearerOf("anna").renew(anna.token), false);
  assert.equal(login(), null);
  assert.equal(localStorage.getItem("microcos.login"), null);
});

test("a voice note that is over before the server listens is ended when it does", async (t) => {
  const sent: string[] = [];
  const made: FakeSocket[] = [];
  class FakeSocket {
    onopen: () => void = () => undefined;
    onmessage: (event: { data: string }) => void = () => undefined;
    constructor() {
      made.push(this);
    }
    send = (what: unknown) =>
      void sent.push(typeof what === "string" ? (JSON.parse(what) as { type: string }).type : "sound");
    close = () => undefined;
  }
  t.mock.property(globalThis, "WebSocket", FakeSocket as unknown as typeof WebSocket);
  Object.assign(window, { location: { href: "http://here/" } });
  const client = { json: () => Promise.resolve({ ticket: "t" }) } as unknown as Client;
  const ears = { onPartial: () => undefined, onLost: () => undefined, onFinal: () => undefined };
  const speech = await LiveSpeech.open(client, {}, ears);
  made[0]?.onopen();
  speech.speak(new Int16Array(1));
  speech.end();
  made[0]?.onmessage({ data: JSON.stringify({ type: "ack", requestId: "start" }) });
  assert.deepEqual(sent, ["voice.start", "sound", "voice.end"]);
});
