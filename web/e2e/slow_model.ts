// A model behind an OpenAI-compatible address that speaks slowly: it counts, a word at a time, so that a test can see
// an answer while it grows and know how it must end, and as far only as the test lets it. Or it says what it is told to.
import { type IncomingMessage, type Server, createServer } from "node:http";
import { freePort } from "./system.ts";

export const counted = (to: number): string =>
  Array.from({ length: to }, (_, index) => `number-${index + 1}`).join(" ");

export class SlowModel {
  readonly url: string;
  /** How far an answer may go for now: at so many words it waits until it may go on. */
  wordsMax = Number.POSITIVE_INFINITY;
  private readonly server: Server;

  private constructor(server: Server, port: number, pauseMs: number) {
    this.server = server;
    this.url = `http://127.0.0.1:${port}/v1`;
    server.on("request", (request, response) => {
      if (request.method !== "POST") return void response.writeHead(404).end();
      void (async () => {
        const { messages } = JSON.parse(await bodyOf(request)) as { messages: { role: string; content: string }[] };
        const asked = messages.findLast((message) => message.role === "user")?.content ?? "";
        const said = /say: ([^]+)/.exec(asked)?.[1] ?? counted(Number(/count to (\d+)/.exec(asked)?.[1] ?? 3));
        response.writeHead(200, { "content-type": "text/event-stream" });
        const send = (delta: object, finish_reason: string | null) => {
          const chunk = { id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] };
          response.write(`data: ${JSON.stringify(chunk)}\n\n`);
        };
        for (const [index, word] of said.split(/(?= )/).entries()) {
          do {
            await new Promise((done) => setTimeout(done, pauseMs));
            if (response.destroyed) return;
          } while (index >= this.wordsMax);
          send({ content: word }, null);
        }
        send({}, "stop");
        response.end("data: [DONE]\n\n");
      })();
    });
  }

  static async start(pauseMs: number): Promise<SlowModel> {
    const port = await freePort();
    const server = createServer();
    const model = new SlowModel(server, port, pauseMs);
    await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    return model;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const piece of request) body += String(piece);
  return body;
}
