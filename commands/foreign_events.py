"""Events of other calendars to entries of ours: checked, cut to our bounds, series put together. Pure.

What can't be taken is named with a reason and never half taken: a rule that we can't follow does not become one event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from commands.calendar_entries import check_entry, check_length, counted_out
from commands.calendar_times import Placed, moved_past_gap, read_time
from commands.preference_values import check_timezone
from domain import limits
from domain.errors import Invalid
from domain.foreign_calendar import ForeignEvent
from domain.local_times import later, local_text, local_time
from domain.text import clean, one_line
from domain.values import CalendarEntry, MovedOccurrence

UNTITLED = "(untitled)"
DAYS_COUNTED_MAX = 500_000  # to count out the series of one file: more would keep a processor busy for seconds
ALTERED = "altered"  # stands between a series' uid and the start of an occurrence whose series is not there


@dataclass(frozen=True, slots=True)
class Skipped:
    """`reason` is the code of a refusal, such as `recurrence_invalid`."""

    uid: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Taken:
    """`entries` by the id that each has here, `cancelled` such ids, and what could not be taken. `days_counted`: what
    it took to count out their series."""

    entries: dict[str, CalendarEntry] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    days_counted: int = 0


def take(events: Iterable[ForeignEvent], *, zone: str, id_of: Callable[[str], str]) -> Taken:
    """`zone` is the user's, for times that name none; `id_of` makes our id of a uid. Of two events with one uid the
    last one counts."""
    single: dict[str, ForeignEvent] = {}
    altered: dict[str, dict[str, ForeignEvent]] = {}
    for event in events:
        if event.replaces is None:
            single[event.uid] = event
        else:
            altered.setdefault(event.uid, {})[event.replaces] = event
    taken = Taken()
    for uid, event in single.items():
        _take_one(taken, uid, event, list(altered.pop(uid, {}).values()), zone, id_of)
    # Somebody who is invited to one occurrence of a series gets that one without the series.
    for uid, alone in altered.items():
        for start, event in alone.items():
            _take_one(taken, f"{uid}/{ALTERED}/{start}", replace(event, recurrence=None, excluded=()), [], zone, id_of)
    return taken


def _take_one(
    taken: Taken,
    uid: str,
    event: ForeignEvent,
    altered: Sequence[ForeignEvent],
    zone: str,
    id_of: Callable[[str], str],
) -> None:
    if event.is_cancelled:
        taken.cancelled.append(id_of(uid))
        return
    try:
        if taken.days_counted > DAYS_COUNTED_MAX and "COUNT" in (event.recurrence or ""):
            raise Invalid("The series of this file are too many and too long.", code="recurrence_too_long")
        entry, looked = entry_of(replace(event, uid=uid), altered, zone)
    except Invalid as error:
        taken.skipped.append(Skipped(uid, error.code))
    else:
        taken.entries[id_of(uid)] = entry
        taken.days_counted += looked


def entry_of(event: ForeignEvent, altered: Sequence[ForeignEvent], zone: str) -> tuple[CalendarEntry, int]:
    """The entry, and how many days it took to count out its series. `altered` are the occurrences of the series that
    another event stands for. Raises `Invalid`."""
    zone = check_timezone(event.timezone or zone)
    start, end = _span(event, zone, keeps_hours=event.recurrence is not None)
    entry = CalendarEntry(
        title=_line(event.title) or UNTITLED,
        start=start.local,
        end=end.local,
        timezone=zone,
        starts_at_ms=start.at_ms,
        ends_at_ms=end.at_ms,
        description=clean(event.description or "").strip()[: limits.CALENDAR_TEXT_CHARACTERS_MAX] or None,
        location=_line(event.location or "") or None,
        attendees=_attendees(event),
        recurrence=event.recurrence,
        uid=event.uid,
    )
    if entry.recurrence is not None:
        gone = [_original(text, entry) for text in event.excluded]
        gone += [_original(one.replaces or "", entry) for one in altered if one.is_cancelled]
        moved = [_moved(one, entry) for one in altered if not one.is_cancelled]
        entry = replace(entry, excluded=tuple(sorted(set(gone))), moved=tuple(moved))
    check_entry(entry)
    return counted_out(entry)


def _span(event: ForeignEvent, zone: str, *, keeps_hours: bool = False) -> tuple[Placed, Placed]:
    """Without an end a day is one day long, and anything else is a moment. `keeps_hours`: see `_place`."""
    start = _place("start", event.start, zone, keeps_hours=keeps_hours)
    if event.end is not None:
        end = _place("end", event.end, zone, keeps_hours=keeps_hours)
    else:
        end = moved_past_gap(later(start.local, timedelta(days=1)), zone) if start.is_day else start
    if start.is_day and end == start:
        end = moved_past_gap(later(start.local, timedelta(days=1)), zone)
    check_length(start, end, may_be_nothing=True)
    return start, end


def _place(name: str, text: str, zone: str, *, keeps_hours: bool = False) -> Placed:
    """A local time that is skipped is moved behind the gap, as RFC 5545 says: nobody is there to be asked. With
    `keeps_hours` only its instant is: a series has its own hour again on all other days."""
    try:
        return read_time(name, text, zone)
    except Invalid as error:
        if error.code != "time_missing":
            raise
        moved = moved_past_gap(text, zone)
        return Placed(local_text(datetime.fromisoformat(text)), moved.at_ms) if keeps_hours else moved


def _original(text: str, series: CalendarEntry) -> str:
    """The local start of an occurrence; a bare day names the one on it."""
    placed = _place("occurrence", text, series.timezone, keeps_hours=True)
    if series.all_day:
        return placed.local[:10]
    return placed.local + series.start[10:] if placed.is_day else placed.local


def _moved(event: ForeignEvent, series: CalendarEntry) -> MovedOccurrence:
    # Its own zone may be another: what counts is the instant, on the clock of the series.
    start, end = _span(event, check_timezone(event.timezone or series.timezone))
    if start.is_day != series.all_day:
        raise Invalid("An occurrence of a series of days is a day.", code="occurrence_invalid")
    title, location = _line(event.title) or UNTITLED, _line(event.location or "")
    description = clean(event.description or "").strip()[: limits.CALENDAR_TEXT_CHARACTERS_MAX]
    return MovedOccurrence(
        original=_original(event.replaces or "", series),
        start=_in_zone(start, series.timezone),
        end=_in_zone(end, series.timezone),
        title=title if title != series.title else None,
        description=description if description != (series.description or "") else None,
        location=location if location != (series.location or "") else None,
    )


def _in_zone(placed: Placed, zone: str) -> str:
    return placed.local if placed.is_day else local_time(placed.at_ms, zone)


def _line(text: str) -> str:
    return one_line(text)[: limits.TITLE_CHARACTERS_MAX].strip()


def _attendees(event: ForeignEvent) -> tuple[str, ...]:
    named = (one_line(one)[: limits.ATTENDEE_CHARACTERS_MAX].strip() for one in event.attendees)
    return tuple(one for one in named if one)[: limits.ATTENDEES_MAX]
