"""How trips, flight searches and bookings change a `Brain`. Part of domain/evolve.py."""

from __future__ import annotations

from dataclasses import replace

from domain import limits
from domain.brain import Brain, TripState, WorkflowState
from domain.copying import drop, put, with_changes
from domain.events import (
    BookingStepTaken,
    Fact,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    TripDetected,
    TripForgotten,
)
from domain.values import REDACTED


def fold_trip(brain: Brain, event: TripDetected | TripForgotten, fact: Fact) -> Brain:
    if isinstance(event, TripForgotten):
        return with_changes(brain, trips=drop(brain.trips, event.travel_event_id))
    if event.content is REDACTED:
        return brain
    trip = TripState(
        trip=event.content,
        workflow_id=event.workflow_id,
        calendar_id=event.calendar_id,
        version=fact.meta.end_version,
    )
    return with_changes(brain, trips=put(brain.trips, event.travel_event_id, trip, keep_max=limits.TRIPS_MAX))


def fold_flights(
    brain: Brain, event: FlightSearchStarted | FlightsFound | FlightSelected | BookingStepTaken, fact: Fact
) -> Brain:
    end = fact.meta.end_version
    if isinstance(event, FlightSearchStarted):
        return _search_started(brain, event, fact)
    if isinstance(event, FlightsFound):
        if event.content is REDACTED:
            return brain
        found = event.content
        state = WorkflowState(
            travel_event_id=event.travel_event_id,
            destination=found.destination,
            departure_date=found.departure_date,
            offers=found.offers,
            version=end,
        )
    else:
        known = brain.workflows.get(event.workflow_id)
        if known is None:
            return brain
        if isinstance(event, BookingStepTaken):
            steps = {**known.steps, event.step: event.status}
            state = replace(known, steps=steps, task_ids=(*known.task_ids, *event.task_ids), version=end)
        elif event.content is REDACTED:
            return brain
        else:
            state = replace(known, selected=event.content, steps={}, task_ids=(), version=end)
    workflows = put(brain.workflows, event.workflow_id, state, keep_max=limits.WORKFLOWS_KEPT_MAX)
    return with_changes(brain, workflows=workflows)


def _search_started(brain: Brain, event: FlightSearchStarted, fact: Fact) -> Brain:
    day = fact.meta.at_ms // limits.DAY_MS
    tokens, searches = (brain.usage_tokens, brain.usage_searches) if brain.usage_day == day else (0, 0)
    return with_changes(
        brain,
        usage_day=day,
        usage_tokens=tokens,
        usage_searches=searches + 1,
        searches=(*brain.searches, event.search_id)[-limits.ACTIONS_KEPT_MAX :],
    )
