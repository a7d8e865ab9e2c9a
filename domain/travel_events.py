"""Facts about trips: detected in the calendar, flights searched for, one selected, and the steps of its booking.

The rules of domain/events.py hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.travel import FlightQuery, Offer, RankedOffer, Trip
from domain.values import BookingStep, Redacted, StepStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class TripDetected:
    """Again for the same `travel_event_id` when its calendar event changed. `workflow_id` is of its booking."""

    travel_event_id: str
    workflow_id: str
    calendar_id: str
    content: Trip | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class TripForgotten:
    travel_event_id: str
    workflow_id: str
    calendar_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightSearchStarted:
    """Counts against the day's searches, whatever comes of it. One a message and ordinal: a retry finds it done."""

    search_id: str
    message_id: str
    reply_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFlights:
    """`destination` as a person would say it; dates are `YYYY-MM-DD`. Offers from the best down."""

    destination: str
    departure_date: str
    query: FlightQuery
    offers: tuple[RankedOffer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightsFound:
    """Replaces what was found for the same workflow before. `travel_event_id` where the search was for a known trip."""

    workflow_id: str
    travel_event_id: str | None
    message_id: str
    offer_count: int
    content: FoundFlights | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class FlightSelected:
    workflow_id: str
    travel_event_id: str | None
    content: Offer | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingStepTaken:
    """A step of the booking workflow. Nothing is ever paid: `payment` waits for the user, outside. `task_ids` are the
    tasks that `tasks_created` made."""

    workflow_id: str
    step: BookingStep
    status: StepStatus
    task_ids: tuple[str, ...] = ()
