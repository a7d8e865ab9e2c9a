// Server-sent events over fetch, because an EventSource cannot send a token. Lines in, frames out.
import type { Frame } from "../wire.ts";
import { record } from "./read.ts";

/** Feeds on text as it arrives, in pieces of any size; each call gives the frames that became whole. */
export class SseParser {
  private rest = "";
  private name = "";
  private id: string | null = null;
  private data: string[] = [];

  push(piece: string): Frame[] {
    const lines = (this.rest + piece).split("\n");
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.line(line.endsWith("\r") ? line.slice(0, -1) : line));
  }

  private line(line: string): Frame[] {
    if (line === "") return this.finish();
    const colon = line.indexOf(":");
    if (colon === 0) return [];
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.name = value;
    else if (field === "data") this.data.push(value);
    else if (field === "id") this.id = value;
    return [];
  }

  private finish(): Frame[] {
    const { name, id, data } = this;
    this.name = "";
    this.id = null;
    this.data = [];
    return data.length === 0 ? [] : [{ name, id, data: record(JSON.parse(data.join("\n"))) }];
  }
}

/** Hands on each batch of frames, until the stream ends. Rejects when it breaks, or is silent for too long. */
export async function readFrames(
  body: ReadableStream<Uint8Array>,
  silenceMs: number,
  onFrames: (frames: Frame[]) => void,
): Promise<void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await withDeadline(reader.read(), silenceMs);
      if (done) return;
      const frames = parser.push(decoder.decode(value, { stream: true }));
      if (frames.length > 0) onFrames(frames);
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}

function withDeadline<T>(promise: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the stream fell silent")), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
