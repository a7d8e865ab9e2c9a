// A day's plan: what matters most, what else there is to do, a word on the way.
import { useI18n } from "../i18n/i18n.tsx";
import { Icon } from "../ui/Icon.tsx";
import type { Plan } from "../wire.ts";

export function PlanCard({ plan }: { plan: Plan }) {
  const { t } = useI18n();
  return (
    <div role="group" className="card plan" aria-label={t("planFor", { day: t.day(plan.date) })}>
      <header>
        <Icon name="sun" />
        <span className="card-title">{t("planFor", { day: t.day(plan.date) })}</span>
      </header>
      <PlanBody plan={plan} />
    </div>
  );
}

export function PlanBody({ plan }: { plan: Plan }) {
  const { t } = useI18n();
  return (
    <>
      {plan.priorities.length > 0 && (
        <>
          <p className="label">{t("priorities")}</p>
          <ol>
            {plan.priorities.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ol>
        </>
      )}
      {plan.todos.length > 0 && (
        <>
          <p className="label">{t("todos")}</p>
          <ul>
            {plan.todos.map((line) => (
              <li key={line}>{line}</li>
            ))}
          </ul>
        </>
      )}
      {plan.notes.map((line) => (
        <p key={line} className="quiet">
          {line}
        </p>
      ))}
    </>
  );
}
