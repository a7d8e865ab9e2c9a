// The one reducer over snapshot and events. Facts come in version order and are taken once: a frame at or below the
// version that is known changes nothing. Tokens say where they belong, so a repeated one changes nothing either.
import type { Frame, Memory, Message, MessageStatus, Note, Payload, Plan, Task } from "../wire.ts";
import { type Brain, codePoints, fromCodePoint, isRunning } from "./brain.ts";
import { type Change, dayChange } from "./day_frames.ts";
import { number, record, text } from "./read.ts";

export function reduce(brain: Brain, frame: Frame): Brain {
  const { name, data } = frame;
  switch (name) {
    case "llm.token":
      return withToken(brain, data);
    case "llm.action":
      return withProposal(brain, data);
    case "message.progress":
      return withProgress(brain, data);
    case "stream.reset":
      return withReset(brain, data);
    case "state.updated":
      return brain; // Whatever it says came as facts before, in order.
    default:
      return withFact(brain, name, data);
  }
}

export const reduceAll = (brain: Brain, frames: readonly Frame[]): Brain => frames.reduce(reduce, brain);

function withFact(brain: Brain, name: string, data: Payload): Brain {
  const version = number(data.version);
  if (version <= brain.version) return brain;
  const change = factChange(brain, name, data, version) ?? dayChange(brain, name, data, version);
  if (change === null) return brain; // The end of a connection, or news from a newer server.
  return { ...brain, ...change, version };
}

function factChange(brain: Brain, name: string, data: Payload, version: number): Change | null {
  switch (name) {
    case "message.created":
      return created(brain, data, version);
    case "llm.restarted":
      return restarted(brain, data);
    case "message.completed":
    case "message.failed":
    case "message.stopped":
      return ended(brain, data, version);
    case "action.created":
    case "action.updated":
      return withAction(brain, data);
    case "task.created":
    case "task.updated":
    case "task.completed":
      return { tasks: kept(brain.tasks, data.taskId, data.task as Task | null) };
    case "task.deleted":
      return { tasks: without(brain.tasks, data.taskId) };
    case "memory.pinned":
      return { memories: kept(brain.memories, data.memoryId, data.memory as Memory | null) };
    case "memory.deleted":
      return { memories: without(brain.memories, data.memoryId) };
    case "note.created":
      return { notes: kept(brain.notes, data.noteId, data.note as Note | null) };
    case "note.deleted":
      return { notes: without(brain.notes, data.noteId) };
    case "preference.updated":
      return data.key === null ? {} : { preferences: { ...brain.preferences, [text(data.key)]: data.value } };
    case "plan.updated":
      return planned(brain, data);
    case "session.opened":
    case "session.closed":
      return {};
    case "user.erased":
      return { erased: true };
    case "conversation.deleted":
      return deletedConversation(brain, data, version);
    case "conversation.created":
    case "conversation.updated":
      return { changed: { ...brain.changed, conversations: version } };
    default:
      return null;
  }
}

// --- objects by id --------------------------------------------------------------------------------------------

function kept<T>(known: Record<string, T>, id: unknown, value: T | null): Record<string, T> {
  return value === null || value === undefined ? known : { ...known, [text(id)]: value };
}

function without<T>(known: Record<string, T>, id: unknown): Record<string, T> {
  const { [text(id)]: _, ...rest } = known;
  return rest;
}

function planned(brain: Brain, data: Payload): Change {
  const plan = data.plan as Plan | null;
  if (plan === null || plan === undefined) return {};
  const message = text(data.messageId);
  const made = message === "" ? brain.made : { ...brain.made, [message]: { ...brain.made[message], plan: plan.date } };
  return { plans: { ...brain.plans, [plan.date]: plan }, made };
}

function deletedConversation(brain: Brain, data: Payload, version: number): Change {
  const left = Object.entries(brain.messages).filter(([, message]) => message.conversationId !== data.conversationId);
  return { messages: Object.fromEntries(left), changed: { ...brain.changed, conversations: version } };
}

// --- messages -------------------------------------------------------------------------------------------------

