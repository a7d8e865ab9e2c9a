// What the assistant keeps: pinned memories, notes, preferences. Each can be forgotten.
import { useMutation } from "@tanstack/react-query";
import { useMemo } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain, useLive } from "../live/context.tsx";
import { newId } from "../session/ids.ts";
import { Trash } from "../ui/Trash.tsx";
import { useNotify } from "../ui/notify.tsx";
import type { Note } from "../wire.ts";

const memoriesOf = (brain: Brain) => brain.memories;
const notesOf = (brain: Brain) => brain.notes;
const preferencesOf = (brain: Brain) => brain.preferences;

export function MemoryPanel() {
  const { t } = useI18n();
  const memories = useBrain(memoriesOf);
  const notes = useBrain(notesOf);
  const preferences = useBrain(preferencesOf);
  const forget = useForget();
  const pinned = useMemo(() => Object.values(memories).sort((a, b) => (a.pinnedAt < b.pinnedAt ? 1 : -1)), [memories]);
  const kept = Object.values(notes);
  return (
    <>
      <h3>{t("memories")}</h3>
      {pinned.length === 0 && <p className="quiet">{t("noMemories")}</p>}
      <ul className="kept">
        {pinned.map((memory) => (
          <li key={memory.id}>
            <span>
              <strong>{memory.key.replaceAll("_", " ")}</strong> {memory.value}
            </span>
            <Trash
              label={t("forget", { name: memory.key.replaceAll("_", " ") })}
              onDelete={() => forget(`memory/${memory.id}`)}
            />
          </li>
        ))}
      </ul>
      <h3>{t("notes")}</h3>
      {kept.length === 0 && <p className="quiet">{t("noNotes")}</p>}
      <ul className="kept">
        {kept.map((note) => (
          <li key={note.id}>
            <details>
              <summary>{nameOf(note) || t("deletedText")}</summary>
              <p className="said">{note.text}</p>
            </details>
            <Trash label={t("forget", { name: nameOf(note) })} onDelete={() => forget(`notes/${note.id}`)} />
          </li>
        ))}
      </ul>
      <h3>{t("preferences")}</h3>
      <dl className="facts">
        {Object.entries(preferences).map(([key, value]) => (
          <div key={key}>
            <dt>{t.maybe(`preference_${key}`, key)}</dt>
            <dd>{typeof value === "string" ? value.replaceAll("_", " ") : JSON.stringify(value)}</dd>
          </div>
        ))}
      </dl>
      {Object.keys(preferences).length === 0 && <p className="quiet">{t("noPreferences")}</p>}
    </>
  );
}

const nameOf = (note: Note): string => note.title ?? note.text?.slice(0, 60) ?? "";

function useForget(): (path: string) => void {
  const live = useLive();
  const notify = useNotify();
  const { mutate } = useMutation({
    mutationFn: (path: string) => live.client.json(`/api/v1/${path}`, { method: "DELETE", key: newId("k") }),
    onError: (error) => notify(error),
  });
  return (path) => mutate(path);
}
