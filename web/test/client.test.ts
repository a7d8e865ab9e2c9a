import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Away, type Bearer, Client, Problem } from "../src/live/client.ts";

/** A server that takes one token only, and what it was sent. */
function serverTaking(t: TestContext, good: string): (string | null)[] {
  const seen: (string | null)[] = [];
  t.mock.method(globalThis, "fetch", (_: string, ask: RequestInit) => {
    const given = new Headers(ask.headers).get("authorization");
    seen.push(given);
    return Promise.resolve(new Response("{}", { status: given === `Bearer ${good}` ? 200 : 401 }));
  });
  return seen;
}

/** One who has `first`, and after a renewal `next`; null where there is none to be had. */
function bearer(first: string, next: string | null) {
  let token = first;
  let isExpired = false;
  const found: Bearer & { isExpired(): boolean } = {
    token: () => token,
    renew: () => {
      token = next ?? token;
      return Promise.resolve(next !== null);
    },
    expire: () => {
      isExpired = true;
    },
    isExpired: () => isExpired,
  };
  return found;
}

test("what was refused for its token is asked again with a newer one", async (t) => {
  const seen = serverTaking(t, "new");
  const anna = bearer("old", "new");
  assert.equal((await new Client(anna).send("/x", { method: "POST", body: {}, key: "k" })).status, 200);
  assert.deepEqual(seen, ["Bearer old", "Bearer new"]);
  assert.equal(anna.isExpired(), false);
});

test("it is asked again once only: a newer token that is refused too is over", async (t) => {
  const seen = serverTaking(t, "another");
  const anna = bearer("old", "new");
  await assert.rejects(new Client(anna).send("/x"), Problem);
  assert.deepEqual(seen, ["Bearer old", "Bearer new"]);
  assert.equal(anna.isExpired(), true);
});

test("where no newer token is to be had the refusal stands", async (t) => {
  const seen = serverTaking(t, "new");
  await assert.rejects(
    new Client(bearer("old", null)).send("/x"),
    (error) => error instanceof Problem && error.status === 401,
  );
  assert.deepEqual(seen, ["Bearer old"]);
});

test("while nobody can tell whether there is a newer token, nobody has answered", async (t) => {
  serverTaking(t, "new");
  const anna = { ...bearer("old", null), renew: () => Promise.reject(new Away()) };
  await assert.rejects(new Client(anna).send("/x"), Away);
});

test("who has no token is not renewed", async (t) => {
  const seen = serverTaking(t, "new");
  const stranger = { ...bearer("", "new"), token: () => null };
  await assert.rejects(new Client(stranger).send("/x"), Problem);
  assert.deepEqual(seen, [null]);
});
