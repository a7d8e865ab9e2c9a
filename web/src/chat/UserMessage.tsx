// What the user wrote, and whether it has arrived.
import { MessagePrimitive, useAuiState } from "@assistant-ui/react";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import type { Unsent } from "../live/outbox.ts";
import { dayOf } from "../panels/lists.ts";
import { Icon } from "../ui/Icon.tsx";
import type { Message } from "../wire.ts";

const PARTS = { Text: ({ text }: { text: string }) => <p className="said">{text}</p> };

export function UserMessage() {
  const { t } = useI18n();
  const message = useAuiState((s) => s.message.metadata.custom.message as Message | undefined);
  const unsent = useAuiState((s) => s.message.metadata.custom.unsent as Unsent | null | undefined);
  const day = useAuiState((s) => dayBegun(s.message.createdAt, s.thread.messages[s.message.index - 1]?.createdAt));
  const origin = message?.origin === "schedule" ? "message user scheduled" : "message user";
  return (
    <>
      {day && <p className="day-line quiet">{t.day(day)}</p>}
      <MessagePrimitive.Root
        className={unsent ? `${origin} unsent` : origin}
        data-message={message?.id}
        title={message && t.date(message.createdAt)}
      >
        <span className="only-read">{t("you")}</span>
        {message?.redacted ? (
          <p className="quiet">{t("deletedText")}</p>
        ) : (
          <MessagePrimitive.Parts components={PARTS} />
        )}
        {message?.channel === "voice" && <Icon name="mic" />}
        {unsent && unsent.notes.length > 0 && (
          <p className="quiet">{unsent.notes.map((note) => note.title).join(", ")}</p>
        )}
        {unsent && <Delivery unsent={unsent} />}
      </MessagePrimitive.Root>
    </>
  );
}

/** The day that a message begins: another than that of the one before, or where there is none, than today. */
function dayBegun(said: Date, before: Date | undefined): string | null {
  const day = dayOf(said);
  return day === dayOf(before ?? new Date()) ? null : day;
}

function Delivery({ unsent }: { unsent: Unsent }) {
  const { t } = useI18n();
  const { outbox } = useLive();
  const { state, code } = unsent;
  if (state !== "refused") {
    return <p className="delivery quiet">{code ? t.maybe(`waits_${code}`, t("waits")) : t("sending")}</p>;
  }
  return (
    <p className="delivery problem">
      {t("notSent")} {t.maybe(`problem_${code}`, unsent.detail ?? "")}{" "}
      <button type="button" className="link" onClick={() => outbox.retry(unsent.id)}>
        {t("retry")}
      </button>{" "}
      <button type="button" className="link" onClick={() => outbox.discard(unsent.id)}>
        {t("discard")}
      </button>
    </p>
  );
}
