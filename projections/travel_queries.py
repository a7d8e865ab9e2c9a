"""Queries of the view `travel`: the trips that are not over, each with the flights that were found for it."""

from __future__ import annotations

from domain.day_shapes import trip_json
from domain.events import FlightSelected, FlightsFound, FoundFlights, TripDetected
from domain.travel import Offer, Trip
from domain.values import REDACTED, BookingStep, Json, StepStatus
from infra.queries import Row
from projections.reading import Fetched, Reader, mark_of
from projections.travel import STEPS

ALL = """SELECT m.source, coalesce(m.version, 0), coalesce(t.workflow_id, f.workflow_id),
    t.travel_event_id, t.changed_version, t.version, t.name, t.state,
    f.changed_version, f.version, f.name, f.state, f.selected_version, f.selected_state,
    f.offer_selected, f.tasks_created, f.payment
FROM view_mark('travel', %(user)s) m
LEFT JOIN (
    (SELECT * FROM travel_trips WHERE user_id = %(user)s) t
    FULL JOIN (SELECT * FROM travel_flights WHERE user_id = %(user)s) f ON f.workflow_id = t.workflow_id
) ON true"""

_SELECTED = "FlightSelected"


async def fetch_trips(reader: Reader, user_id: str, *, today: str) -> Fetched:
    """`{"upcoming_trips": [...]}` by day of departure; what was over before `today` (`YYYY-MM-DD`) is left out. Offers
    that have expired are listed with the others: `expires_at` says so."""
    rows = await reader.queries.fetch(ALL, {"user": user_id})
    mark = mark_of("travel", rows[0] if rows else None)
    shapes = [shape for row in rows if row[2] is not None and (shape := await _trip(reader, user_id, row, today))]
    shapes.sort(key=lambda shape: (shape["departure_date"], shape["workflow_id"]))
    return Fetched(mark, {"upcoming_trips": shapes, "version": mark.version})


async def _trip(reader: Reader, user_id: str, row: Row, today: str) -> dict[str, Json] | None:
    """None for what is over, and where nothing of it can be read."""
    trip, found, selected = await _opened(reader, user_id, row)
    if trip is not None:
        departure, over, destination = trip.departure_date, trip.return_date or trip.departure_date, trip.destination
    elif found is not None:
        departure = over = found.departure_date
        destination = found.destination
    else:
        return None
    if over < today:
        return None
    steps: dict[BookingStep, StepStatus] = {
        name: status for name, status in zip(STEPS, row[14:17], strict=True) if status is not None
    }
    return trip_json(
        travel_event_id=row[3],
        workflow_id=row[2],
        destination=destination,
        departure_date=departure,
        offers=() if found is None else found.offers,
        selected=selected,
        steps=steps,
        version=max(row[4] or 0, row[8] or 0),
    )


async def _opened(reader: Reader, user_id: str, row: Row) -> tuple[Trip | None, FoundFlights | None, Offer | None]:
    kept = [part for part in (row[5:8], row[9:12], (row[12], _SELECTED, row[13])) if part[0] is not None]
    trip: Trip | None = None
    found: FoundFlights | None = None
    selected: Offer | None = None
    for fact in await reader.open_rows(user_id, kept):
        event = fact.event
        if isinstance(event, TripDetected) and event.content is not REDACTED:
            trip = event.content
        elif isinstance(event, FlightsFound) and event.content is not REDACTED:
            found = event.content
        elif isinstance(event, FlightSelected) and event.content is not REDACTED:
            selected = event.content
    return trip, found, selected
