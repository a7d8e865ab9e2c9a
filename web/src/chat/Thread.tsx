// The conversation: messages, what goes on right now, and the composer below.
import { AuiIf, ThreadPrimitive } from "@assistant-ui/react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useCallback, useEffect } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain, useIsLoaded, useLive } from "../live/context.tsx";
import { Icon } from "../ui/Icon.tsx";
import type { Message } from "../wire.ts";
import { Announcer } from "./Announcer.tsx";
import { AssistantMessage } from "./AssistantMessage.tsx";
import { Composer } from "./Composer.tsx";
import { UserMessage } from "./UserMessage.tsx";
import { Welcome } from "./Welcome.tsx";

const COMPONENTS = { UserMessage, AssistantMessage };

/** `sought` is a message that shall be brought into sight. */
export function Thread(props: { conversationId: string; sought: string | undefined; inert: boolean }) {
  const { conversationId, sought, inert } = props;
  const { t } = useI18n();
  const loaded = useIsLoaded();
  return (
    <ThreadPrimitive.Root className="thread" inert={inert}>
      <ThreadPrimitive.Viewport className="viewport" tabIndex={0} role="log" aria-label={t("messages")} aria-live="off">
        <div className="messages">
          <Earlier key={conversationId} conversationId={conversationId} sought={sought} />
          {loaded ? (
            <AuiIf condition={(s) => s.thread.messages.length === 0}>
              <Welcome />
            </AuiIf>
          ) : (
            <p className="quiet center">{t("loading")}</p>
          )}
          <ThreadPrimitive.Messages components={COMPONENTS} />
        </div>
      </ThreadPrimitive.Viewport>
      <ThreadPrimitive.ScrollToBottom className="icon to-bottom" aria-label={t("toBottom")}>
        <Icon name="down" />
      </ThreadPrimitive.ScrollToBottom>
      <Announcer />
      <Composer key={conversationId} conversationId={conversationId} />
    </ThreadPrimitive.Root>
  );
}

/** After the viewport has gone to its end, as it does for a conversation that was opened. */
function bringIntoSight(message: string): () => void {
  const timer = setTimeout(() => {
    const found = document.querySelector(`[data-message="${message}"]`);
    found?.scrollIntoView({ block: "center" });
    found?.animate({ outline: ["3px solid var(--accent)", "3px solid transparent"] }, 3_000);
  }, 150);
  return () => clearTimeout(timer);
}

interface Page {
  messages: Message[];
  nextCursor: string | null;
  version: number;
}

/** Before its first message a conversation is not there to be asked about. */
const hasBegun = (brain: Brain, id: string): boolean =>
  brain.begun[id] === true || Object.values(brain.messages).some((message) => message.conversationId === id);

/** Pages back through all history; what is read joins the messages that are known. */
function Earlier({ conversationId, sought }: { conversationId: string; sought: string | undefined }) {
  const { t } = useI18n();
  const live = useLive();
  const began = useBrain(useCallback((brain: Brain) => hasBegun(brain, conversationId), [conversationId]));
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = useInfiniteQuery({
    queryKey: ["history", conversationId],
    enabled: began,
    staleTime: Number.POSITIVE_INFINITY,
    initialPageParam: "",
    queryFn: async ({ pageParam }): Promise<string | null> => {
      const cursor = pageParam === "" ? "" : `&cursor=${encodeURIComponent(pageParam)}`;
      const seen = live.brain().version; // the view may be behind what the stream has told us
      const path = `/api/v1/conversations/${conversationId}/messages?limit=50&min_version=${seen}${cursor}`;
      const page = await live.client.json<Page>(path);
      live.learn(page.messages, page.version);
      return page.nextCursor;
    },
    getNextPageParam: (cursor) => cursor,
  });
  const known = useBrain(useCallback((brain: Brain) => sought !== undefined && sought in brain.messages, [sought]));
  useEffect(() => {
    if (known) return bringIntoSight(sought ?? "");
    // After a failure the button is there, and the next connection: who cannot be asked is not asked without an end.
    if (sought !== undefined && hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [sought, known, hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  if (!hasNextPage) return null;
  return (
    <button type="button" className="link center" disabled={isFetchingNextPage} onClick={() => void fetchNextPage()}>
      {t("earlier")}
    </button>
  );
}
