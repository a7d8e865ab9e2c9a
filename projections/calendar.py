"""The view `calendar`: a row an event, with the trip that it makes. Removed events leave none.

When an event takes place is sealed with its text: windows are looked for after opening (calendar_queries.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from projections.event_groups import DAY, DUE, SPINE, TRAVEL, VOICE
from projections.view import Change, Column, Handler, Key, Patch, Remove, Seen, Table, Upsert, View

# `version`, `name`, `state`: the event it is rendered from.
ROWS = Table(
    "calendar_events",
    [Column("id", "text")],
    [
        Column("changed_version", "bigint"),
        Column("version", "bigint"),
        Column("name", "text"),
        Column("state", "bytea"),
        Column("travel_event_id", "text", nullable=True),
    ],
)

_EVENT = ROWS.shape("changed_version", "version", "name", "state")
_TRIP = ROWS.shape("travel_event_id")


def _key(event: Seen) -> Key:
    return event.user_id, event.data.calendar_id


def _added(event: Seen) -> Sequence[Change]:
    """An event that is long over may come in again from the same file, under the same id."""
    return [Upsert(ROWS, _key(event), (event.end_version, event.version, event.name, event.state, None))]


def _changed(event: Seen) -> Sequence[Change]:
    return [Patch(_EVENT, _key(event), (event.end_version, event.version, event.name, event.state))]


def _removed(event: Seen) -> Sequence[Change]:
    return [Remove(ROWS, _key(event))]


def _trip_detected(event: Seen) -> Sequence[Change]:
    return [Patch(_TRIP, _key(event), (event.data.travel_event_id,))]


def _trip_forgotten(event: Seen) -> Sequence[Change]:
    return [Patch(_TRIP, _key(event), (None,))]


_HANDLERS: dict[str, Handler] = {
    "CalendarEventAdded": _added,
    "CalendarEventChanged": _changed,
    "CalendarEventRemoved": _removed,
    "TripDetected": _trip_detected,
    "TripForgotten": _trip_forgotten,
}

CALENDAR = View(
    name="calendar",
    version=1,
    tables=(ROWS,),
    handlers=_HANDLERS,
    ignores=SPINE | DAY | DUE | VOICE | (TRAVEL - _HANDLERS.keys()),
)
