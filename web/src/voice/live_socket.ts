// Speech over the WebSocket while it is spoken. The page's frames come by its own stream; of this socket only what is
// said about the speech is read.
import type { Client } from "../live/client.ts";
import { record, text } from "../live/read.ts";

const FORMAT = { format: "pcm16", rate: 16_000 };

export interface SpeechEars {
  onPartial(text: string): void;
  /** Live speech is not to be had, or broke: what was recorded has to be uploaded. */
  onLost(): void;
  /** The server has all of it, and made a message of it unless nothing was said. */
  onFinal(text: string): void;
}

export class LiveSpeech {
  private readonly socket: WebSocket;
  private started = false;
  private ended = false;
  private over = false;
  private waiting: Int16Array<ArrayBuffer>[] = [];

  private constructor(socket: WebSocket, start: Record<string, unknown>, ears: SpeechEars) {
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "voice.start", requestId: "start", ...FORMAT, ...start }));
    socket.onmessage = ({ data }) => this.hear(record(JSON.parse(String(data))), ears);
    socket.onclose = () => this.lost(ears);
  }

  static async open(client: Client, start: Record<string, unknown>, ears: SpeechEars): Promise<LiveSpeech> {
    const { ticket } = await client.json<{ ticket: string }>("/api/v1/stream/ticket", { method: "POST", body: {} });
    const url = new URL(`/api/v1/realtime?ticket=${encodeURIComponent(ticket)}`, window.location.href);
    url.protocol = url.protocol.replace("http", "ws");
    return new LiveSpeech(new WebSocket(url), start, ears);
  }

  speak(chunk: Int16Array<ArrayBuffer>): void {
    if (this.started) this.socket.send(chunk);
    else if (!this.over) this.waiting.push(chunk);
  }

  /** Nothing more will be said; the final text is awaited. */
  end(): void {
    this.ended = true; // said at once, or when the server is ready: a short note is over before that
    if (this.started) this.socket.send(JSON.stringify({ type: "voice.end", requestId: "end" }));
  }

  close(): void {
    this.over = true;
    this.socket.close();
  }

  private hear(message: Record<string, unknown>, ears: SpeechEars): void {
    const data = record(message.data);
    if (message.type === "ack" && message.requestId === "start") {
      this.started = true;
      for (const chunk of this.waiting.splice(0)) this.socket.send(chunk);
      if (this.ended) this.end();
    } else if (message.type === "error") {
      this.lost(ears);
    } else if (message.event === "voice.partial") {
      ears.onPartial(text(data.text));
    } else if (message.event === "voice.final") {
      const isRefused = text(data.text) !== "" && text(data.messageId) === ""; // understood, but not accepted
      if (isRefused) this.lost(ears);
      else {
        this.close();
        ears.onFinal(text(data.text));
      }
    }
  }

  private lost(ears: SpeechEars): void {
    if (this.over) return;
    this.close();
    ears.onLost();
  }
}
