// Log-in at an OpenID Connect issuer, by settings alone, and how it goes on without the person.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Issuer } from "./issuer.ts";
import { Person, assertSoon, closeBrowser } from "./people.ts";
import { System } from "./system.ts";

let issuer: Issuer;
let system: System;
before(async () => {
  issuer = await Issuer.start();
  system = await System.start({
    MICROCOS_AUTH_MODE: "jwks",
    MICROCOS_AUTH_ISSUER: issuer.url,
    MICROCOS_AUTH_JWKS_URL: `${issuer.url}/keys`,
    MICROCOS_AUTH_AUDIENCE: "microcos-web",
    MICROCOS_AUTH_CLIENT_ID: "microcos-web",
    MICROCOS_AUTH_SCOPE: "openid profile offline_access",
  });
});
after(async () => {
  await closeBrowser();
  await system.close();
  issuer.close();
});

/** One whose tokens are good for so long. */
async function loggedIn(user: string, lifetimeSeconds: number): Promise<Person> {
  issuer.user = user;
  issuer.lifetimeSeconds = lifetimeSeconds;
  const person = await Person.come();
  await person.page.goto(system.url);
  await person.page.getByRole("button", { name: "Log in" }).click();
  await person.box.waitFor();
  return person;
}

const taken = (count: number) => assertSoon(async () => assert.ok(issuer.refreshed.taken >= count));

const banner = (person: Person) => person.page.getByText("Your log-in is over");

test("one button leads to the issuer and back into the chat", async () => {
  const person = await loggedIn("anna", 600);
  assert.equal(new URL(person.page.url()).search, "", "the code is taken out of the address");
  await person.ask("Hello");
  await person.page.getByText("anna", { exact: true }).waitFor();
  await person.leave();
});

test("an answer to a log-in that this tab did not begin is refused", async () => {
  const person = await Person.come();
  await person.page.goto(`${system.url}/login?code=stolen&state=elsewhere`);
  await person.page.getByRole("alert").getByText("not begun in this tab").waitFor();
  await person.leave();
});

test("a page can talk to nobody but its server and the issuer", async () => {
  const person = await Person.come();
  await person.page.goto(`${system.url}/login`);
  const tried = await person.page.evaluate(async () => {
    const outcome = (promise: Promise<unknown>) =>
      promise.then(
        () => "sent",
        () => "stopped",
      );
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    return [await outcome(fetch("http://localhost:1/")), "ran" in window];
  });
  assert.deepEqual(tried, ["stopped", false]);
  assert.ok(person.complaints.some((line) => line.includes("Content Security Policy")));
  await person.leave(/Content Security Policy|violates/);
});

test("a log-in is renewed before its time is over, by one tab for all, and nobody notices", async () => {
  const person = await loggedIn("steady", 6);
  const tab = await person.context.newPage();
  person.watch(tab);
  await tab.goto(system.url);
  await tab.getByRole("textbox", { name: "Write a message" }).waitFor();
  await person.box.fill("What I am about to say");
  await person.box.evaluate((box) => box.setAttribute("data-same", "yes"));
  const before = issuer.refreshed.taken;
  const streamAgain = person.page.waitForRequest(/\/api\/v1\/stream\//); // the one with the first token is ended
  await taken(before + 2);
  await streamAgain;
  assert.equal(await person.box.getAttribute("data-same"), "yes", "the page went on and was not made anew");
  assert.equal(await person.box.inputValue(), "What I am about to say");
  await person.box.press("Enter");
  await person.answered();
  await tab.locator(".message.assistant[data-status=completed]").waitFor();
  assert.equal(await banner(person).count(), 0);
  assert.equal(issuer.refreshed.refused, 0, "no refresh token was sent twice");
  await person.leave();
});

test("a token that the server refuses is renewed once, and what was asked is asked again", async () => {
  const person = await loggedIn("renewed", 600);
  const before = issuer.refreshed.taken;
  const refusal = {
    status: 401,
    contentType: "application/problem+json",
    body: '{"status":401,"code":"token_expired"}',
  };
  await person.page.route("**/api/v1/message", (route) => route.fulfill(refusal), { times: 1 });
  await person.ask("Hello");
  assert.equal(issuer.refreshed.taken, before + 1);
  await person.page.reload();
  await person.box.waitFor();
  assert.equal(await banner(person).count(), 0);
  await person.leave(/401/);
});

test("while the issuer does not answer, what was written waits for it", async () => {
  const person = await loggedIn("waiting", 600);
  const { page } = person;
  const before = issuer.refreshed.taken;
  const asked = page.waitForEvent("requestfailed");
  await page.route("**/.well-known/openid-configuration", (route) => route.abort());
  await page.route("**/api/v1/message", (route) => route.fulfill({ status: 401, body: "" }));
  await person.say("Are you there?");
  await asked;
  await page.getByText("Waiting for a connection").waitFor();
  assert.equal(await banner(person).count(), 0);
  await page.unroute("**/api/v1/message");
  await page.unroute("**/.well-known/openid-configuration");
  await assertSoon(async () => assert.equal(await page.getByText("Waiting for a connection").count(), 0));
  await person.answered();
  assert.equal(await page.locator(".message.user").count(), 1);
  assert.ok(issuer.refreshed.taken <= before + 1);
  await person.leave(/401|ERR_FAILED/);
});

test("when the issuer refuses to renew, the draft waits for the next log-in", async () => {
  const person = await loggedIn("over", 6);
  await person.box.fill("What I meant to say");
  issuer.revoke();
  await banner(person).waitFor();
  issuer.lifetimeSeconds = 600;
  await person.page.getByRole("link", { name: "Log in again" }).click();
  await person.page.getByRole("button", { name: "Log in" }).click();
  await assertSoon(async () => assert.equal(await person.box.inputValue(), "What I meant to say"));
  assert.equal(await banner(person).count(), 0);
  await person.leave(/400/);
});
