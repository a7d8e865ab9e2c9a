// Speech behind OpenAI-compatible addresses: whatever is said is understood as one sentence, whatever is read aloud is
// a second of a quiet tone.
import { type Server, createServer } from "node:http";
import { freePort } from "./system.ts";

export const HEARD = "Remember that my favourite airport is JFK";
const RATE = 16_000;

export class FakeSpeech {
  readonly url: string;
  private readonly server: Server;

  private constructor(server: Server, port: number) {
    this.server = server;
    this.url = `http://127.0.0.1:${port}/v1`;
    server.on("request", (request, response) => {
      request.resume();
      request.on("end", () => {
        if (request.url === "/v1/audio/transcriptions") {
          response
            .writeHead(200, { "content-type": "application/json" })
            .end(JSON.stringify({ text: HEARD, language: "en", duration: 1 }));
        } else if (request.url === "/v1/audio/speech") {
          response.writeHead(200, { "content-type": "audio/wav" }).end(tone());
        } else response.writeHead(404).end();
      });
    });
  }

  static async start(): Promise<FakeSpeech> {
    const port = await freePort();
    const server = createServer();
    const speech = new FakeSpeech(server, port);
    await new Promise<void>((done) => server.listen(port, "127.0.0.1", done));
    return speech;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

/** What the fake microphone hears, over and over: three seconds with the dips of syllables, three of silence. */
export const VOICE = wav(6, (second) => (second < 3 && second % 0.5 < 0.4 ? 12_000 : 0));

const tone = (): Buffer => wav(1, () => 3_000);

function wav(seconds: number, loudnessAt: (second: number) => number): Buffer {
  const samples = Buffer.alloc(seconds * RATE * 2);
  for (let index = 0; index < seconds * RATE; index += 1) {
    samples.writeInt16LE(Math.round(loudnessAt(index / RATE) * Math.sin(index / 6)), index * 2);
  }
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(RATE * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}
