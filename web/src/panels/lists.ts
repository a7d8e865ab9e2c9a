// Lists that are read when a panel shows them, and read again when the stream says that they changed.
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import type { Brain } from "../live/brain.ts";
import { useBrain, useIsLoaded, useLive } from "../live/context.tsx";
import type { CalendarEvent, Trip, Usage } from "../wire.ts";

export interface Occurrence extends CalendarEvent {
  occurrenceStart: string;
  occurrenceEnd: string;
}

const calendarAt = (brain: Brain) => brain.changed.calendar;
const travelAt = (brain: Brain) => brain.changed.travel;
const usageAt = (brain: Brain) => brain.changed.usage;

function useList<T>(name: string, path: string, version: number) {
  const live = useLive();
  const enabled = useIsLoaded();
  return useQuery({
    queryKey: [name, path, version],
    enabled,
    placeholderData: keepPreviousData,
    queryFn: () =>
      live.client.json<T>(version === 0 ? path : `${path}${path.includes("?") ? "&" : "?"}min_version=${version}`),
  });
}

/** `from` and `to` are days, `to` not included. */
export function useCalendar(from: string, to: string) {
  const zone = encodeURIComponent(homeZone());
  const path = `/api/v1/calendar/events?from=${from}&to=${to}&timezone=${zone}&limit=500`;
  return useList<{ events: Occurrence[] }>("calendar", path, useBrain(calendarAt));
}

export function useTrips() {
  return useList<{ upcoming_trips: Trip[] }>("trips", "/api/v1/travel/suggestions", useBrain(travelAt));
}

export function useUsage() {
  return useList<Usage>("usage", "/api/v1/usage", useBrain(usageAt));
}

export const homeZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** A day as YYYY-MM-DD on the clock of whoever looks. */
export function dayOf(date: Date): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function everyHalfMinute(look: () => void): () => void {
  const timer = setInterval(look, 30_000);
  return () => clearInterval(timer);
}

/** Today, also on a page that stays open over midnight. */
export const useToday = (): string => useSyncExternalStore(everyHalfMinute, () => dayOf(new Date()));

/** Whether that moment is over, also where it comes while somebody looks. */
export const useIsOver = (moment: string | null): boolean =>
  useSyncExternalStore(everyHalfMinute, () => moment !== null && Date.parse(moment) < Date.now());

export function daysLater(day: string, days: number): string {
  const date = new Date(`${day}T12:00`);
  date.setDate(date.getDate() + days);
  return dayOf(date);
}
