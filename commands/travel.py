"""Flights: a search counted before it is made, its offers kept, one of them selected and its booking begun.

Nothing is ever paid here: the payment stays with the user, as a task.
"""

from __future__ import annotations

from dataclasses import dataclass

from commands.budgets import warn_of_searches
from commands.context import CommandContext
from commands.tasks import CreateTask, create_task
from domain import limits
from domain.brain import Brain, WorkflowState
from domain.errors import Conflict, NotFound, StaleAttempt
from domain.events import (
    BookingStepTaken,
    BrainEvent,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    FoundFlights,
    TaskCreated,
)
from domain.travel import FlightQuery, Offer, RankedOffer
from domain.values import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFlightSearch:
    """`search_id` names the n-th search of a message, so that a second attempt of its reply pays for none twice."""

    search_id: str
    reply_id: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepFlights:
    """What was found for a reply. `workflow_id` None: of the trip, or a new one of the message."""

    reply_id: str
    attempt: int
    workflow_id: str | None
    travel_event_id: str | None
    destination: str
    departure_date: str
    query: FlightQuery
    offers: tuple[RankedOffer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectFlight:
    workflow_id: str
    flight_id: str
    created_from: str | None = None


def start_flight_search(command: StartFlightSearch, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Raises `TooMany` when the day's searches are spent, `StaleAttempt` when the reply is not the caller's."""
    message_id = _message_of(brain, command.reply_id, command.attempt)
    if command.search_id in brain.searches:
        return []
    started = FlightSearchStarted(search_id=command.search_id, message_id=message_id, reply_id=command.reply_id)
    return [started, *warn_of_searches(brain, context)]


def keep_flights(command: KeepFlights, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    message_id = _message_of(brain, command.reply_id, command.attempt)
    workflow_id = command.workflow_id
    trip = brain.trips.get(command.travel_event_id or "")
    if workflow_id is None and trip is not None:
        workflow_id = trip.workflow_id
    offers = command.offers[: limits.OFFERS_KEPT_MAX]
    return [
        FlightsFound(
            workflow_id=workflow_id or workflow_of(message_id),
            travel_event_id=command.travel_event_id,
            message_id=message_id,
            offer_count=len(offers),
            content=FoundFlights(
                destination=command.destination,
                departure_date=command.departure_date,
                query=command.query,
                offers=offers,
            ),
        )
    ]


def workflow_of(message_id: str) -> str:
    """The workflow of what a message searched for, where no trip has one: the same for each attempt."""
    return f"wf_{message_id.removeprefix('m_')}"


def select_flight(command: SelectFlight, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """The selection, the booking's first steps, and the tasks that are left to the user."""
    known = brain.workflows.get(command.workflow_id)
    if known is None and all(trip.workflow_id != command.workflow_id for trip in brain.trips.values()):
        raise NotFound("There is no such trip. Ask for flights again, then select one.", code="trip_unknown")
    offer = _offer(known, command.flight_id) if known is not None else None
    if known is None or offer is None:
        # The trip was not searched yet, or a later search has replaced what an earlier one found.
        raise Conflict(
            "This flight is not among those of the trip. Ask for flights again, then select one.", code="flight_unknown"
        )
    if known.selected is not None:
        if known.selected.offer_id == offer.offer_id:
            return []
        raise Conflict(
            "Another flight of this trip was selected already. Cancel it with the airline, then ask for flights again.",
            code="flight_selected_already",
        )
    if offer.has_expired(context.user_now_ms):
        raise Conflict("This offer has expired. Ask for flights again, then select a new one.", code="offer_expired")
    workflow_id = command.workflow_id
    selected = FlightSelected(workflow_id=workflow_id, travel_event_id=known.travel_event_id, content=offer)
    events: list[BrainEvent] = [selected]
    events.append(BookingStepTaken(workflow_id=workflow_id, step="offer_selected", status="done"))
    made: list[BrainEvent] = []
    for ordinal, task in enumerate(tasks_for(offer, known.destination)):
        made += create_task(CreateTask(task=task, created_from=command.created_from), brain, context, ordinal=ordinal)
    task_ids = tuple(event.task_id for event in made if isinstance(event, TaskCreated))
    events += made
    events.append(BookingStepTaken(workflow_id=workflow_id, step="tasks_created", status="done", task_ids=task_ids))
    events.append(BookingStepTaken(workflow_id=workflow_id, step="payment", status="waiting"))
    return events


def tasks_for(offer: Offer, destination: str) -> tuple[Task, ...]:
    """What is left to the user, in the clock of the airport of departure."""
    flight = f"{offer.airline} {offer.origin}–{offer.destination}"
    day = offer.departure[:10]
    price = f"{offer.price.amount} {offer.price.currency}"
    tags = ("travel",)
    zone = offer.departure_timezone
    return (
        Task(
            title=f"Pay for the flight to {destination}",
            notes=f"{flight}, {day} {offer.departure[11:]}, {price}. Nothing was paid for you.",
            tags=tags,
            priority="high",
        ),
        Task(title=f"Check in for the flight to {destination}", due=day, timezone=zone, tags=tags, notes=flight),
    )


def _offer(workflow: WorkflowState, flight_id: str) -> Offer | None:
    return next((ranked.offer for ranked in workflow.offers if ranked.offer.offer_id == flight_id), None)


def _message_of(brain: Brain, reply_id: str, attempt: int) -> str:
    reply = brain.replies.get(reply_id)
    if reply is None or reply.attempt != attempt or reply.status != "running":
        raise StaleAttempt("Nothing can be searched: the attempt is over or was asked to stop.")
    return reply.ref.message_id
