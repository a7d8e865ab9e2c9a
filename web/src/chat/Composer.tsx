// Where messages are written. A draft survives a reload, a log-out by time, and a change of conversation.
import { AttachmentPrimitive, AuiIf, ComposerPrimitive, useAui, useAuiState } from "@assistant-ui/react";
import { useEffect, useRef } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import { draftKey, everywhere } from "../session/storage.ts";
import { Icon } from "../ui/Icon.tsx";
import { VoiceNote } from "../voice/VoiceNote.tsx";

const CHARACTERS_MAX = 8_000;
const WARN_FROM = 7_500;

export function Composer({ conversationId }: { conversationId: string }) {
  const { t } = useI18n();
  useDraft(conversationId);
  const length = useAuiState((s) => s.composer.text.length);
  return (
    <ComposerPrimitive.Root className="composer">
      <div className="attachments">
        <ComposerPrimitive.Attachments components={{ Attachment }} />
      </div>
      <div className="row">
        <ComposerPrimitive.AddAttachment className="icon" aria-label={t("attach")} multiple>
          <Icon name="clip" />
        </ComposerPrimitive.AddAttachment>
        <ComposerPrimitive.Input
          className="input"
          aria-label={t("write")}
          placeholder={t("write")}
          maxLength={CHARACTERS_MAX}
          maxRows={10}
          autoFocus
          unstable_insertNewlineOnTouchEnter
        />
        <VoiceNote conversationId={conversationId} />
        <AuiIf condition={(s) => s.thread.isRunning && s.composer.isEmpty}>
          <ComposerPrimitive.Cancel className="icon primary stop" aria-label={t("stop")}>
            <Icon name="stop" />
          </ComposerPrimitive.Cancel>
        </AuiIf>
        <AuiIf condition={(s) => !s.thread.isRunning || !s.composer.isEmpty}>
          <ComposerPrimitive.Send className="icon primary" aria-label={t("send")}>
            <Icon name="send" />
          </ComposerPrimitive.Send>
        </AuiIf>
      </div>
      {length >= WARN_FROM && <p className="quiet count">{t("charactersLeft", { count: CHARACTERS_MAX - length })}</p>}
    </ComposerPrimitive.Root>
  );
}

function Attachment() {
  const { t } = useI18n();
  const name = useAuiState((s) => s.attachment.name);
  return (
    <AttachmentPrimitive.Root className="attachment">
      <Icon name="clip" />
      <AttachmentPrimitive.Name />
      <AttachmentPrimitive.Remove className="icon quiet" aria-label={t("removeAttachment", { name })}>
        <Icon name="close" />
      </AttachmentPrimitive.Remove>
    </AttachmentPrimitive.Root>
  );
}

/** Keeps what is being written in this browser, a text for each conversation of the user. */
function useDraft(conversationId: string): void {
  const aui = useAui();
  const { userId } = useLive();
  const text = useAuiState((s) => s.composer.text);
  // After a change of conversation the composer is still the one before for a moment, and then an empty one.
  const isOurs = useAuiState((s) => s.threadListItem.id === conversationId);
  const key = draftKey(userId, conversationId);
  const restored = useRef(false);
  useEffect(() => {
    if (!isOurs) return;
    if (!restored.current) {
      restored.current = true;
      const draft = everywhere.getItem(key) ?? "";
      if (draft !== text) return aui.composer.setText(draft);
    }
    if (text === "") everywhere.removeItem(key);
    else everywhere.setItem(key, text);
  }, [aui, isOurs, key, text]);
}
