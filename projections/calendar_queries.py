"""Queries of the view `calendar`: what takes place in a window of time, recurring events worked out.

Times are sealed, so all events of the one user are opened and looked at, in a thread: a calendar may be large, and its
rules are what somebody wrote.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from domain.day_shapes import calendar_json, occurrence_json
from domain.events import CalendarEventAdded, CalendarEventChanged, Fact
from domain.occurrences import Occurrence, occurrences
from domain.values import REDACTED, CalendarEntry, Json
from projections.reading import Fetched, Reader, decode_cursor, encode_cursor, mark_of

ALL = """SELECT m.source, coalesce(m.version, 0), c.id, c.changed_version, c.version, c.name, c.state, c.travel_event_id
FROM view_mark('calendar', %(user)s) m LEFT JOIN calendar_events c ON c.user_id = %(user)s"""

PAGE = """SELECT id, version, name, state FROM calendar_events
WHERE user_id = %(user)s AND id > %(after)s ORDER BY id LIMIT %(limit)s"""

ANY_TIME_MS = 2**61  # no calendar reaches as far, to either side of 1970
EPOCH_AFTER_MS = ANY_TIME_MS  # cursors hold no negative number, and calendars begin before 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """In Unix milliseconds; the end is not included. `only_series`: what does not repeat is found wherever it lies."""

    from_ms: int
    until_ms: int
    only_series: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    version: int
    travel_event_id: str | None
    fact: Fact
    entry: CalendarEntry


async def fetch_occurrences(
    reader: Reader, user_id: str, *, window: Window, limit: int = 100, cursor: str | None = None
) -> Fetched:
    """What takes place at some time in the window, by its start; there is more while there is a `nextCursor`."""
    after = _place_of(cursor)
    rows = await reader.queries.fetch(ALL, {"user": user_id})
    mark = mark_of("calendar", rows[0] if rows else None)
    kept = [row for row in rows if row[2] is not None]
    facts = await reader.open_rows(user_id, [row[4:7] for row in kept])
    opened = {
        row[2]: _Row(row[3], row[7], fact, fact.event.content)
        for row, fact in zip(kept, facts, strict=True)
        if isinstance(fact.event, CalendarEventAdded | CalendarEventChanged) and fact.event.content is not REDACTED
    }
    events, following = await asyncio.to_thread(_page, opened, window, limit, after)
    return Fetched(mark, {"events": events, "nextCursor": following, "version": mark.version})


async def fetch_calendar_page(
    reader: Reader, user_id: str, *, after: str = "", limit: int
) -> tuple[list[tuple[str, Fact]], str | None]:
    """Some events with their ids, in the order of these, and the id to go on after; None at the end."""
    rows = await reader.queries.fetch(PAGE, {"user": user_id, "after": after, "limit": limit})
    facts = await reader.open_rows(user_id, [row[1:4] for row in rows])
    page = [(str(row[0]), fact) for row, fact in zip(rows, facts, strict=True)]
    return page, page[-1][0] if len(page) == limit else None


def _place_of(cursor: str | None) -> tuple[int, str, str] | None:
    if cursor is None:
        return None
    starts, calendar_id, original = decode_cursor(cursor, int, str, str)
    return starts - EPOCH_AFTER_MS, calendar_id, original


def _page(
    rows: Mapping[str, _Row], window: Window, limit: int, after: tuple[int, str, str] | None
) -> tuple[list[Json], str | None]:
    found = _found(rows, window, limit + 1, after)
    page = found[:limit]
    following = None
    if len(found) > limit:
        starts_at_ms, calendar_id, original = page[-1].place
        following = encode_cursor(starts_at_ms + EPOCH_AFTER_MS, calendar_id, original)
    return [occurrence_json(_shape(one.calendar_id, rows[one.calendar_id]), one) for one in page], following


def _found(
    rows: Mapping[str, _Row], window: Window, limit: int, after: tuple[int, str, str] | None
) -> list[Occurrence]:
    within: list[tuple[str, CalendarEntry]] = []
    anywhere: list[tuple[str, CalendarEntry]] = []
    for calendar_id, row in rows.items():
        bounded = not window.only_series or row.entry.recurrence is not None
        (within if bounded else anywhere).append((calendar_id, row.entry))
    found = occurrences(within, from_ms=window.from_ms, until_ms=window.until_ms, limit=limit, after=after)
    if anywhere:
        found += occurrences(anywhere, from_ms=-ANY_TIME_MS, until_ms=ANY_TIME_MS, limit=limit, after=after)
        found.sort(key=lambda one: one.place)
    return found[:limit]


def _shape(calendar_id: str, row: _Row) -> dict[str, Json]:
    event = row.fact.event
    assert isinstance(event, CalendarEventAdded | CalendarEventChanged)
    shape = calendar_json(
        calendar_id,
        row.entry,
        source=event.source,
        created_from=event.created_from,
        created_at_ms=row.fact.meta.at_ms if isinstance(event, CalendarEventAdded) else event.created_at_ms,
        version=row.version,
    )
    return shape if row.travel_event_id is None else {**shape, "travelEventId": row.travel_event_id}
