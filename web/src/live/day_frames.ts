// Frames about the calendar, trips, speech and budgets. See reducer.ts.
import type { Flight, Payload, Trip } from "../wire.ts";
import type { Brain } from "./brain.ts";
import { number, record, text } from "./read.ts";

export type Change = Partial<Brain>;

/** What a frame changes; null for one that this client does not know. */
export function dayChange(brain: Brain, name: string, data: Payload, version: number): Change | null {
  switch (name) {
    case "calendar.created":
    case "calendar.updated":
    case "calendar.deleted":
      return { changed: { ...brain.changed, calendar: version } };
    case "travel.suggestions":
      return suggestions(brain, data, version);
    case "travel.selected":
      return selected(brain, data, version);
    case "travel.detected":
    case "travel.deleted":
    case "travel.step":
      return { changed: { ...brain.changed, travel: version } };
    case "limit.warning":
      return { warning: { budget: text(data.budget), used: number(data.used), limit: number(data.limit) } };
    case "message.audio":
      return {
        speech: { ...brain.speech, [text(data.messageId)]: { url: text(data.url), expiresAt: text(data.expiresAt) } },
      };
    case "voice.ended": {
      const failure = data.status === "completed" ? null : text(data.code) || "failed";
      return { recordings: { ...brain.recordings, [text(data.transcriptJobId)]: failure } };
    }
    case "reminder.due":
      return { reminder: { taskId: text(data.taskId), version } };
    case "voice.started":
      return {};
    default:
      return null;
  }
}

function suggestions(brain: Brain, data: Payload, version: number): Change {
  const workflow = text(data.workflowId);
  const flights = (Array.isArray(data.rankedFlights) ? data.rankedFlights : []) as Flight[];
  const known = brain.trips[workflow];
  const trip: Trip = {
    travel_event_id: text(data.travelEventId) || null,
    destination: text(data.destination) || known?.destination || flights[0]?.destination || "",
    departure_date: text(data.departureDate) || known?.departure_date || (flights[0]?.departs ?? "").slice(0, 10),
    workflow_id: workflow,
    ranked_flights: flights,
    selected_flight_id: null,
    version,
  };
  const message = text(data.messageId);
  const made = message === "" ? brain.made : { ...brain.made, [message]: { ...brain.made[message], trip: workflow } };
  return { trips: { ...brain.trips, [workflow]: trip }, made, changed: { ...brain.changed, travel: version } };
}

function selected(brain: Brain, data: Payload, version: number): Change {
  const trip = brain.trips[text(data.workflowId)];
  const changed = { ...brain.changed, travel: version };
  if (trip === undefined) return { changed };
  const chosen = { ...trip, selected_flight_id: text(record(data.flight).flight_id) || null, version };
  return { trips: { ...brain.trips, [trip.workflow_id]: chosen }, changed };
}
