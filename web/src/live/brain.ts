// What the client knows of its user: the snapshot, kept current by frames. Plain values only, so that it can be
// compared, tested and put into the query cache. It must not know the network.
import type { Memory, Message, Note, Payload, Plan, State, Task, Trip } from "../wire.ts";

export interface Progress {
  stage: string;
  /** What is being done, in the server's words. */
  label: string;
}

export interface Speech {
  url: string;
  expiresAt: string;
}

export interface Brain {
  userId: string;
  /** Every fact up to this version is in here. */
  version: number;
  messages: Record<string, Message>;
  /** Conversations that the server is known to have. */
  begun: Record<string, true>;
  tasks: Record<string, Task>;
  memories: Record<string, Memory>;
  notes: Record<string, Note>;
  preferences: Payload;
  plans: Record<string, Plan>;
  trips: Record<string, Trip>;
  /** Ids of plans (by date) and trips (by workflow) that a message led to. */
  made: Record<string, { plan?: string; trip?: string }>;
  /** What the assistant does for a reply right now. */
  progress: Record<string, Progress>;
  speech: Record<string, Speech>;
  /** Recordings whose work is over, by job: why it failed, or null. */
  recordings: Record<string, string | null>;
  /** The task that came due last, while this page was open. */
  reminder: { taskId: string; version: number } | null;
  warning: { budget: string; used: number; limit: number } | null;
  /** The last version at which a list that is not kept here changed. */
  changed: { conversations: number; calendar: number; travel: number; usage: number };
  erased: boolean;
  /** The stream could not go on where we were: the snapshot has to be fetched again. */
  stale: boolean;
}

export function emptyBrain(): Brain {
  return {
    userId: "",
    version: 0,
    messages: {},
    begun: {},
    tasks: {},
    memories: {},
    notes: {},
    preferences: {},
    plans: {},
    trips: {},
    made: {},
    progress: {},
    speech: {},
    recordings: {},
    reminder: null,
    warning: null,
    changed: { conversations: 0, calendar: 0, travel: 0, usage: 0 },
    erased: false,
    stale: false,
  };
}

export const isRunning = (message: Message): boolean =>
  message.role === "assistant" && (message.status === "queued" || message.status === "streaming");

/** The length that the stream counts in: Unicode code points, not UTF-16 units. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** `text` from the code point `start` on. */
export function fromCodePoint(text: string, start: number): string {
  let unit = 0;
  for (let seen = 0; seen < start && unit < text.length; seen += 1) {
    unit += (text.codePointAt(unit) ?? 0) > 0xffff ? 2 : 1;
  }
  return text.slice(unit);
}

function byId<T extends { id: string | null }>(items: readonly T[]): Record<string, T> {
  return Object.fromEntries(items.flatMap((item) => (item.id === null ? [] : [[item.id, item]])));
}

/**
 * A snapshot over what is known. An older snapshot than what the stream brought changes nothing but old messages.
 * Of a running reply the longer text stands: views hold none of it before it ends.
 */
export function withSnapshot(brain: Brain, state: State): Brain {
  const messages = mergeMessages(brain.messages, state.messages, state.version < brain.version);
  if (state.version < brain.version) return { ...brain, userId: state.userId, messages };
  return {
    ...brain,
    userId: state.userId,
    version: state.version,
    messages,
    tasks: byId(state.tasks),
    memories: byId(state.pinnedMemories),
    notes: byId(state.notes),
    preferences: state.preferences,
    plans: Object.fromEntries((state.planCache ?? []).map((plan) => [plan.date, plan])),
    stale: false,
  };
}

/** A page of history, or any other list of messages, into those that are known. A message's version says nothing of
 * its actions: one that was read before what the stream has told since, `isBehind`, must not undo that. */
export function mergeMessages(
  known: Record<string, Message>,
  page: readonly Message[],
  isBehind: boolean,
): Record<string, Message> {
  const merged = { ...known };
  for (const message of page) {
    const old = merged[message.id];
    merged[message.id] = old === undefined ? message : newer(old, message, isBehind);
  }
  return merged;
}

function newer(old: Message, read: Message, isBehind: boolean): Message {
  if (isRunning(old) && isRunning(read)) {
    if (isBehind) return old;
    const actions = read.actions.length >= old.actions.length ? read.actions : old.actions;
    return { ...read, actions, text: old.text, status: old.status, ...(old.attempt ? { attempt: old.attempt } : {}) };
  }
  if (!isRunning(old) && isRunning(read)) return old;
  return read.version > old.version || (read.version === old.version && !isBehind) ? read : old;
}
