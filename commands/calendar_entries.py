"""What a calendar event may be: a caller's fields to an entry whose times, zone and rule agree; its bounds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from commands.calendar_times import Placed, moved_past_gap, read_time
from commands.preference_values import check_timezone
from domain import limits
from domain.errors import Invalid
from domain.local_times import between, later
from domain.occurrences import last_start
from domain.values import CalendarEntry, Json

USUAL_LENGTH = timedelta(hours=1)
ONE_DAY = timedelta(days=1)
_TIMES = ("start", "end", "timezone")


def patched(known: CalendarEntry | None, fields: Mapping[str, Json], user_zone: str) -> CalendarEntry:
    """`known` with `fields` set, None clears; a new entry where nothing is known. Raises `Invalid`.

    A new start without an end moves the end with it, and what was excluded from a series along with the series.
    """
    for name in ("title", "start"):
        if name in fields and fields[name] is None:
            raise Invalid(f"An event keeps a {name}: it cannot be null.", code="event_incomplete")
    texts: dict[str, Any] = {
        name: fields[name] for name in ("title", "description", "location", "recurrence") if name in fields
    }
    if "attendees" in fields:
        texts["attendees"] = tuple(fields["attendees"] or ())
    if isinstance(texts.get("recurrence"), str):
        texts["recurrence"] = texts["recurrence"].removeprefix("RRULE:")
    if known is None:
        entry = _new(fields, texts, user_zone)
    elif any(name in fields for name in _TIMES):
        entry = _moved(replace(known, **texts), fields, user_zone)
    else:
        entry = replace(known, **texts)
    if "excluded" in fields:
        starts = tuple(_excluded(text, entry) for text in fields["excluded"] or ())
        entry = replace(entry, excluded=tuple(sorted(set(starts))))
    return with_series(entry)


def with_series(entry: CalendarEntry) -> CalendarEntry:
    """`entry` with the start of its last occurrence, or without what only a recurring event has. Raises `Invalid`."""
    return counted_out(entry)[0]


def counted_out(entry: CalendarEntry) -> tuple[CalendarEntry, int]:
    """As `with_series`, and how many days had to be looked at."""
    if entry.recurrence is None:
        return replace(entry, last=None, excluded=(), moved=()), 0
    last, looked = last_start(entry)
    return replace(entry, last=last), looked


def _new(fields: Mapping[str, Json], texts: Mapping[str, Any], user_zone: str) -> CalendarEntry:
    if not isinstance(fields.get("title"), str) or not isinstance(fields.get("start"), str):
        raise Invalid("A new event needs a title and a start.", code="event_incomplete")
    zone = check_timezone(fields.get("timezone") or user_zone)
    start = read_time("start", fields["start"], zone)
    end = read_time("end", fields["end"], zone) if fields.get("end") else _usual_end(start, zone)
    check_length(start, end)
    return CalendarEntry(
        start=start.local,
        end=end.local,
        timezone=zone,
        starts_at_ms=start.at_ms,
        ends_at_ms=end.at_ms,
        **texts,
    )


def _moved(known: CalendarEntry, fields: Mapping[str, Json], user_zone: str) -> CalendarEntry:
    zone = check_timezone(fields["timezone"] or user_zone) if "timezone" in fields else known.timezone
    is_new_zone = zone != known.timezone
    before = Placed(known.start, known.starts_at_ms)
    start, end = before, Placed(known.end, known.ends_at_ms)
    if fields.get("start"):
        start = read_time("start", fields["start"], zone)
    elif is_new_zone:
        start = read_time("start", known.start, zone)
    if fields.get("end"):
        end = read_time("end", fields["end"], zone)
    elif "end" in fields or start.is_day != before.is_day:
        end = _usual_end(start, zone)
    elif start != before or is_new_zone:
        end = moved_past_gap(later(start.local, between(known.start, known.end)), zone)
    check_length(start, end)
    moved = replace(
        known,
        start=start.local,
        end=end.local,
        timezone=zone,
        starts_at_ms=start.at_ms,
        ends_at_ms=end.at_ms,
    )
    if start.is_day != before.is_day:
        return replace(moved, excluded=(), moved=())
    by = between(before.local, start.local)
    try:
        return replace(
            moved,
            excluded=tuple(later(one, by) for one in known.excluded),
            moved=tuple(replace(one, original=later(one.original, by)) for one in known.moved),
        )
    except OverflowError:
        raise Invalid(
            "Moved so far, exceptions of the series lie beyond any date. Make a new series instead.",
            code="exceptions_too_far",
        ) from None


def _usual_end(start: Placed, zone: str) -> Placed:
    return moved_past_gap(later(start.local, ONE_DAY if start.is_day else USUAL_LENGTH), zone)


def check_length(start: Placed, end: Placed, *, may_be_nothing: bool = False) -> None:
    """Raises `Invalid` where the end is not after the start, or too long after it. `may_be_nothing`: or equal."""
    if start.is_day != end.is_day:
        raise Invalid("start and end are both days or both times.", code="end_invalid")
    is_after = end.at_ms > start.at_ms or (may_be_nothing and end.at_ms == start.at_ms and not start.is_day)
    if not is_after:
        raise Invalid("The end comes after the start; a whole day ends on the next one.", code="end_invalid")
    if between(start.local, end.local) > timedelta(days=limits.CALENDAR_EVENT_DAYS_MAX):
        raise Invalid(f"An event lasts {limits.CALENDAR_EVENT_DAYS_MAX} days at most.", code="event_too_long")


def _excluded(text: str, entry: CalendarEntry) -> str:
    """The local start that is meant; a bare day names the occurrence on it."""
    placed = read_time("excluded", text, entry.timezone)
    if entry.all_day:
        return placed.local[:10]
    return placed.local + entry.start[10:] if placed.is_day else placed.local


def check_entry(entry: CalendarEntry) -> None:
    """Raises `Invalid` where a text or a list is out of bounds."""
    if not entry.title.strip() or len(entry.title) > limits.TITLE_CHARACTERS_MAX:
        raise Invalid(f"An event's title has 1 to {limits.TITLE_CHARACTERS_MAX} characters.", code="title_invalid")
    for name, text, most in (
        ("description", entry.description, limits.CALENDAR_TEXT_CHARACTERS_MAX),
        ("location", entry.location, limits.TITLE_CHARACTERS_MAX),
    ):
        if text is not None and len(text) > most:
            raise Invalid(f"An event's {name} has at most {most} characters.", code=f"{name}_long")
    if len(entry.attendees) > limits.ATTENDEES_MAX:
        raise Invalid(f"An event has at most {limits.ATTENDEES_MAX} attendees.", code="attendees_too_many")
    if any(not one.strip() or len(one) > limits.ATTENDEE_CHARACTERS_MAX for one in entry.attendees):
        raise Invalid(f"An attendee has 1 to {limits.ATTENDEE_CHARACTERS_MAX} characters.", code="attendee_invalid")
    if max(len(entry.excluded), len(entry.moved)) > limits.CALENDAR_EXCEPTIONS_MAX:
        raise Invalid(f"A series has at most {limits.CALENDAR_EXCEPTIONS_MAX} exceptions.", code="exceptions_too_many")
