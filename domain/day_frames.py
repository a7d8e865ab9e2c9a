"""Frames of facts about plans, calendar, reminders, budgets, trips and speech. See domain/frames.py."""

from __future__ import annotations

from typing import assert_never

from domain.day_shapes import calendar_json, offer_json, plan_json, ranked_json
from domain.events import (
    BookingStepTaken,
    BudgetWarned,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    Fact,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    PlanSet,
    ReminderFired,
    SpeechMade,
    TripDetected,
    TripForgotten,
    VoiceJobEnded,
    VoiceJobStarted,
    WishScheduled,
)
from domain.shapes import task_event_json, utc
from domain.values import REDACTED, Json

CalendarChange = CalendarEventAdded | CalendarEventChanged | CalendarEventRemoved
DueEvent = ReminderFired | WishScheduled | BudgetWarned
TravelEvent = TripDetected | TripForgotten | FlightSearchStarted | FlightsFound | FlightSelected | BookingStepTaken
VoiceEvent = VoiceJobStarted | VoiceJobEnded | SpeechMade
DayEvent = PlanSet | CalendarChange | DueEvent | TravelEvent | VoiceEvent
Named = tuple[str, dict[str, Json]]


def cause(fact: Fact) -> dict[str, Json]:
    """The action and the message that led to a fact, where there were any."""
    found: dict[str, Json] = {}
    if fact.meta.causation_id.startswith("act_"):
        found["actionId"] = fact.meta.causation_id
    if fact.meta.correlation_id.startswith("m_"):
        found["messageId"] = fact.meta.correlation_id
    return found


def day_frame(event: DayEvent, fact: Fact) -> Named | None:
    """Name and data; None for facts that only the inside needs."""
    match event:
        case PlanSet():
            if event.content is REDACTED:
                return "plan.updated", {"date": None, "plan": None, "redacted": True}
            day = event.content
            plan = plan_json(day.date, day.plan, version=fact.meta.end_version)
            return "plan.updated", {**cause(fact), "date": day.date, "plan": plan}
        case CalendarEventAdded() | CalendarEventChanged() | CalendarEventRemoved():
            return _calendar_frame(event, fact)
        case ReminderFired() | WishScheduled() | BudgetWarned():
            return _due_frame(event, fact)
        case (
            TripDetected()
            | TripForgotten()
            | FlightSearchStarted()
            | FlightsFound()
            | FlightSelected()
            | BookingStepTaken()
        ):
            return _travel_frame(event, fact)
        case VoiceJobStarted() | VoiceJobEnded() | SpeechMade():
            return _voice_frame(event)
        case _:
            assert_never(event)


def _calendar_frame(event: CalendarChange, fact: Fact) -> Named:
    if isinstance(event, CalendarEventRemoved):
        return "calendar.deleted", {**cause(fact), "eventId": event.calendar_id}
    shape: Json = None
    if event.content is not REDACTED:
        shape = calendar_json(
            event.calendar_id,
            event.content,
            source=event.source,
            created_from=event.created_from,
            created_at_ms=fact.meta.at_ms if isinstance(event, CalendarEventAdded) else event.created_at_ms,
            version=fact.meta.end_version,
        )
    name = "calendar.created" if isinstance(event, CalendarEventAdded) else "calendar.updated"
    return name, {**cause(fact), "eventId": event.calendar_id, "calendarEvent": shape}


def _due_frame(event: DueEvent, fact: Fact) -> Named | None:
    match event:
        case ReminderFired():
            data: dict[str, Json] = {"taskId": event.task_id, "dueAt": utc(event.due_at_ms)}
            data["task"] = task_event_json(event, fact, version=fact.meta.end_version)
            if event.message_id is not None:
                data["messageId"] = event.message_id
            return "reminder.due", data
        case WishScheduled():
            return None
        case BudgetWarned():
            return "limit.warning", {"budget": event.budget, "used": event.used, "limit": event.limit}


def _travel_frame(event: TravelEvent, fact: Fact) -> Named | None:
    why = cause(fact)
    match event:
        case TripDetected():
            ids = {
                "travelEventId": event.travel_event_id,
                "workflowId": event.workflow_id,
                "eventId": event.calendar_id,
            }
            if event.content is REDACTED:
                return "travel.detected", {**why, **ids, "redacted": True}
            trip = event.content
            dates = {"destination": trip.destination, "departureDate": trip.departure_date}
            return "travel.detected", {**why, **ids, **dates}
        case TripForgotten():
            ids = {
                "travelEventId": event.travel_event_id,
                "workflowId": event.workflow_id,
                "eventId": event.calendar_id,
            }
            return "travel.deleted", {**why, **ids}
        case FlightSearchStarted():
            return None
        case FlightsFound():
            offers = [] if event.content is REDACTED else [ranked_json(offer) for offer in event.content.offers]
            found: dict[str, Json] = {"workflowId": event.workflow_id, "travelEventId": event.travel_event_id}
            return "travel.suggestions", {**why, **found, "rankedFlights": offers}
        case FlightSelected():
            flight = None if event.content is REDACTED else offer_json(event.content)
            return "travel.selected", {**why, "workflowId": event.workflow_id, "flight": flight}
        case BookingStepTaken():
            return "travel.step", {"workflowId": event.workflow_id, "step": event.step, "status": event.status}


def _voice_frame(event: VoiceEvent) -> Named:
    match event:
        case VoiceJobStarted():
            return "voice.started", {"transcriptJobId": event.job_id}
        case VoiceJobEnded():
            data: dict[str, Json] = {"transcriptJobId": event.job_id, "status": event.status, "code": event.code}
            return "voice.ended", {**data, "messageId": event.message_id}
        case SpeechMade():
            url = f"/api/v1/message/{event.reply_id}/audio"
            data = {"messageId": event.reply_id, "url": url, "mediaType": event.media_type}
            return "message.audio", {**data, "expiresAt": utc(event.expires_at_ms)}
