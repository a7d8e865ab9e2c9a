"""The view `travel`: a row a trip that the calendar speaks of, and a row for the flights found under a workflow.

Where and when somebody goes is sealed: it is opened, put together and ordered by travel_queries.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.values import BookingStep
from projections.event_groups import CALENDAR, DAY, DUE, SPINE, TRAVEL, VOICE
from projections.view import Change, Column, Handler, Key, Patch, Remove, Seen, Table, Upsert, View

# `version`, `name`, `state`: the event it is rendered from.
TRIPS = Table(
    "travel_trips",
    [Column("workflow_id", "text")],
    [
        Column("travel_event_id", "text"),
        Column("changed_version", "bigint"),
        Column("version", "bigint"),
        Column("name", "text"),
        Column("state", "bytea"),
    ],
)

STEPS: tuple[BookingStep, ...] = ("offer_selected", "tasks_created", "payment")

# `selected_…`: the event by which one of the flights was selected. A step's column holds its status.
FLIGHTS = Table(
    "travel_flights",
    [Column("workflow_id", "text")],
    [
        Column("travel_event_id", "text", nullable=True),
        Column("changed_version", "bigint"),
        Column("version", "bigint"),
        Column("name", "text"),
        Column("state", "bytea"),
        Column("selected_version", "bigint", nullable=True),
        Column("selected_state", "bytea", nullable=True),
        *(Column(step, "text", nullable=True) for step in STEPS),
    ],
)

_SELECTED = FLIGHTS.shape("changed_version", "selected_version", "selected_state", *STEPS)
_STEP = {step: FLIGHTS.shape("changed_version", step) for step in STEPS}
_NO_STEPS = (None,) * len(STEPS)


def _key(event: Seen) -> Key:
    return event.user_id, event.data.workflow_id


def _trip_detected(event: Seen) -> Sequence[Change]:
    row = (event.data.travel_event_id, event.end_version, event.version, event.name, event.state)
    return [Upsert(TRIPS, _key(event), row)]


def _trip_forgotten(event: Seen) -> Sequence[Change]:
    return [Remove(TRIPS, _key(event))]


def _flights_found(event: Seen) -> Sequence[Change]:
    """Whatever was selected before stood among other offers."""
    row = (event.data.travel_event_id, event.end_version, event.version, event.name, event.state)
    return [Upsert(FLIGHTS, _key(event), (*row, None, None, *_NO_STEPS))]


def _flight_selected(event: Seen) -> Sequence[Change]:
    return [Patch(_SELECTED, _key(event), (event.end_version, event.version, event.state, *_NO_STEPS))]


def _step_taken(event: Seen) -> Sequence[Change]:
    return [Patch(_STEP[event.data.step], _key(event), (event.end_version, event.data.status))]


_HANDLERS: dict[str, Handler] = {
    "TripDetected": _trip_detected,
    "TripForgotten": _trip_forgotten,
    "FlightsFound": _flights_found,
    "FlightSelected": _flight_selected,
    "BookingStepTaken": _step_taken,
}

TRAVEL_VIEW = View(
    name="travel",
    version=1,
    tables=(TRIPS, FLIGHTS),
    handlers=_HANDLERS,
    ignores=SPINE | DAY | CALENDAR | DUE | VOICE | (TRAVEL - _HANDLERS.keys()),
)