function created(brain: Brain, data: Payload, version: number): Change {
  const { type: _, messageId, ...rest } = data;
  const id = text(messageId);
  const known = brain.messages[id];
  const message = { ...(rest as unknown as Message), id, actions: known?.actions ?? [], version };
  return {
    messages: { ...brain.messages, [id]: message },
    changed: { ...brain.changed, conversations: version },
  };
}

function restarted(brain: Brain, data: Payload): Change {
  const change = { text: "", attempt: number(data.attempt), status: "streaming" as const };
  return { messages: patched(brain, data.messageId, (message) => ({ ...message, ...change })) };
}

function ended(brain: Brain, data: Payload, version: number): Change {
  const id = text(data.messageId);
  const { type: _, messageId: __, event: ___, usage: ____, attempt: _____, ...rest } = data;
  const actions = (brain.messages[id]?.actions ?? []).filter((action) => !action.working);
  const message = { ...(rest as unknown as Message), id, actions, version };
  return {
    messages: { ...brain.messages, [id]: message },
    progress: without(brain.progress, id),
    changed: { ...brain.changed, usage: version },
  };
}

function withAction(brain: Brain, data: Payload): Change {
  const action = record(data.action) as unknown as Message["actions"][number];
  return {
    messages: patched(brain, data.messageId, (message) => ({
      ...message,
      actions: [...message.actions.filter((known) => known.id !== action.id), action],
    })),
  };
}

function patched(brain: Brain, id: unknown, change: (message: Message) => Message): Record<string, Message> {
  const message = brain.messages[text(id)];
  return message === undefined ? brain.messages : { ...brain.messages, [message.id]: change(message) };
}

// --- what a running reply says --------------------------------------------------------------------------------

function running(brain: Brain, data: Payload): Message | null {
  const message = brain.messages[text(data.messageId)];
  if (message === undefined || !isRunning(message)) return null;
  return number(data.attempt) < (message.attempt ?? 0) ? null : message;
}

function withToken(brain: Brain, data: Payload): Brain {
  const message = running(brain, data);
  if (message === null) return brain;
  const attempt = number(data.attempt);
  const before = attempt > (message.attempt ?? 0) && message.attempt !== undefined ? "" : (message.text ?? "");
  const length = codePoints(before);
  const offset = number(data.offset);
  if (offset > length) return { ...brain, stale: true };
  const added = fromCodePoint(text(data.token), length - offset);
  if (added === "" && message.attempt === attempt) return brain;
  const status: MessageStatus = "streaming";
  const next = { ...message, text: before + added, attempt, status };
  return {
    ...brain,
    messages: { ...brain.messages, [message.id]: next },
    progress: added === "" ? brain.progress : without(brain.progress, message.id),
  };
}

function withProposal(brain: Brain, data: Payload): Brain {
  const message = running(brain, data);
  const id = text(data.actionId);
  if (message === null || message.actions.some((action) => action.id === id)) return brain;
  const action = {
    id,
    kind: text(data.action),
    status: "proposed",
    payload: record(data.payload),
    working: true,
  } as const;
  const next = { ...message, actions: [...message.actions, action], attempt: number(data.attempt) };
  return { ...brain, messages: { ...brain.messages, [message.id]: next } };
}

function withProgress(brain: Brain, data: Payload): Brain {
  const id = text(data.messageId);
  const message = brain.messages[id];
  if (message === undefined || !isRunning(message)) return brain;
  const progress = { stage: text(data.stage), label: text(data.label) };
  return { ...brain, progress: { ...brain.progress, [id]: progress } };
}

/** What follows continues after `text`. Where facts were left out, only a beginning anew can tell them. */
function withReset(brain: Brain, data: Payload): Brain {
  const message = brain.messages[text(data.messageId)];
  if (message === undefined || number(data.version) > brain.version) return { ...brain, stale: true };
  if (!isRunning(message)) return brain;
  const status: MessageStatus = "streaming";
  const next = { ...message, text: text(data.text), attempt: number(data.attempt), status };
  return { ...brain, messages: { ...brain.messages, [message.id]: next } };
}
