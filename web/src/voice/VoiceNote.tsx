// The microphone in the composer: records, shows the words as they are understood, sends. Where live speech is not
// to be had the recording is uploaded; either way its words become a message on the server.
import { useCallback, useEffect, useRef, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useBrain, useLive } from "../live/context.tsx";
import type { Brain } from "../live/brain.ts";
import { Icon } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import { useTaste } from "../ui/taste.ts";
import { Dictation } from "./dictation.ts";

type Stage = "idle" | "recording" | "sending";

const recordingsOf = (brain: Brain) => brain.recordings;

export function VoiceNote({ conversationId }: { conversationId: string }) {
  const { t } = useI18n();
  const voice = useVoiceNote(conversationId);
  if (!("mediaDevices" in navigator)) return null;
  return (
    <>
      {voice.stage !== "idle" && (
        <p className="transcript" role="status">
          <span className="recording-dot" aria-hidden="true" />
          {voice.stage === "sending" ? t("transcribing") : voice.partial || t("listening")}
        </p>
      )}
      {voice.stage === "recording" && (
        <button type="button" className="icon" aria-label={t("cancelRecording")} onClick={voice.cancel}>
          <Icon name="close" />
        </button>
      )}
      <button
        type="button"
        className={voice.stage === "recording" ? "icon primary" : "icon"}
        aria-label={voice.stage === "recording" ? t("sendRecording") : t("record")}
        aria-pressed={voice.stage === "recording"}
        disabled={voice.stage === "sending"}
        onClick={voice.stage === "recording" ? voice.send : voice.start}
      >
        <Icon name={voice.stage === "recording" ? "send" : "mic"} />
      </button>
    </>
  );
}

function useVoiceNote(conversationId: string) {
  const { t, language } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const { speak } = useTaste();
  const [stage, setStage] = useState<Stage>("idle");
  const [partial, setPartial] = useState("");
  const [job, setJob] = useState<string | null>(null);
  const dictation = useRef<Dictation | null>(null);
  const recordings = useBrain(recordingsOf);

  const reset = useCallback(() => {
    dictation.current?.cancel();
    dictation.current = null;
    setPartial("");
    setJob(null);
    setStage("idle");
  }, []);
  useEffect(() => () => dictation.current?.cancel(), []); // the microphone is never left on
  useEffect(() => {
    if (job === null || !(job in recordings)) return;
    const code = recordings[job];
    reset();
    if (code) notify(t.maybe(`voice_${code}`, t("voiceFailed")));
  }, [job, recordings, reset, notify, t]);

  const send = () => {
    setStage("sending");
    void dictation.current?.send();
  };
  const start = async () => {
    if (dictation.current !== null) return;
    const made = new Dictation(
      live.client,
      { conversationId, language, speak },
      {
        onPartial: setPartial,
        onFull: () => {
          send();
          notify(t("recordingFull"));
        },
        onDone: reset,
        onJob: setJob,
        onFailed: (error) => {
          reset();
          notify(error ?? t("nothingHeard"));
        },
      },
    );
    dictation.current = made;
    try {
      await made.start();
      setStage("recording");
    } catch {
      reset();
      notify(t("noMicrophone"));
    }
  };
  return { stage, partial, start: () => void start(), send, cancel: reset };
}
