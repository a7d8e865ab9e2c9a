// What a conversation is called where nobody named it: by its first words, as far as they are known here.
import type { Translate } from "../i18n/i18n.tsx";
import type { Conversation, Message } from "../wire.ts";

const CHARACTERS_MAX = 48;

type Titled = Pick<Conversation, "id" | "title" | "main"> & { createdAt?: string };

export function titleOf(t: Translate, one: Titled, messages: Record<string, Message>): string {
  if (one.title) return one.title;
  if (one.main) return t("mainConversation");
  const first = Object.values(messages)
    .filter((message) => message.conversationId === one.id && message.role === "user" && message.text)
    .reduce<Message | null>((found, next) => (found && found.createdAt <= next.createdAt ? found : next), null);
  if (first?.text) return first.text.slice(0, CHARACTERS_MAX);
  return one.createdAt === undefined ? t("newConversation") : t("conversationOf", { when: t.date(one.createdAt) });
}
