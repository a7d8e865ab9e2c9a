// Log-in at an OpenID Connect issuer, by settings alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Issuer } from "./issuer.ts";
import { Person, closeBrowser } from "./people.ts";
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
  });
});
after(async () => {
  await closeBrowser();
  await system.close();
  issuer.close();
});

test("one button leads to the issuer and back into the chat", async () => {
  const person = await Person.come();
  await person.page.goto(system.url);
  await person.page.getByRole("button", { name: "Log in" }).click();
  await person.box.waitFor();
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
