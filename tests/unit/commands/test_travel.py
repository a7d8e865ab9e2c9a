"""Flights: searches are counted, offers kept, one is selected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commands.calendar import SetCalendarEvent
from commands.messages import PostMessage
from commands.replies import StartReply
from commands.tasks import CreateTask
from commands.travel import KeepFlights, SelectFlight, StartFlightSearch
from domain import limits
from domain.events import (
    BookingStepTaken,
    BudgetWarned,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    TaskCreated,
)
from domain.travel import FlightQuery, Money, Offer, RankedOffer
from domain.values import Task
from tests.support.decider import NOW_MS, Scenario

HELLO = PostMessage(channel="chat", text="Find me flights", conversation_id=None, conversation_ref="c_main")
OFFER = Offer(
    offer_id="f1",
    airline="Air France",
    flight_numbers=("AF 11",),
    origin="JFK",
    destination="CDG",
    departure="2025-11-25T08:00",
    departure_timezone="America/New_York",
    arrival="2025-11-25T21:00",
    arrival_timezone="Europe/Paris",
    duration_minutes=420,
    stops=0,
    price=Money(amount="1200.50", currency="USD"),
    cabin="economy",
    expires_at_ms=NOW_MS + 60_000,
)
OTHER = replace(OFFER, offer_id="f2", airline="Delta")
QUERY = FlightQuery(origins=("JFK",), destinations=("CDG",), departure_from="2025-11-24", departure_until="2025-11-30")


def asking() -> Scenario:
    """A reply runs, as its first attempt."""
    s = Scenario().with_limits(messages_per_minute=0, flight_searches_per_day=2).given(HELLO)
    return s.given(
        StartReply(reply_id=s.brain.queue[0], after_attempt=0, owner="w", lease_seconds=3, reserved_tokens=0)
    )


def search(s: Scenario, search_id: str = "s1", attempt: int = 1) -> StartFlightSearch:
    return StartFlightSearch(search_id=search_id, reply_id=s.brain.queue[0], attempt=attempt)


def keep(s: Scenario, *offers: Offer, attempt: int = 1) -> KeepFlights:
    ranked = tuple(
        RankedOffer(rank=n, offer=offer, score=1 / n, reasoning="Non-stop.") for n, offer in enumerate(offers, 1)
    )
    return KeepFlights(
        reply_id=s.brain.queue[0],
        attempt=attempt,
        workflow_id=None,
        travel_event_id=None,
        destination="Paris",
        departure_date="2025-11-25",
        query=QUERY,
        offers=ranked,
    )


def found() -> tuple[Scenario, str]:
    s = asking()
    s.given(search(s), keep(s, OFFER, OTHER))
    (workflow_id,) = s.brain.workflows
    return s, workflow_id


def test_a_search_counts_before_it_is_made_and_once() -> None:
    s = asking()
    s.when(search(s)).then(
        FlightSearchStarted,
    )
    assert s.brain.searches_made(NOW_MS) == 1
    s.when(search(s)).then_nothing()
    s.when(search(s, "s2")).then(FlightSearchStarted, BudgetWarned)
    s.when(search(s, "s3")).then_refused("flight_searches_per_day")
    assert s.refusal is not None
    assert s.refusal.retry_after_seconds == 14 * 3600
    s.at(NOW_MS + 86_400_000).when(search(s, "s3")).then(FlightSearchStarted)


def test_an_attempt_that_is_over_can_neither_search_nor_keep() -> None:
    s = asking()
    for command in (search(s, attempt=2), keep(s, OFFER, attempt=2), search(s, attempt=0)):
        s.when(command).then_refused("stale_attempt")


def test_what_is_found_again_replaces_what_was_found_for_the_same_message() -> None:
    s, workflow_id = found()
    s.when(keep(s, OTHER)).then(FlightsFound)
    assert [ranked.offer.offer_id for ranked in s.brain.workflows[workflow_id].offers] == ["f2"]


def test_selecting_records_the_steps_makes_tasks_and_pays_nothing() -> None:
    s, workflow_id = found()
    select = SelectFlight(workflow_id=workflow_id, flight_id="f1")
    s.when(select).then(FlightSelected, BookingStepTaken, TaskCreated, TaskCreated, BookingStepTaken, BookingStepTaken)
    workflow = s.brain.workflows[workflow_id]
    assert workflow.selected == OFFER
    assert workflow.steps == {"offer_selected": "done", "tasks_created": "done", "payment": "waiting"}
    pay, check_in = (state.task for state in s.brain.tasks.values())
    assert (pay.title, pay.priority) == ("Pay for the flight to Paris", "high")
    assert (check_in.due, check_in.timezone) == ("2025-11-25", "America/New_York")
    s.when(select).then_nothing()
    s.when(replace(select, flight_id="f2")).then_refused("flight_selected_already")


def test_the_tasks_of_a_selection_need_room_together(monkeypatch: pytest.MonkeyPatch) -> None:
    s, workflow_id = found()
    s.given(CreateTask(task=Task(title="Pack")))
    select = SelectFlight(workflow_id=workflow_id, flight_id="f1")
    monkeypatch.setattr(limits, "TASKS_OPEN_MAX", 2)
    s.when(select).then_refused("tasks_full")
    monkeypatch.setattr(limits, "TASKS_OPEN_MAX", 3)
    s.given(select)
    assert len(s.brain.tasks) == 3


def test_an_expired_or_unknown_offer_is_refused() -> None:
    s, workflow_id = found()
    s.when(SelectFlight(workflow_id=workflow_id, flight_id="f9")).then_refused("flight_unknown")
    s.when(SelectFlight(workflow_id="wf_x", flight_id="f1")).then_refused("trip_unknown")
    s.at(OFFER.expires_at_ms).when(SelectFlight(workflow_id=workflow_id, flight_id="f1")).then_refused("offer_expired")


def test_a_trip_of_the_calendar_is_known_before_its_flights_are_searched() -> None:
    trip = {"title": "Paris trip", "start": "2025-12-10", "end": "2025-12-16"}
    s = Scenario().given(SetCalendarEvent(fields=trip))
    (known,) = s.brain.trips.values()
    s.when(SelectFlight(workflow_id=known.workflow_id, flight_id="f1")).then_refused("flight_unknown")
