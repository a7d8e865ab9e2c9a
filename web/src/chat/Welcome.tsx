// An empty conversation: what can be said, one tap away.
import { ThreadPrimitive } from "@assistant-ui/react";
import { useI18n } from "../i18n/i18n.tsx";

const IDEAS = ["ideaAgenda", "ideaPlan", "ideaRemind", "ideaRemember", "ideaFlights"] as const;

export function Welcome() {
  const { t } = useI18n();
  return (
    <section className="welcome">
      <h2>{t("welcome")}</h2>
      <p className="quiet">{t("welcomeText")}</p>
      <ul>
        {IDEAS.map((idea) => (
          <li key={idea}>
            <ThreadPrimitive.Suggestion prompt={t(idea)} send>
              {t(idea)}
            </ThreadPrimitive.Suggestion>
          </li>
        ))}
      </ul>
    </section>
  );
}
