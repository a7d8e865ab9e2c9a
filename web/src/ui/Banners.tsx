// What stands above the chat when something is not as it should be: no connection, time over, budget nearly spent.
import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useState, useSyncExternalStore } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain, useIsUnanswered, useLink, useOutbox } from "../live/context.tsx";
import { useTaskChange } from "../panels/TaskRow.tsx";
import { isExpired, logOut, login, stamp, subscribe } from "../session/token.ts";
import type { Task } from "../wire.ts";
import { Icon } from "./Icon.tsx";

const erasedOf = (brain: Brain) => brain.erased;
const warningOf = (brain: Brain) => brain.warning;

export function Banners() {
  const { t } = useI18n();
  const link = useLink();
  const isUnanswered = useIsUnanswered();
  const unsent = useOutbox().filter((entry) => entry.state === "waiting").length;
  useSyncExternalStore(subscribe, stamp, () => "");
  const erased = useBrain(erasedOf);
  useEffect(() => {
    if (erased) logOut("erased");
  }, [erased]);
  const user = login();
  if (link === "expired" || (user !== null && isExpired(user))) {
    return (
      <div className="banner problem" role="alert">
        {t("expired")} <Link to="/login">{t("logInAgain")}</Link>
      </div>
    );
  }
  return (
    <>
      {(link === "away" || (isUnanswered && unsent > 0)) && (
        <div className="banner" role="status" data-link="away">
          {unsent > 0 ? t("offlineWith", { count: unsent }) : t("offline")}
        </div>
      )}
      <Warning />
      <Reminder />
    </>
  );
}

const reminderOf = (brain: Brain) => brain.reminder;
const remindedOf = (brain: Brain) => brain.tasks[brain.reminder?.taskId ?? ""];

function Reminder() {
  const reminder = useBrain(reminderOf);
  const task = useBrain(remindedOf);
  return reminder !== null && task?.status === "open" ? <Due about={reminder} task={task} /> : null;
}

function Due({ about, task }: { about: object; task: Task }) {
  const { t } = useI18n();
  const { mutate } = useTaskChange(task);
  return (
    <Dismissible about={about} text={t("reminder", { title: task.title })}>
      <button type="button" onClick={() => mutate("complete")}>
        {t("done")}
      </button>
    </Dismissible>
  );
}

function Warning() {
  const { t } = useI18n();
  const warning = useBrain(warningOf);
  const budget = t.maybe(`budget_${warning?.budget ?? ""}`, warning?.budget ?? "");
  const used = t.number(warning?.used ?? 0);
  return (
    <Dismissible about={warning} text={t("nearlySpent", { budget, used, limit: t.number(warning?.limit ?? 0) })} />
  );
}

/** Shown until it is dismissed; what comes later is shown again. */
function Dismissible({ about, text, children }: { about: object | null; text: string; children?: ReactNode }) {
  const { t } = useI18n();
  const [seen, setSeen] = useState<object | null>(null);
  if (about === null || seen === about) return null;
  return (
    <div className="banner" role="status">
      {text}
      {children}
      <button type="button" className="icon" aria-label={t("dismiss")} onClick={() => setSeen(about)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
