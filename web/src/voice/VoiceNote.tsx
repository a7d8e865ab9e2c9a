// The microphone in the composer: records, shows the words as they are understood, sends. Where live speech is not
// to be had the recording is uploaded; either way its words become a message on the server.
import { useEffect, useRef, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useBrain, useLive } from "../live/context.tsx";
import type { Brain } from "../live/brain.ts";
import { newMessageId } from "../live/live.ts";
import { newId } from "../session/ids.ts";
import { Icon } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import { useTaste } from "../ui/taste.ts";
import { LiveSpeech } from "./live_socket.ts";
import { Recorder } from "./recorder.ts";

type Stage = "idle" | "recording" | "sending";

const FINAL_MS_MAX = 15_000;
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
  const recorder = useRef<Recorder | null>(null);
  const speech = useRef<LiveSpeech | null>(null);
  const recordings = useBrain(recordingsOf);

  const reset = () => {
    speech.current?.close();
    speech.current = null;
    void recorder.current?.stop();
    recorder.current = null;
    setPartial("");
    setJob(null);
    setStage("idle");
  };
  const fail = (why: string) => {
    reset();
    notify(why);
  };

  useEffect(() => () => reset(), []); // the microphone is never left on
  useEffect(() => {
    if (job === null || !(job in recordings)) return;
    const code = recordings[job];
    reset();
    if (code) notify(t.maybe(`voice_${code}`, t("voiceFailed")));
  }, [job, recordings]);

  const upload = async (made: Recorder) => {
    const form = new FormData();
    form.set("file", made.wav(), "note.wav");
    for (const [name, value] of Object.entries({ conversationId, language, speak: String(speak) })) form.set(name, value);
    form.set("clientMessageId", messageId.current); // live or uploaded, it becomes one message
    try {
      const ask = { method: "POST", form, key: newId("v") } as const;
      setJob((await live.client.json<{ transcriptJobId: string }>("/api/v1/voice-upload", ask)).transcriptJobId);
    } catch (error) {
      fail(error instanceof Error && error.message ? error.message : t("voiceFailed"));
    }
  };
  const listen = async () => {
    const onFinal = (heard: string) => (heard === "" ? fail(t("nothingHeard")) : reset());
    const ears = { onPartial: setPartial, onFinal, onLost: () => lost() };
    const how = { conversationId, language, speak, clientMessageId: messageId.current };
    try {
      speech.current = await LiveSpeech.open(live.client, how, ears);
      for (const chunk of recorder.current?.chunks ?? []) speech.current.speak(chunk);
    } catch {
      speech.current = null;
    }
  };
  const lost = () => {
    speech.current = null;
    if (recorder.current !== null && sending.current) void upload(recorder.current);
  };
  const sending = useRef(false);
  const messageId = useRef("");
  const start = async () => {
    sending.current = false;
    messageId.current = newMessageId();
    try {
      recorder.current = await Recorder.start((chunk) => speech.current?.speak(chunk));
      setStage("recording");
      void listen();
    } catch {
      fail(t("noMicrophone"));
    }
  };
  const send = async () => {
    const made = recorder.current;
    if (made === null) return;
    setStage("sending");
    sending.current = true;
    await made.stop();
    const spoken = speech.current;
    if (spoken === null) return upload(made);
    spoken.end();
    setTimeout(() => {
      if (speech.current === spoken) lost();
    }, FINAL_MS_MAX);
  };
  return { stage, partial, start: () => void start(), send: () => void send(), cancel: reset };
}
