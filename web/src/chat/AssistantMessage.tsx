// An answer: its text as it streams, its cards, what goes on, why it ended as it did.
import { ActionBarPrimitive, MessagePrimitive, useAuiState } from "@assistant-ui/react";
import { useCallback } from "react";
import { ActionCard } from "../cards/ActionCard.tsx";
import { PlanCard } from "../cards/PlanCard.tsx";
import { TripCard } from "../cards/TripCard.tsx";
import { useI18n } from "../i18n/i18n.tsx";
import { type Brain, isRunning } from "../live/brain.ts";
import { useBrain, useLink } from "../live/context.tsx";
import { Icon } from "../ui/Icon.tsx";
import { Listen } from "../voice/Listen.tsx";
import type { Message } from "../wire.ts";
import { Markdown } from "./Markdown.tsx";

const PARTS = { Text: ({ text }: { text: string }) => <Markdown text={text} />, tools: { Fallback: ActionCard } };

export function AssistantMessage() {
  const { t } = useI18n();
  const message = useAuiState((s) => s.message.metadata.custom.message as Message | undefined);
  if (message === undefined) return <Waiting />;
  return (
    <MessagePrimitive.Root className="message assistant" data-message={message.id} data-status={message.status}>
      <span className="only-read">{t("assistant")}</span>
      {message.redacted ? <p className="quiet">{t("deletedText")}</p> : <MessagePrimitive.Parts components={PARTS} />}
      <Made message={message} />
      {isRunning(message) ? <Doing message={message} /> : <Ending message={message} />}
      {/* Older answers keep theirs while a new one runs: nothing that is read shall move. */}
      {!isRunning(message) && (
        <ActionBarPrimitive.Root className="actions" autohide="never">
          <ActionBarPrimitive.Copy className="icon quiet" aria-label={t("copy")}>
            <Icon name="copy" />
          </ActionBarPrimitive.Copy>
          <ActionBarPrimitive.Reload className="icon quiet" aria-label={t("regenerate")}>
            <Icon name="redo" />
          </ActionBarPrimitive.Reload>
          <Listen messageId={message.id} />
        </ActionBarPrimitive.Root>
      )}
    </MessagePrimitive.Root>
  );
}

/** The server has the question and has not announced its answer yet. */
function Waiting() {
  const { t } = useI18n();
  if (useLink() !== "live") return null;
  return (
    <div className="message assistant">
      <p className="doing quiet">{t("thinking")}</p>
    </div>
  );
}

/** Plans and flights that the question led to, where no action of the answer shows them already. */
function Made({ message }: { message: Message }) {
  const question = message.inReplyTo ?? "";
  const made = useBrain(useCallback((brain: Brain) => brain.made[question], [question]));
  const plan = useBrain(useCallback((brain: Brain) => brain.plans[made?.plan ?? ""], [made]));
  const trip = useBrain(useCallback((brain: Brain) => brain.trips[made?.trip ?? ""], [made]));
  const does = (what: string) => message.actions.some((action) => action.kind.includes(what));
  return (
    <>
      {plan && !does("plan") && <PlanCard plan={plan} />}
      {trip && !does("flights") && <TripCard trip={trip} />}
    </>
  );
}

const USUAL: ReadonlySet<string> = new Set(["Thinking", "Waiting for its turn"]);

function Doing({ message }: { message: Message }) {
  const { t } = useI18n();
  const progress = useBrain(useCallback((brain: Brain) => brain.progress[message.id], [message.id]));
  if (message.text && progress?.stage !== "tool") return null;
  const waiting = t(message.status === "queued" && progress?.stage !== "thinking" ? "queued" : "thinking");
  if (progress === undefined || USUAL.has(progress.label)) return <p className="doing quiet">{waiting}</p>;
  return <p className="doing quiet">{t.maybe(`doing_${progress.label}`, progress.label)} …</p>;
}

function Ending({ message }: { message: Message }) {
  const { t } = useI18n();
  if (message.status === "stopped") return <p className="ending quiet">{t("stopped")}</p>;
  if (!message.canned && message.status !== "failed") return null;
  return (
    <p className="ending problem" role="note">
      {t.maybe(`ended_${message.code ?? ""}`, t("ended"))}
    </p>
  );
}
