// Which messages a conversation shows, in which order, and as what assistant-ui wants them. Pure.
import type { ThreadMessageLike } from "@assistant-ui/react";
import { isRunning } from "../live/brain.ts";
import type { Unsent } from "../live/outbox.ts";
import type { Message } from "../wire.ts";

export interface Shown {
  /** Never changes while a message is on the screen, from its writing on. */
  key: string;
  message: Message;
  unsent: Unsent | null;
}

const cache = new WeakMap<object, Shown>();

/** Each user's message, oldest first, with the last reply to it; then what is not known to have arrived. */
export function shownMessages(
  messages: Record<string, Message>,
  outbox: readonly Unsent[],
  conversationId: string,
): Shown[] {
  const own = Object.values(messages).filter((message) => message.conversationId === conversationId);
  const superseded = new Set(own.flatMap((message) => (message.supersedes ? [message.supersedes] : [])));
  const visible = own.filter((message) => !superseded.has(message.id) && !message.supersededBy);
  const order = new Map(visible.map((message) => [message.id, place(message, messages)]));
  visible.sort((a, b) => ((order.get(a.id) ?? "") < (order.get(b.id) ?? "") ? -1 : 1));
  const known = new Set(own.map((message) => message.clientMessageId));
  const waiting = outbox.filter((entry) => entry.conversationId === conversationId && !known.has(entry.id));
  return [...visible.map(shown), ...waiting.map(shownUnsent)];
}

/** Conversations that the server does not list, yet or any more: the one that is open, and those where something waits
 * or was refused, which nobody would see again otherwise. */
export function unknownConversations(
  listed: readonly { id: string }[],
  outbox: readonly Unsent[],
  current: string,
): string[] {
  const unknown = new Set([current, ...outbox.map((entry) => entry.conversationId)]);
  for (const { id } of listed) unknown.delete(id);
  return [...unknown];
}

/** Sorts as text: the time of the question, then the question itself before its reply. */
function place(message: Message, messages: Record<string, Message>): string {
  const question = message.inReplyTo === undefined ? message : (messages[message.inReplyTo] ?? message);
  const rank = question === message && message.role === "user" ? 0 : 1;
  return `${question.createdAt} ${question.id} ${rank} ${message.createdAt}`;
}

function shown(message: Message): Shown {
  return cached(message, () => ({ key: message.clientMessageId ?? message.id, message, unsent: null }));
}

function shownUnsent(entry: Unsent): Shown {
  return cached(entry, () => ({
    key: entry.id,
    unsent: entry,
    message: {
      id: entry.id,
      role: "user",
      text: entry.text,
      status: "accepted",
      conversationId: entry.conversationId,
      channel: "chat",
      origin: "user",
      actions: [],
      createdAt: entry.createdAt,
      version: 0,
    },
  }));
}

function cached(source: object, make: () => Shown): Shown {
  const known = cache.get(source);
  if (known !== undefined) return known;
  const made = make();
  cache.set(source, made);
  return made;
}

export function toThreadMessage({ key, message, unsent }: Shown): ThreadMessageLike {
  const text = { type: "text" as const, text: message.text ?? "" };
  const common = {
    id: key,
    role: message.role,
    createdAt: new Date(message.createdAt),
    metadata: { custom: { message, unsent } },
  };
  if (message.role === "user") return { ...common, content: [text] };
  const actions = message.actions.map((action) => ({
    type: "tool-call" as const,
    toolCallId: action.id,
    toolName: action.kind,
    args: {},
    artifact: action,
    ...(action.status === "proposed" ? {} : { result: action.status }),
  }));
  return { ...common, content: [...(text.text === "" ? [] : [text]), ...actions], status: statusOf(message) };
}

function statusOf(message: Message): NonNullable<ThreadMessageLike["status"]> {
  if (isRunning(message)) return { type: "running" };
  if (message.status === "stopped") return { type: "incomplete", reason: "cancelled" };
  if (message.status === "failed") return { type: "incomplete", reason: "error", error: message.code ?? "failed" };
  return { type: "complete", reason: "stop" };
}
