// Search over everything that the user and the assistant said.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useConversations } from "../chat/conversations.ts";
import { titleOf } from "../chat/title.ts";
import { useI18n } from "../i18n/i18n.tsx";
import type { Client } from "../live/client.ts";
import { useLive } from "../live/context.tsx";
import { Missing } from "./Missing.tsx";
import type { PanelName } from "./Panel.tsx";

const WAIT_MS = 250;

interface Match {
  kind: "message" | "task" | "note" | "memory" | "plan" | "event";
  id: string;
  snippet: string;
  matchStart: number;
  matchEnd: number;
  conversationId: string | null;
  changedAt: string;
}

const PANEL_OF = { task: "tasks", note: "memory", memory: "memory", plan: "agenda", event: "calendar" } as const;
const PAGES_MAX = 5;

export function Search(props: {
  query: string;
  open: (id: string, message?: string) => void;
  show: (panel: PanelName) => void;
}) {
  const { query, open, show } = props;
  const { t } = useI18n();
  const live = useLive();
  const asked = useSettled(query);
  const search = useQuery({
    queryKey: ["search", asked],
    placeholderData: keepPreviousData,
    queryFn: () => findAll(live.client, asked),
  });
  const matches = search.data ?? [];
  const conversations = useConversations();
  const placeOf = (match: Match): string => {
    if (match.kind !== "message") return t(`panel_${PANEL_OF[match.kind]}`);
    const found = conversations.find(({ id }) => id === match.conversationId);
    return found === undefined ? t("messages") : titleOf(t, found, live.brain().messages);
  };
  return (
    <div className="threads">
      <Missing query={search} empty={matches.length === 0} text={t("nothingFound")} />
      <ul className="hits">
        {matches.map((match) => (
          <li key={`${match.kind} ${match.id}`}>
            <button
              type="button"
              onClick={() =>
                match.kind === "message" ? open(match.conversationId ?? "main", match.id) : show(PANEL_OF[match.kind])
              }
            >
              <Snippet match={match} />
              <span className="quiet">
                {placeOf(match)} · {t.date(match.changedAt)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** The places of a match are counted in code points. */
function Snippet({ match }: { match: Match }) {
  const characters = [...match.snippet];
  const part = (from: number, to?: number) => characters.slice(from, to).join("");
  return (
    <span>
      {part(0, match.matchStart)}
      <mark>{part(match.matchStart, match.matchEnd)}</mark>
      {part(match.matchEnd)}
    </span>
  );
}

/** A page may be short or empty while there is more to look through. */
async function findAll(client: Client, query: string): Promise<Match[]> {
  const found: Match[] = [];
  let cursor: string | null = "";
  for (let pages = 0; cursor !== null && pages < PAGES_MAX && found.length < 20; pages += 1) {
    const more: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { results: Match[]; nextCursor: string | null } = await client.json(
      `/api/v1/search?q=${encodeURIComponent(query)}${more}`,
    );
    found.push(...page.results);
    cursor = page.nextCursor;
  }
  return found;
}

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), WAIT_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
