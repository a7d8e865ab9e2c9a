// Messages that were written but are not known to have arrived, kept in the browser with their idempotency keys: sent
// in order, again after any doubt, by any tab, and accepted once.
import type { Keeping } from "../session/storage.ts";
import { Away, type Client, Problem } from "./client.ts";

export interface Unsent {
  /** Is the idempotency key and the client's id of the message. */
  id: string;
  conversationId: string;
  text: string;
  notes: { id: string; title: string; text: string }[];
  speak: boolean;
  language: string;
  createdAt: string;
  state: "waiting" | "sent" | "refused";
  /** Of one that was sent: whoever knows the stream up to here has been shown it. */
  version?: number;
  /** Why it was refused; of one that waits, why it has to. */
  code?: string;
  detail?: string;
}

export interface Accepted {
  messageId: string;
  replyId: string;
  sessionId: string;
  streamUrl: string;
  version: number;
}

const RETRY_MS = 1_500;
const RETRY_MAX_MS = 15_000;

export class Outbox {
  private readonly client: Client;
  private readonly storage: Keeping;
  private readonly storageKey: string;
  private readonly onAccepted: (accepted: Accepted) => void;
  private readonly listeners = new Set<() => void>();
  private entries: readonly Unsent[];
  private sending = false;
  private stopped = false;
  private failures = 0;
  private unanswered = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: Client, storage: Keeping, userId: string, onAccepted: (accepted: Accepted) => void) {
    this.client = client;
    this.storage = storage;
    this.storageKey = `microcos.outbox.${userId}`;
    this.onAccepted = onAccepted;
    this.entries = this.read();
  }

  // Fields, so that they can be handed on as functions.
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly list = (): readonly Unsent[] => this.entries;
  /** Nobody answered the last one: whatever the stream believes, there is no connection. */
  readonly isUnanswered = (): boolean => this.unanswered;

  /** What another tab wrote. */
  readonly reread = (event: StorageEvent): void => {
    if (event.key !== this.storageKey) return;
    this.entries = this.read();
    this.tell();
  };

  add(entry: Omit<Unsent, "state">): void {
    this.write([...this.read(), { ...entry, state: "waiting" }]);
    void this.flush();
  }

  retry(id: string): void {
    this.change(id, ({ code: _, detail: __, ...entry }) => ({ ...entry, state: "waiting" }));
    void this.flush();
  }

  discard(id: string): void {
    this.write(this.read().filter((entry) => entry.id !== id));
  }

  /** Its conversation is deleted, and what was never sent in it with it. */
  leave(conversationId: string): void {
    this.write(this.read().filter((entry) => entry.conversationId !== conversationId));
  }

  /** What the stream has shown, or was accepted at or before the version that it has come to, needs no care any more:
   * a message of long ago is in no snapshot, and one of a deleted conversation is shown by nobody. */
  settle(isKnown: (id: string) => boolean, version: number): void {
    const isOver = (entry: Unsent) => isKnown(entry.id) || (entry.version !== undefined && entry.version <= version);
    // Read again: another tab may have written one that this tab has not been told of yet.
    if (this.entries.some(isOver)) this.write(this.read().filter((entry) => !isOver(entry)));
  }

  async flush(): Promise<void> {
    if (this.sending || this.stopped) return;
    this.sending = true;
    clearTimeout(this.timer);
    try {
      for (let next = this.waiting(); next !== undefined; next = this.waiting()) {
        if (!(await this.sendOne(next)) || this.stopped) return;
      }
    } finally {
      this.sending = false;
    }
  }

  stop(): void {
    clearTimeout(this.timer);
    this.stopped = true;
  }

  private waiting = (): Unsent | undefined => this.entries.find((entry) => entry.state === "waiting");

  /** Whether to go on with the next. */
  private async sendOne(entry: Unsent): Promise<boolean> {
    try {
      const accepted = await this.post(entry);
      this.failures = 0;
      this.unanswered = false;
      this.change(entry.id, ({ code: _, ...sent }) => ({ ...sent, state: "sent", version: accepted.version }));
      this.onAccepted(accepted);
      return true;
    } catch (error) {
      this.unanswered = error instanceof Away;
      if (error instanceof Problem && !error.isPassing && error.status !== 401) {
        this.change(entry.id, (refused) => ({ ...refused, state: "refused", code: error.code, detail: error.message }));
        return true;
      }
      if (error instanceof Problem && error.status === 401) return false; // after the next log-in
      if (!(error instanceof Problem) && !(error instanceof Away)) throw error;
      const code = error instanceof Problem ? error.code : "away";
      if (entry.code !== code) this.change(entry.id, (waiting) => ({ ...waiting, code }));
      this.later(error instanceof Problem ? error.retryAfterSeconds : null);
      return false;
    }
  }

  private async post(entry: Unsent): Promise<Accepted> {
    for (const note of entry.notes) {
      await this.client.json("/api/v1/notes", { method: "POST", body: note, key: `${entry.id}-${note.id}` });
    }
    const body = {
      channel: "chat",
      text: entry.text,
      conversationId: entry.conversationId,
      clientMessageId: entry.id,
      language: entry.language,
      speak: entry.speak,
      contextIds: entry.notes.map((note) => note.id),
    };
    return this.client.json<Accepted>("/api/v1/message", { method: "POST", body, key: entry.id });
  }

  private later(seconds: number | null): void {
    const ms = seconds === null ? Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** this.failures) : seconds * 1_000;
    this.failures += 1;
    if (!this.stopped) this.timer = setTimeout(() => void this.flush(), ms);
    this.tell();
  }

  private change(id: string, to: (entry: Unsent) => Unsent): void {
    this.write(this.read().map((entry) => (entry.id === id ? to(entry) : entry)));
  }

  private read(): readonly Unsent[] {
    return JSON.parse(this.storage.getItem(this.storageKey) ?? "[]") as Unsent[];
  }

  private write(entries: readonly Unsent[]): void {
    this.entries = entries;
    if (entries.length === 0) this.storage.removeItem(this.storageKey);
    else this.storage.setItem(this.storageKey, JSON.stringify(entries));
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
