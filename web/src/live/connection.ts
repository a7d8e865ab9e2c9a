// Keeps one stream open: opens a session, reads frames, and after any break goes on from the last cursor. Owns no
// state of the user; frames go to whoever asked for them, in order.
import type { Keeping } from "../session/storage.ts";
import type { Frame } from "../wire.ts";
import { type Client, Problem } from "./client.ts";
import { readFrames } from "./sse.ts";

export type Link = "connecting" | "live" | "away" | "expired";

const SILENCE_MS = 25_000; // two pings and a half
const BACKOFF_MS = 400;
const BACKOFF_MAX_MS = 8_000;
const PLACE_MS_MAX = 3_600_000; // an older place would make the server tell more than a new snapshot holds

interface Place {
  sessionId: string;
  streamUrl: string;
  /** A snapshot that is older than this has a gap before what the stream tells. */
  version: number;
  at: number;
}

export interface Ears {
  onFrames(frames: Frame[]): void;
  onLink(link: Link): void;
}

export class Connection {
  private readonly client: Client;
  private readonly storage: Keeping;
  private readonly storageKey: string;
  private readonly ears: Ears;
  private place: Place | null;
  private lastId: string | null = null;
  private readonly stopped = new AbortController();
  private cut = new AbortController();
  private wake: () => void = () => undefined;
  private beginning: Promise<Place> | null = null;
  private failures = 0;

  /** `storage` is the tab's: a reload goes on in the same session, another tab has its own. */
  constructor(client: Client, storage: Keeping, userId: string, ears: Ears) {
    this.client = client;
    this.storage = storage;
    this.storageKey = `microcos.place.${userId}`;
    this.ears = ears;
    this.place = this.remembered();
  }

  /** Returns once there is a place to begin from: a snapshot that is taken after that has no gap before the stream. */
  async open(): Promise<void> {
    const { streamUrl } = this.place ?? (await this.begin());
    // It is from there that the stream has to be told, also when there is a younger place before it could tell anything.
    this.lastId ??= new URL(streamUrl, "http://api").searchParams.get("after");
  }

  async run(): Promise<void> {
    const { signal } = this.stopped;
    while (!signal.aborted) {
      this.ears.onLink("connecting");
      const verdict = await this.once(signal);
      if (verdict === "expired") return this.ears.onLink("expired");
      if (signal.aborted) return;
      if (verdict === "away") this.ears.onLink("away");
      await this.pause(verdict === "again" ? 50 + Math.random() * 250 : this.backoff());
    }
  }

  stop(): void {
    this.stopped.abort();
    this.wake();
  }

  /** The network is said to be back: a stream from before may be dead without knowing it. */
  hurry(): void {
    this.failures = 0;
    this.cut.abort();
    this.wake();
  }

  /** Something was missed: begin again as if for the first time. A snapshot has to be taken after the next `open`. */
  restart(): void {
    this.lastId = null;
    this.forget();
    this.cut.abort();
  }

  /** `streamUrl` of an accepted message: a younger place to begin from after a reload. */
  remember({ sessionId, streamUrl, version }: Omit<Place, "at">): Place {
    this.place = { sessionId, streamUrl, version, at: Date.now() };
    this.storage.setItem(this.storageKey, JSON.stringify(this.place));
    return this.place;
  }

  get version(): number {
    return this.place?.version ?? 0;
  }

  private remembered(): Place | null {
    const stored = this.storage.getItem(this.storageKey);
    const place = stored === null ? null : (JSON.parse(stored) as Place);
    return place !== null && Date.now() - place.at < PLACE_MS_MAX ? place : null;
  }

  /** One at a time: whoever asks meanwhile gets the same place. */
  private begin(): Promise<Place> {
    this.beginning ??= this.beginSession().finally(() => {
      this.beginning = null;
    });
    return this.beginning;
  }

  private async beginSession(): Promise<Place> {
    return this.remember(await this.client.json<Place>("/api/v1/sessions", { method: "POST", body: {} }));
  }

  private async once(signal: AbortSignal): Promise<"again" | "away" | "expired"> {
    const cut = new AbortController();
    this.cut = cut;
    const abort = () => cut.abort();
    signal.addEventListener("abort", abort);
    try {
      const place = this.place ?? (await this.begin());
      const headers: Record<string, string> = this.lastId === null ? {} : { "last-event-id": this.lastId };
      const token = this.client.bearer.token() ?? "";
      const response = await this.client.send(place.streamUrl, { headers, signal: cut.signal });
      if (response.body === null) return "away";
      this.failures = 0;
      this.ears.onLink("live");
      let expired = false;
      await readFrames(response.body, SILENCE_MS, (frames) => {
        for (const frame of frames) {
          if (frame.id !== null) this.lastId = frame.id;
          expired ||= frame.name === "auth.expired";
        }
        this.ears.onFrames(frames);
      });
      return expired && !(await this.client.bearer.renew(token)) ? "expired" : "again";
    } catch (error) {
      if (error instanceof Problem) return this.refused(error);
      return cut.signal.aborted ? "again" : "away";
    } finally {
      signal.removeEventListener("abort", abort);
      cut.abort();
    }
  }

  private refused(problem: Problem): "again" | "away" | "expired" {
    if (problem.status === 401) return "expired";
    if (problem.status === 404 || problem.status === 410) {
      this.forget(); // the session was closed; our cursor is good in the next one
      return this.failures++ === 0 ? "again" : "away";
    }
    if (problem.status === 400) {
      this.lastId = null;
      this.forget();
    }
    return "away";
  }

  private forget(): void {
    this.place = null;
    this.storage.removeItem(this.storageKey);
  }

  private backoff(): number {
    const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.failures);
    this.failures += 1;
    return most * (0.5 + Math.random() / 2);
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
