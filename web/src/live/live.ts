// One log-in's live state: the snapshot and its stream in the query cache, the outbox beside it. React reads it
// through context.tsx; this module must not know React.
import { type Query, QueryClient } from "@tanstack/react-query";
import { newId } from "../session/ids.ts";
import { everywhere, here } from "../session/storage.ts";
import type { Frame, Message, State } from "../wire.ts";
import { type Brain, emptyBrain, mergeMessages, withSnapshot } from "./brain.ts";
import { type Bearer, Client, Problem } from "./client.ts";
import { Connection, type Link } from "./connection.ts";
import { Outbox } from "./outbox.ts";
import { reduceAll } from "./reducer.ts";

export const BRAIN = ["brain"] as const;
const RETRY_MS_MAX = 8_000;
const TRIES = 3;

/** What another answer may be had for in a moment, such as that of a view that is behind. */
const mayPass = (failures: number, error: Error): boolean =>
  error instanceof Problem && error.isPassing && failures < TRIES;

export class Live {
  readonly queries = new QueryClient({
    defaultOptions: {
      queries: { staleTime: 30_000, retry: mayPass, networkMode: "always" },
      mutations: { networkMode: "always" },
    },
  });
  readonly userId: string;
  readonly client: Client;
  readonly connection: Connection;
  readonly outbox: Outbox;
  private readonly listeners = new Set<() => void>();
  private linkNow: Link = "connecting";
  private stopped = false;
  private fetched: Brain | null = null;
  /** Frames that wait for a snapshot, while one is taken anew. */
  private held: Frame[] | null = null;

  constructor(userId: string, bearer: Bearer) {
    this.userId = userId;
    this.client = new Client(bearer);
    this.connection = new Connection(this.client, here, userId, {
      onFrames: (frames) => this.hear(frames),
      onLink: (link) => {
        this.setLink(link);
        if (link === "live") this.goOn();
        if (link === "expired") bearer.expire();
      },
    });
    this.outbox = new Outbox(this.client, everywhere, userId, (accepted) => {
      if (this.stopped) return; // somebody may have logged out: then nothing of theirs is kept
      this.connection.remember(accepted);
      this.settle();
    });
    this.queries.setQueryDefaults(BRAIN, {
      queryFn: () => this.snapshot(),
      retry: false, // `fetchSnapshot` tries again by itself
      staleTime: Number.POSITIVE_INFINITY,
      gcTime: Number.POSITIVE_INFINITY,
      // A snapshot is merged when it is read; what frames brought since then must not be undone.
      structuralSharing: (old, next) => (next === this.fetched && old !== undefined ? old : next),
    });
  }

  get link(): Link {
    return this.linkNow;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly readLink = (): Link => this.linkNow;

  brain(): Brain {
    return this.queries.getQueryData<Brain>(BRAIN) ?? emptyBrain();
  }

  /** Changes what is known, as a frame does; for answers of commands and for pages of history. */
  change(to: (brain: Brain) => Brain): void {
    this.queries.setQueryData<Brain>(BRAIN, (brain) => to(brain ?? emptyBrain()));
  }

  /** `version` is that of the view which they were read from. */
  learn(messages: readonly Message[], version: number): void {
    this.change((brain) => ({
      ...brain,
      messages: mergeMessages(brain.messages, messages, version < brain.version),
    }));
  }

  async start(): Promise<void> {
    window.addEventListener("online", this.hurry);
    window.addEventListener("offline", this.offline);
    window.addEventListener("storage", this.outbox.reread);
    await this.fetchSnapshot();
    if (!this.stopped && this.linkNow !== "expired") await this.connection.run();
  }

  stop(): void {
    this.stopped = true;
    window.removeEventListener("online", this.hurry);
    window.removeEventListener("offline", this.offline);
    window.removeEventListener("storage", this.outbox.reread);
    this.connection.stop();
    this.outbox.stop();
  }

  private readonly hurry = (): void => {
    this.connection.hurry();
    void this.outbox.flush();
  };

  /** There is a connection: what is unsent is sent, and what could not be read is asked for again. */
  private goOn(): void {
    void this.outbox.flush();
    const failed = ({ queryKey, state }: Query) => queryKey[0] !== BRAIN[0] && state.status === "error";
    void this.queries.refetchQueries({ type: "active", predicate: failed });
  }

  private readonly offline = (): void => this.setLink("away");

  /** Tries until there is one; gives up when the token's time is over. */
  private async fetchSnapshot(): Promise<void> {
    for (let failures = 0; !this.stopped; failures += 1) {
      try {
        await this.queries.fetchQuery({ queryKey: BRAIN, staleTime: 0 });
        return this.release();
      } catch (error) {
        if (error instanceof Problem && error.status === 401) return this.setLink("expired");
        if (error instanceof Problem && error.status === 400) this.connection.restart(); // of a log that is no more
        this.setLink("away");
        await new Promise((resolve) => setTimeout(resolve, Math.min(RETRY_MS_MAX, 400 * 2 ** failures)));
      }
    }
  }

  private async snapshot(): Promise<Brain> {
    await this.connection.open();
    const state = await this.client.json<State>(`/api/v1/state?limit=100&min_version=${this.connection.version}`);
    // Anew: what was known may be of a log that is no more.
    this.change((brain) => (this.held === null ? withSnapshot(brain, state) : withSnapshot(emptyBrain(), state)));
    this.settle();
    this.fetched = this.brain();
    return this.fetched;
  }

  /** After the snapshot was taken, and not while: what was held may ask for another one. */
  private release(): void {
    const { held } = this;
    this.held = null;
    if (held !== null) this.hear(held);
  }

  private async restart(): Promise<void> {
    this.held = [];
    this.connection.restart();
    await this.fetchSnapshot();
    void this.queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== BRAIN[0] });
  }

  private hear(frames: Frame[]): void {
    if (this.held !== null) {
      this.held.push(...frames);
      return;
    }
    const before = this.brain();
    const after = reduceAll(before, frames);
    if (after === before) return;
    this.change(() => after);
    this.settle();
    if (after.stale) void this.restart();
  }

  private settle(): void {
    const { messages, version } = this.brain();
    this.outbox.settle((id) => Object.values(messages).some((message) => message.clientMessageId === id), version);
  }

  private setLink(link: Link): void {
    if (link === this.linkNow) return;
    this.linkNow = link;
    for (const listener of this.listeners) listener();
  }
}

export const newMessageId = (): string => newId("c");
