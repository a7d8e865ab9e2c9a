// The next two weeks of the calendar, day by day, and a form for what happens then.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import { newId } from "../session/ids.ts";
import { Trash } from "../ui/Trash.tsx";
import { useNotify } from "../ui/notify.tsx";
import { hoursOn, lastMoment } from "./event_times.ts";
import { type Occurrence, dayOf, daysLater, homeZone, useCalendar } from "./lists.ts";
import { Missing } from "./Missing.tsx";

const DAYS = 14;

export function Calendar() {
  const { t } = useI18n();
  const [from, setFrom] = useState(() => dayOf(new Date()));
  const calendar = useCalendar(from, daysLater(from, DAYS));
  const events = calendar.data?.events ?? [];
  const days = Map.groupBy(events, (event) => startOf(event).slice(0, 10));
  return (
    <>
      <NewEvent />
      <Import />
      <div className="pager">
        <button type="button" onClick={() => setFrom(daysLater(from, -DAYS))}>
          {t("previous")}
        </button>
        <span>
          {t.day(from)} – {t.day(daysLater(from, DAYS - 1))}
        </span>
        <button type="button" onClick={() => setFrom(daysLater(from, DAYS))}>
          {t("next")}
        </button>
      </div>
      <Missing query={calendar} empty={events.length === 0} text={t("noEvents")} />
      {[...days].map(([day, listed]) => (
        <section key={day}>
          <h3>{t.day(day)}</h3>
          <ul className="events">
            {listed.map((event) => (
              <EventRow key={`${event.id} ${startOf(event)}`} event={event} day={day} canDelete />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

const startOf = (event: Occurrence): string => event.occurrenceStart;

/** One event, as a list of that day shows it: of an event of several days the part that is today's. */
export function EventRow(props: { event: Occurrence; day: string; canDelete?: boolean }) {
  const { event, day, canDelete = false } = props;
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const ends = lastMoment(event);
  const zone = event.timezone === homeZone() ? "" : event.timezone.replaceAll("_", " ");
  const remove = useMutation({
    mutationFn: () => live.client.json(`/api/v1/calendar/events/${event.id}`, { method: "DELETE", key: newId("k") }),
    onError: (error) => notify(error),
    onSuccess: () => live.queries.invalidateQueries({ queryKey: ["calendar"] }),
  });
  return (
    <li className="event">
      <span className="hours">{hoursOn(event, day) ?? t("allDay")}</span>
      <span className="event-title">
        {event.title}
        <span className="quiet">
          {ends.slice(0, 10) > startOf(event).slice(0, 10) &&
            ` · ${t("until", { when: event.allDay ? t.day(ends) : t.date(ends) })}`}
          {event.location && ` · ${event.location}`}
          {!event.allDay && zone && ` · ${zone}`}
        </span>
      </span>
      {canDelete && event.source === "own" && (
        <Trash
          label={t("deleteEvent", { title: event.title })}
          disabled={remove.isPending}
          onDelete={() => remove.mutate()}
        />
      )}
    </li>
  );
}

function NewEvent() {
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const create = useMutation({
    mutationFn: (body: Record<string, string>) =>
      live.client.json("/api/v1/calendar/event", { method: "POST", body, key: newId("k") }),
    onError: (error) => notify(error),
    onSuccess: () => live.queries.invalidateQueries({ queryKey: ["calendar"] }),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    const field = (name: string) => String(fields.get(name) ?? "").trim();
    const [title, start, end] = [field("title"), field("start"), field("end")];
    if (title === "" || start === "") return;
    create.mutate(
      { title, start, end: end === "" ? hourLater(start) : end, timezone: homeZone() },
      { onSuccess: () => form.reset() },
    );
  };
  return (
    <details className="new-event">
      <summary>{t("newEvent")}</summary>
      <form onSubmit={submit}>
        <label>
          {t("field_title")}
          <input name="title" required maxLength={500} />
        </label>
        <label>
          {t("field_start")}
          <input name="start" type="datetime-local" required />
        </label>
        <label>
          {t("field_end")}
          <input name="end" type="datetime-local" />
        </label>
        <button type="submit" className="primary" disabled={create.isPending}>
          {t("addEvent")}
        </button>
      </form>
    </details>
  );
}

interface Imported {
  imported: number;
  updated: number;
  skipped: unknown[];
}

/** An .ics file, as other calendars export them. */
function Import() {
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const { mutate } = useMutation({
    mutationFn: (file: File) =>
      live.client.json<Imported>("/api/v1/calendar/import", {
        method: "POST",
        file,
        fileType: "text/calendar",
        key: newId("k"),
      }),
    onError: (error) => notify(error),
    onSuccess: (answer) => {
      notify(t("importedEvents", { count: answer.imported + answer.updated, skipped: answer.skipped.length }));
      void live.queries.invalidateQueries({ queryKey: ["calendar"] });
    },
  });
  const take = (input: HTMLInputElement) => {
    const file = input.files?.[0];
    if (file !== undefined) mutate(file);
    input.value = ""; // else the same file, once it was mended, could not be chosen again
  };
  return (
    <label className="import">
      {t("importCalendar")}
      <input type="file" accept=".ics,text/calendar" onChange={(event) => take(event.target)} />
    </label>
  );
}

function hourLater(local: string): string {
  const date = new Date(`${local}:00Z`);
  date.setUTCHours(date.getUTCHours() + 1);
  return date.toISOString().slice(0, 16);
}
