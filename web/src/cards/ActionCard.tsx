// What the assistant did, or would do, inside the message that says so. The objects are live: a task that is done in
// the panel is done in its card.
import type { ToolCallMessagePartProps } from "@assistant-ui/react";
import { useCallback, useState } from "react";
import { type Translate, useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain, useLive } from "../live/context.tsx";
import { record, text } from "../live/read.ts";
import { useTrips } from "../panels/lists.ts";
import { repeats } from "../panels/repeats.ts";
import { TaskRow } from "../panels/TaskRow.tsx";
import { newId } from "../session/ids.ts";
import { Icon, type IconName } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import type { Action, Flight, Payload, Trip } from "../wire.ts";
import { PlanCard } from "./PlanCard.tsx";
import { TripCard } from "./TripCard.tsx";

const ICONS: Record<string, IconName> = {
  task: "check",
  memory: "brain",
  preference: "brain",
  event: "calendar",
  flight: "plane",
};

export function ActionCard({ artifact }: ToolCallMessagePartProps) {
  const action = artifact as Action;
  const { t } = useI18n();
  const task = useBrain(useCallback((brain: Brain) => brain.tasks[action.resultId ?? ""], [action.resultId]));
  if (action.kind === "find_flights" && action.payload?.workflow_id) return <FoundFlights payload={action.payload} />;
  if (action.kind === "set_plan" && action.status === "committed") return <SetPlan payload={action.payload ?? {}} />;
  const subject = action.kind.split("_").at(-1) ?? "";
  return (
    <div role="group" className={`card ${action.status}`} aria-label={t.maybe(`action_${action.kind}`, action.kind)}>
      <header>
        <Icon name={ICONS[subject] ?? "list"} />
        <span className="card-title">{t.maybe(`action_${action.kind}`, action.kind.replaceAll("_", " "))}</span>
        <span className="state">{statusOf(t, action)}</span>
      </header>
      {task !== undefined && subject === "task" ? <TaskRow task={task} /> : <Facts action={action} />}
      {action.reason && <p className="reason">{action.reason}</p>}
      {action.status === "proposed" && !action.working && <Decision action={action} />}
    </div>
  );
}

/** The plan of that day as it is now, or as it was made where it is not kept any more. */
function SetPlan({ payload }: { payload: Payload }) {
  const date = text(payload.date);
  const known = useBrain(useCallback((brain: Brain) => brain.plans[date], [date]));
  const lines = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);
  const { priorities, todos, notes } = payload;
  const made = { date, priorities: lines(priorities), todos: lines(todos), notes: lines(notes), version: 0 };
  return <PlanCard plan={known ?? made} />;
}

/** What was found then, with what was selected since. */
function FoundFlights({ payload }: { payload: Payload }) {
  const workflow = text(payload.workflow_id);
  const known = useBrain(useCallback((brain: Brain) => brain.trips[workflow], [workflow]));
  const listed = useTrips().data?.upcoming_trips.find((trip) => trip.workflow_id === workflow);
  const found: Trip = {
    travel_event_id: null,
    destination: text(payload.destination),
    departure_date: text(payload.departure_date),
    workflow_id: workflow,
    ranked_flights: (Array.isArray(payload.flights) ? payload.flights : []) as Flight[],
  };
  const selected = known?.selected_flight_id ?? listed?.selected_flight_id ?? null;
  return <TripCard trip={{ ...found, selected_flight_id: selected }} />;
}

const SHOWN = [
  ...["title", "key", "value", "due", "date", "start", "location", "airline", "origin", "destination", "departure"],
  ...["recurrence", "name"],
];
const TIMES: ReadonlySet<string> = new Set(["due", "date", "start", "departure"]);

function Facts({ action }: { action: Action }) {
  const { t } = useI18n();
  const payload = action.payload ?? {};
  const price = record(payload.price);
  const facts = SHOWN.flatMap((name) =>
    typeof payload[name] === "string" ? [[name, text(payload[name])] as const] : [],
  );
  if (price.currency !== undefined) facts.push(["price", t.money(Number(price.amount), text(price.currency))]);
  if (facts.length === 0) return null;
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{t.maybe(`field_${name}`, name)}</dt>
          <dd>{worded(t, name, value)}</dd>
        </div>
      ))}
    </dl>
  );
}

function statusOf(t: Translate, action: Action): string {
  if (action.working) return t("working");
  return action.kind === "select_flight" && action.status === "committed"
    ? t("selected")
    : t(`status_${action.status}`);
}

function worded(t: Translate, name: string, value: string): string {
  if (TIMES.has(name)) return value.length === 10 ? t.day(value) : t.date(value);
  if (name === "recurrence") return repeats(t, value);
  return name === "key" ? t.maybe(`preference_${value}`, value.replaceAll("_", " ")) : value;
}

/** Nothing that reaches an outside service happens before this. */
function Decision({ action }: { action: Action }) {
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const [asked, setAsked] = useState(false);
  const decide = async (verdict: "approve" | "reject") => {
    setAsked(true);
    try {
      await live.client.json(`/api/v1/actions/${action.id}/${verdict}`, { method: "POST", body: {}, key: newId("k") });
    } catch (error) {
      notify(error);
    }
    setAsked(false);
  };
  return (
    <div className="buttons">
      <button type="button" className="primary" disabled={asked} onClick={() => void decide("approve")}>
        {t("approve")}
      </button>
      <button type="button" disabled={asked} onClick={() => void decide("reject")}>
        {t("reject")}
      </button>
    </div>
  );
}
