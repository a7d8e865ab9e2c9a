// One voice note, from the microphone to the message: live where the server listens, else uploaded whole. Either way
// it has one client id, so it becomes one message. It must not know React.
import type { Client } from "../live/client.ts";
import { newMessageId } from "../live/live.ts";
import { newId } from "../session/ids.ts";
import { LiveSpeech } from "./live_socket.ts";
import { Recorder } from "./recorder.ts";

const FINAL_MS_MAX = 15_000;

export interface Note {
  conversationId: string;
  language: string;
  speak: boolean;
}

export interface NoteEars {
  onPartial(text: string): void;
  /** It is as long as a note may be: what is said from now on is not heard. */
  onFull(): void;
  /** It is a message now. */
  onDone(): void;
  /** It was uploaded; the stream tells how this job ends. */
  onJob(jobId: string): void;
  /** Null where there was nothing to hear. */
  onFailed(error: unknown): void;
}

export class Dictation {
  private readonly client: Client;
  private readonly note: Note & { clientMessageId: string };
  private readonly ears: NoteEars;
  private recorder: Recorder | null = null;
  private speech: LiveSpeech | null = null;
  private isSending = false;
  private isOver = false;

  constructor(client: Client, note: Note, ears: NoteEars) {
    this.client = client;
    this.note = { ...note, clientMessageId: newMessageId() };
    this.ears = ears;
  }

  /** Rejects where the microphone may not be used. */
  async start(): Promise<void> {
    this.recorder = await Recorder.start(
      (chunk) => this.speech?.speak(chunk),
      () => !this.isSending && !this.isOver && this.ears.onFull(),
    );
    if (this.isOver) return this.cancel();
    void this.listen();
  }

  async send(): Promise<void> {
    this.isSending = true;
    await this.recorder?.stop();
    const { speech } = this;
    if (speech === null) return this.upload();
    speech.end();
    setTimeout(() => this.speech === speech && this.lost(), FINAL_MS_MAX);
  }

  /** Lets go of the microphone and of everything that was said. */
  cancel(): void {
    this.isOver = true;
    this.speech?.close();
    this.speech = null;
    void this.recorder?.stop();
  }

  private async listen(): Promise<void> {
    const ears = {
      onPartial: this.ears.onPartial,
      onLost: () => this.lost(),
      onFinal: (text: string) => this.end(() => (text === "" ? this.ears.onFailed(null) : this.ears.onDone())),
    };
    try {
      const speech = await LiveSpeech.open(this.client, { ...this.note }, ears);
      if (this.isOver || this.isSending) return speech.close();
      this.speech = speech;
      for (const chunk of this.recorder?.chunks ?? []) speech.speak(chunk);
    } catch {
      this.speech = null; // it is uploaded when it is sent
    }
  }

  private lost(): void {
    this.speech?.close();
    this.speech = null;
    if (this.isSending) void this.upload();
  }

  private async upload(): Promise<void> {
    if (this.isOver || this.recorder === null) return;
    const form = new FormData();
    form.set("file", this.recorder.wav(), "note.wav");
    for (const [name, value] of Object.entries(this.note)) form.set(name, String(value));
    try {
      const ask = { method: "POST", form, key: newId("v") } as const;
      this.ears.onJob(
        (await this.client.json<{ transcriptJobId: string }>("/api/v1/voice-upload", ask)).transcriptJobId,
      );
    } catch (error) {
      this.end(() => this.ears.onFailed(error));
    }
  }

  private end(tell: () => void): void {
    if (this.isOver) return;
    this.cancel();
    tell();
  }
}
