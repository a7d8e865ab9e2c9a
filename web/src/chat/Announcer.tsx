// Says to screen readers what the eye sees streaming: that an answer is on its way, and then all of it, once.
import { useAuiState } from "@assistant-ui/react";
import { useEffect, useRef, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import type { Message } from "../wire.ts";

export function Announcer() {
  const { t } = useI18n();
  const last = useAuiState((s) => s.thread.messages.at(-1)?.metadata.custom.message as Message | undefined);
  const running = useAuiState((s) => s.thread.isRunning);
  const conversation = useAuiState((s) => s.threadListItem.id);
  const runningIn = useRef<string | null>(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    // An answer that goes on in a conversation that was left is no reason to read out another one.
    if (running && runningIn.current !== conversation) setSaid(t("answering"));
    if (!running && runningIn.current === conversation) setSaid(last?.text ?? "");
    runningIn.current = running ? conversation : null;
  }, [conversation, running, last, t]);
  return (
    <div className="only-read" role="status">
      {said}
    </div>
  );
}
