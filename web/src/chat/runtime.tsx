// Joins assistant-ui to our store: messages are ours, and each of its callbacks is one of our commands.
import {
  type AppendMessage,
  AssistantRuntimeProvider,
  type ExternalThreadQueueAdapter,
  useExternalStoreRuntime,
} from "@assistant-ui/react";
import { type ReactNode, useCallback, useMemo } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { type Brain, isRunning } from "../live/brain.ts";
import { useBrain, useLive, useOutbox } from "../live/context.tsx";
import type { Live } from "../live/live.ts";
import { newMessageId } from "../live/live.ts";
import { newId } from "../session/ids.ts";
import { useNotify } from "../ui/notify.tsx";
import { useTaste } from "../ui/taste.ts";
import { useConversations, useThreadList } from "./conversations.ts";
import { noteAttachments } from "./notes.ts";
import { type Shown, shownMessages, toThreadMessage } from "./shown.ts";

const messagesOf = (brain: Brain) => brain.messages;

export function ChatRuntime(props: { conversationId: string; open: (id: string) => void; children: ReactNode }) {
  const { conversationId, open, children } = props;
  const live = useLive();
  const { t, language } = useI18n();
  const notify = useNotify();
  const { speak } = useTaste();
  const messages = useBrain(messagesOf);
  const outbox = useOutbox();
  const shown = useMemo(() => shownMessages(messages, outbox, conversationId), [messages, outbox, conversationId]);
  const running = shown.findLast(({ message }) => isRunning(message));
  const conversations = useConversations();
  const threadList = useThreadList(conversations, conversationId, open, t);
  const attachments = useMemo(() => noteAttachments((why, name) => notify(t(why, { name }))), [notify, t]);
  const post = useCallback(
    (message: AppendMessage) => postMessage(live, message, { conversationId, language, speak }),
    [live, conversationId, language, speak],
  );
  const queue = useMemo(() => serverQueue(post), [post]);
  const runtime = useExternalStoreRuntime<Shown>({
    messages: shown,
    convertMessage: toThreadMessage,
    isRunning: running !== undefined,
    queue,
    onNew: (message) => Promise.resolve(post(message)),
    onCancel: async () => {
      const first = shown.find(({ message }) => isRunning(message));
      if (first !== undefined) await command(live, `/api/v1/message/${first.message.id}/stop`, notify);
    },
    onReload: async (parentId) => {
      const parent = shown.find(({ key }) => key === parentId);
      if (parent !== undefined) await command(live, `/api/v1/message/${parent.message.id}/regenerate`, notify);
    },
    adapters: { attachments, threadList },
  });
  return <AssistantRuntimeProvider runtime={runtime}>{children}</AssistantRuntimeProvider>;
}

/** The queue is the server's: it takes messages at any time and answers them one by one. */
function serverQueue(post: (message: AppendMessage) => void): ExternalThreadQueueAdapter {
  const nothing = () => undefined;
  return { items: [], steerItems: [], enqueue: post, steer: post, move: nothing, edit: nothing, remove: nothing };
}

function postMessage(
  live: Live,
  message: AppendMessage,
  how: { conversationId: string; language: string; speak: boolean },
): void {
  const textOf = (parts: AppendMessage["content"]) =>
    parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  const notes = (message.attachments ?? []).map((attachment) => ({
    id: attachment.id,
    title: attachment.name,
    text: textOf(attachment.content as AppendMessage["content"]),
  }));
  const text = textOf(message.content) || notes.map((note) => note.title).join(", ");
  live.outbox.add({ id: newMessageId(), text, notes, createdAt: new Date().toISOString(), ...how });
}

async function command(live: Live, path: string, notify: (what: unknown) => void): Promise<void> {
  try {
    await live.client.json(path, { method: "POST", body: {}, key: newId("k") });
  } catch (error) {
    notify(error);
  }
}
