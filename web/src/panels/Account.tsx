// Who is logged in, what the day has cost, how the page looks and speaks, and the way out.
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain } from "../live/context.tsx";
import { logOut } from "../session/token.ts";
import { Icon } from "../ui/Icon.tsx";
import { type Taste, setTaste, useTaste } from "../ui/taste.ts";
import { Erase, Export } from "./OwnData.tsx";
import { useUsage } from "./lists.ts";

const userIdOf = (brain: Brain) => brain.userId;

export function Account() {
  const { t } = useI18n();
  const userId = useBrain(userIdOf);
  return (
    <footer className="account">
      <Budget />
      <details>
        <summary>
          <Icon name="person" /> {userId || t("loading")}
        </summary>
        <Settings />
        <Export />
        <button type="button" onClick={() => logOut()}>
          <Icon name="out" /> {t("logOut")}
        </button>
        <Erase />
      </details>
    </footer>
  );
}

function Budget() {
  const { t } = useI18n();
  const usage = useUsage().data;
  if (usage === undefined || usage.tokens.limit === 0) return null;
  const used = usage.tokens.used + usage.tokens.reserved;
  const label = t("budget", { used: t.number(used), limit: t.number(usage.tokens.limit) });
  return (
    <div className="budget">
      <meter
        min={0}
        max={usage.tokens.limit}
        high={usage.tokens.limit * 0.8}
        value={Math.min(used, usage.tokens.limit)}
        aria-label={label}
      />
      <span className="quiet">{label}</span>
      {usage.searches.limit > 0 && (
        <span className="quiet">{t("searches", { used: usage.searches.used, limit: usage.searches.limit })}</span>
      )}
    </div>
  );
}

function Settings() {
  const { t } = useI18n();
  const taste = useTaste();
  return (
    <div className="settings">
      <label>
        {t("language")}
        <select
          value={taste.language}
          onChange={(event) => setTaste({ language: event.target.value as Taste["language"] })}
        >
          <option value="en" lang="en">
            English
          </option>
          <option value="de" lang="de">
            Deutsch
          </option>
        </select>
      </label>
      <label>
        {t("theme")}
        <select value={taste.theme} onChange={(event) => setTaste({ theme: event.target.value as Taste["theme"] })}>
          <option value="system">{t("theme_system")}</option>
          <option value="light">{t("theme_light")}</option>
          <option value="dark">{t("theme_dark")}</option>
        </select>
      </label>
      <label className="check">
        <input type="checkbox" checked={taste.speak} onChange={(event) => setTaste({ speak: event.target.checked })} />
        {t("speakAnswers")}
      </label>
    </div>
  );
}
