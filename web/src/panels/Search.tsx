// Search over everything that the user and the assistant said.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import { number, record, text } from "../live/read.ts";
import { Missing } from "./Missing.tsx";

const WAIT_MS = 250;

interface Hit {
  id: string;
  conversationId: string;
  text: string;
  createdAt: string;
}

export function Search({ query, open }: { query: string; open: (id: string) => void }) {
  const { t } = useI18n();
  const live = useLive();
  const asked = useSettled(query);
  const search = useQuery({
    queryKey: ["search", asked],
    placeholderData: keepPreviousData,
    queryFn: async () => hitsOf(await live.client.json(`/api/v1/search?q=${encodeURIComponent(asked)}`)),
  });
  const hits = search.data ?? [];
  return (
    <div className="threads">
      <Missing query={search} empty={hits.length === 0} text={t("nothingFound")} />
      <ul className="hits">
        {hits.map((hit) => (
          <li key={hit.id}>
            <button type="button" onClick={() => open(hit.conversationId)}>
              <span>{excerpt(hit.text, asked)}</span>
              {hit.createdAt !== "" && <span className="quiet">{t.date(hit.createdAt)}</span>}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Whatever the answer calls its list: each hit is a message, or something with a text that belongs to one. */
function hitsOf(answer: unknown): Hit[] {
  const body = record(answer);
  const listed = [body.results, body.messages, body.hits].find(Array.isArray) ?? [];
  return listed.map((one: unknown, index: number) => {
    const hit = { ...record(one), ...record(record(one).message) };
    return {
      id: text(hit.id) || text(hit.messageId) || String(number(hit.version) || index),
      conversationId: text(hit.conversationId) || "main",
      text: text(hit.snippet) || text(hit.text) || text(hit.title),
      createdAt: text(hit.createdAt),
    };
  });
}

const BEFORE = 24;
const AFTER = 90;

function excerpt(whole: string, query: string): string {
  const at = Math.max(0, whole.toLowerCase().indexOf(query.toLowerCase()) - BEFORE);
  const cut = whole.slice(at, at + BEFORE + query.length + AFTER);
  return `${at > 0 ? "…" : ""}${cut}${at + cut.length < whole.length ? "…" : ""}`;
}

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), WAIT_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
