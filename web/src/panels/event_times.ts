// When an event is, as its own zone has it: an offset in the text is no reason to turn it into ours. Pure.
interface Times {
  allDay: boolean;
  occurrenceStart: string;
  occurrenceEnd: string;
}

/** The end in local time, of an event of whole days its last day. */
export function lastMoment({ allDay, occurrenceStart, occurrenceEnd }: Times): string {
  const end = occurrenceEnd.slice(0, 16);
  if (!allDay && !end.endsWith("T00:00")) return end;
  // An end is no part of the event: one at midnight is of the day before.
  const before = new Date(Date.parse(`${end.slice(0, 10)}T00:00Z`) - 60_000).toISOString();
  const last = before.slice(0, 10) < occurrenceStart.slice(0, 10) ? occurrenceStart : before;
  return allDay ? last.slice(0, 10) : last.slice(0, 16);
}

/** From and until when an event takes that day's time; null for all of the day. */
export function hoursOn(event: Times, day: string): string | null {
  const [start, end, last] = [event.occurrenceStart, event.occurrenceEnd, lastMoment(event)];
  const from = start.slice(0, 10) < day ? "" : start.slice(11, 16);
  const until = last.slice(0, 10) > day ? "" : end.slice(11, 16);
  return event.allDay || `${from}${until}` === "" ? null : `${from}–${until}`;
}
