// Today: what is in the calendar, what is due, and the plan if one was made.
import { useMemo } from "react";
import { PlanBody } from "../cards/PlanCard.tsx";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain } from "../live/context.tsx";
import { EventRow } from "./Calendar.tsx";
import { daysLater, useCalendar, useToday } from "./lists.ts";
import { Missing } from "./Missing.tsx";
import { TaskRow } from "./TaskRow.tsx";

const tasksOf = (brain: Brain) => brain.tasks;
const plansOf = (brain: Brain) => brain.plans;

export function Agenda() {
  const { t } = useI18n();
  const today = useToday();
  const tasks = useBrain(tasksOf);
  const plan = useBrain(plansOf)[today];
  const calendar = useCalendar(today, daysLater(today, 1));
  const events = calendar.data?.events ?? [];
  const due = useMemo(
    () =>
      Object.values(tasks)
        .filter((task) => task.status === "open" && task.due !== null && task.due.slice(0, 10) <= today)
        .sort((a, b) => ((a.due ?? "") < (b.due ?? "") ? -1 : 1)),
    [tasks, today],
  );
  return (
    <>
      <p className="day">{t.day(today)}</p>
      <h3>{t("panel_calendar")}</h3>
      <Missing query={calendar} empty={events.length === 0} text={t("noEventsToday")} />
      <ul className="events">
        {events.map((event) => (
          <EventRow key={`${event.id} ${event.occurrenceStart}`} event={event} day={today} />
        ))}
      </ul>
      <h3>{t("dueTasks")}</h3>
      {due.length === 0 && <p className="quiet">{t("nothingDue")}</p>}
      <ul className="tasks">
        {due.map((task) => (
          <li key={task.id}>
            <TaskRow task={task} />
          </li>
        ))}
      </ul>
      {plan && (
        <>
          <h3>{t("plan")}</h3>
          <PlanBody plan={plan} />
        </>
      )}
    </>
  );
}
