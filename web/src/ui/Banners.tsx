// What stands above the chat when something is not as it should be: no connection, time over, budget nearly spent.
import { Link } from "@tanstack/react-router";
import { useState, useSyncExternalStore } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain, useLink, useOutbox } from "../live/context.tsx";
import { isExpired, login, stamp, subscribe } from "../session/token.ts";
import { Icon } from "./Icon.tsx";

const warningOf = (brain: Brain) => brain.warning;

export function Banners() {
  const { t } = useI18n();
  const link = useLink();
  const unsent = useOutbox().filter((entry) => entry.state === "waiting").length;
  useSyncExternalStore(subscribe, stamp, () => "");
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
      {link === "away" && (
        <div className="banner" role="status" data-link="away">
          {unsent > 0 ? t("offlineWith", { count: unsent }) : t("offline")}
        </div>
      )}
      <Warning />
    </>
  );
}

function Warning() {
  const { t } = useI18n();
  const warning = useBrain(warningOf);
  const [seen, setSeen] = useState<unknown>(null);
  if (warning === null || seen === warning) return null;
  const budget = t.maybe(`budget_${warning.budget}`, warning.budget);
  return (
    <div className="banner" role="status">
      {t("nearlySpent", { budget, used: t.number(warning.used), limit: t.number(warning.limit) })}
      <button type="button" className="icon" aria-label={t("dismiss")} onClick={() => setSeen(warning)}>
        <Icon name="close" />
      </button>
    </div>
  );
}
