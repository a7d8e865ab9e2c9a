// The next two weeks of the calendar, day by day, and a form for what happens then.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import { useLive } from "../live/context.tsx";
import { newId } from "../session/ids.ts";
import { Icon } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import { type Occurrence, dayOf, daysLater, useCalendar } from "./lists.ts";
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
              <EventRow key={`${event.id} ${startOf(event)}`} event={event} canDelete />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

const startOf = (event: Occurrence): string => event.occurrenceStart;
const endOf = (event: Occurrence): string => event.occurrenceEnd;

/** The hour as the event's own zone has it: an offset in the text is no reason to turn it into ours. */
const hour = (local: string): string => local.slice(11, 16);

export function EventRow({ event, canDelete = false }: { event: Occurrence; canDelete?: boolean }) {
  const { t } = useI18n();
  const live = useLive();
  const notify = useNotify();
  const remove = useMutation({
    mutationFn: () => live.client.json(`/api/v1/calendar/events/${event.id}`, { method: "DELETE", key: newId("k") }),
    onError: (error) => notify(error),
    onSuccess: () => live.queries.invalidateQueries({ queryKey: ["calendar"] }),
  });
  return (
    <li className="event">
      <span className="hours">{event.allDay ? t("allDay") : `${hour(startOf(event))}–${hour(endOf(event))}`}</span>
      <span className="event-title">
        {event.title}
        {event.location && <span className="quiet"> · {event.location}</span>}
      </span>
      {canDelete && event.source === "own" && (
        <button
          type="button"
          className="icon quiet"
          aria-label={t("deleteEvent", { title: event.title })}
          disabled={remove.isPending}
          onClick={() => remove.mutate()}
        >
          <Icon name="trash" />
        </button>
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
    const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    create.mutate(
      { title, start, end: end > start ? end : hourLater(start), timezone },
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
  const take = (files: FileList | null) => {
    const file = files?.[0];
    if (file !== undefined) mutate(file);
  };
  return (
    <label className="import">
      {t("importCalendar")}
      <input type="file" accept=".ics,text/calendar" onChange={(event) => take(event.target.files)} />
    </label>
  );
}

function hourLater(local: string): string {
  const date = new Date(`${local}:00Z`);
  date.setUTCHours(date.getUTCHours() + 1);
  return date.toISOString().slice(0, 16);
}
