// The list of conversations and what can be done to one.
import type { ExternalStoreThreadListAdapter } from "@assistant-ui/react";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { Brain } from "../live/brain.ts";
import { useBrain, useIsLoaded, useLive, useOutbox } from "../live/context.tsx";
import type { Live } from "../live/live.ts";
import type { Translate } from "../i18n/i18n.tsx";
import { newId } from "../session/ids.ts";
import { draftKey, everywhere } from "../session/storage.ts";
import type { Conversation } from "../wire.ts";
import { unknownConversations } from "./shown.ts";
import { titleOf } from "./title.ts";

const changedAt = (brain: Brain): number => brain.changed.conversations;

export function useConversations(): readonly Conversation[] {
  const live = useLive();
  const version = useBrain(changedAt);
  const enabled = useIsLoaded();
  const { data } = useQuery({
    queryKey: ["conversations", version],
    enabled,
    placeholderData: keepPreviousData,
    queryFn: async () => {
      const path = `/api/v1/conversations?limit=200&min_version=${version}`;
      const { conversations } = await live.client.json<{ conversations: Conversation[] }>(path);
      const begun = Object.fromEntries(conversations.map(({ id }) => [id, true as const]));
      live.change((brain) => ({ ...brain, begun }));
      return conversations;
    },
  });
  return data ?? [];
}

/** What assistant-ui's list of threads shows and does. `open` goes to a conversation. */
export function useThreadList(
  conversations: readonly Conversation[],
  current: string,
  open: (id: string) => void,
  t: Translate,
): ExternalStoreThreadListAdapter {
  const live = useLive();
  const outbox = useOutbox();
  return useMemo(() => {
    const fresh = unknownConversations(conversations, outbox, current).map((id) => ({
      id,
      title: null,
      main: id === "main",
    }));
    const regular = [...fresh, ...conversations.filter((one) => !one.archived)];
    const { messages } = live.brain();
    const named = (one: Conversation | (typeof fresh)[number]) => ({ id: one.id, title: titleOf(t, one, messages) });
    return {
      threadId: current,
      threads: regular.map((one) => ({ status: "regular" as const, ...named(one) })),
      archivedThreads: conversations
        .filter((one) => one.archived)
        .map((one) => ({ status: "archived" as const, ...named(one) })),
      onSwitchToNewThread: () => open(newId("conv")),
      onSwitchToThread: open,
      onRename: (id, title) => change(live, id, { title }),
      onArchive: (id) => change(live, id, { archived: true }),
      onUnarchive: (id) => change(live, id, { archived: false }),
      onDelete: async (id) => {
        await live.client.json(`/api/v1/conversations/${id}`, { method: "DELETE", key: newId("k") });
        live.outbox.leave(id);
        everywhere.removeItem(draftKey(live.userId, id));
        if (id === current) open("main");
      },
    };
  }, [live, conversations, outbox, current, open, t]);
}

async function change(live: Live, id: string, body: { title: string } | { archived: boolean }): Promise<void> {
  await live.client.json(`/api/v1/conversations/${id}`, { method: "PATCH", body, key: newId("k") });
}
