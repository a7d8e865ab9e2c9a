// Cloudflare's own client of Workers AI against the stand-in at process.argv[2]. Prints what it made of each answer as
// one line of JSON. The stand-in is told by its own `POST /plans` what to answer next.
import { generateText, jsonSchema, streamText, tool } from "ai";
import { createWorkersAI } from "workers-ai-provider";

const standIn = process.argv[2];
const REAL = /^https:\/\/(api\.cloudflare\.com|gateway\.ai\.cloudflare\.com)/;

const provider = (gateway) =>
  createWorkersAI({
    accountId: "account-1",
    apiKey: "token-1",
    ...(gateway ? { gateway: { id: gateway } } : {}),
    fetch: (url, options) => fetch(String(url).replace(REAL, standIn), options),
  })("@cf/meta/llama-3.3-70b-instruct-fp8-fast");

const tools = {
  create_task: tool({
    description: "Create a task.",
    inputSchema: jsonSchema({
      type: "object",
      properties: { title: { type: "string", description: "What is to be done." } },
      required: ["title"],
    }),
  }),
};

const plan = (next) => fetch(`${standIn}/plans`, { method: "POST", body: JSON.stringify([next]) });

async function streamed(next, { gateway, ...options } = {}) {
  await plan(next);
  const seen = { text: "", calls: [], reason: null, usage: null, error: null };
  const result = streamText({
    model: provider(gateway),
    messages: [{ role: "user", content: "hello" }],
    maxOutputTokens: 100,
    maxRetries: 0,
    onError: () => {},
    ...options,
  });
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") seen.text += part.text ?? part.delta;
    if (part.type === "tool-call") seen.calls.push({ name: part.toolName, input: part.input });
    if (part.type === "error") seen.error = { status: part.error.statusCode, retryable: part.error.isRetryable };
    if (part.type === "finish") {
      seen.reason = part.finishReason;
      seen.usage = [part.totalUsage.inputTokens, part.totalUsage.outputTokens];
    }
  }
  return seen;
}

async function whole(next) {
  await plan(next);
  const result = await generateText({ model: provider(), prompt: "hello", maxRetries: 0 });
  return { text: result.text, usage: [result.usage.inputTokens, result.usage.outputTokens] };
}

const words = "one two three";
const call = ["create_task", '{"title":"call John"}'];
console.log(
  JSON.stringify({
    native: await streamed({ text: words }),
    newer: await streamed({ text: words, shape: "openai" }),
    gateway: await streamed({ text: words }, { gateway: "gateway-1" }),
    call: await streamed({ text: "", tool_calls: [call] }, { tools }),
    newerCall: await streamed({ text: "", tool_calls: [call], shape: "openai" }, { tools }),
    truncated: await streamed({ text: words, send_done: false, send_usage: false }),
    allowance: await streamed({ status: 429, error: 3036 }),
    missing: await streamed({ status: 400, error: 5007 }),
    whole: await whole({ text: words }),
  }),
);
