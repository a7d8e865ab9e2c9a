// A spoken answer: plays by itself when spoken answers are wished for, else when asked.
import { useCallback, useEffect, useRef, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain, useLive } from "../live/context.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import { useTaste } from "../ui/taste.ts";
import { turn } from "./turn.ts";

const PLAYED = new Set<string>();
const NEW_MS = 60_000;
const LIFE_MS = 3_600_000; // how long the server keeps a spoken answer

export function Listen({ messageId }: { messageId: string }) {
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const { speak } = useTaste();
  const speech = useBrain(useCallback((brain: Brain) => brain.speech[messageId], [messageId]));
  const audio = useRef<HTMLAudioElement | null>(null);
  const asked = useRef<AbortController | null>(null);
  const [playing, setPlaying] = useState(false);

  const stop = useCallback(() => {
    asked.current?.abort(); // what is still on its way shall not begin to speak
    audio.current?.pause();
    if (audio.current !== null) URL.revokeObjectURL(audio.current.src);
    audio.current = null;
    setPlaying(false);
  }, []);
  const play = useCallback(
    async (url: string) => {
      stop();
      const mine = new AbortController();
      asked.current = mine;
      try {
        const blob = await (await live.client.send(url, { signal: mine.signal })).blob();
        if (mine.signal.aborted) return;
        const made = new Audio(URL.createObjectURL(blob));
        made.onended = stop;
        audio.current = made;
        setPlaying(true);
        await made.play();
      } catch (error) {
        if (mine.signal.aborted) return;
        stop();
        notify(error);
      }
    },
    [live, notify, stop],
  );
  useEffect(() => stop, [stop]);
  useEffect(() => {
    if (speech === undefined || PLAYED.has(messageId)) return;
    PLAYED.add(messageId);
    const age = Date.now() - (Date.parse(speech.expiresAt) - LIFE_MS);
    if (speak && age < NEW_MS && turn.isMine()) void play(speech.url);
  }, [speech, messageId, speak, play]);

  if (speech === undefined) return null;
  return (
    <button
      type="button"
      className="icon quiet"
      aria-label={playing ? t("stopListening") : t("listen")}
      onClick={playing ? stop : () => void play(speech.url)}
    >
      <Icon name={playing ? "stop" : "sound"} />
    </button>
  );
}
