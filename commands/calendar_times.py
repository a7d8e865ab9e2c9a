"""Times of calendar events: what a caller writes, to local wall time in the event's zone with its instant. Pure.

A time with an offset is that instant; one without is on the clock of the event's zone; a date is a whole day. A local
time that the spring change skips is refused here: nobody can have meant it, and the caller can say which one they did.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from domain.errors import Invalid
from domain.local_times import instant_ms, local_text, local_time

YEAR_MIN, YEAR_MAX = 1900, 9990  # birthdays lie far back; every instant of them can be told in every zone

_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,9})?)?([Zz]|[+-]\d{2}:\d{2})?", re.ASCII
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Placed:
    """A moment in some zone: `local` as `CalendarEntry` has its start, and its instant in Unix milliseconds."""

    local: str
    at_ms: int

    @property
    def is_day(self) -> bool:
        return "T" not in self.local


def read_time(name: str, text: str, zone: str) -> Placed:
    """`text` is `YYYY-MM-DD`, or `YYYY-MM-DDTHH:MM[:SS]` with or without `Z` or an offset; parts of a second are left
    out. Raises `Invalid`, which says `name`."""
    if _DAY.fullmatch(text) is not None:
        return _day(name, text, zone)
    match = _TIME.fullmatch(text)
    if match is None:
        raise _invalid(name)
    day, hour, minute, second, offset = match.groups()
    try:
        wall = datetime.fromisoformat(f"{day}T{hour}:{minute}:{second or '00'}")
        _check_year(wall.year)
        if offset is None:
            return _local(name, local_text(wall), zone)
        moment = wall.replace(tzinfo=_offset(offset))
        local = moment.astimezone(ZoneInfo(zone))
        _check_year(local.year)
    except (ValueError, OverflowError):
        raise _invalid(name) from None
    return Placed(local_text(local), int(moment.timestamp()) * 1000)


def _day(name: str, text: str, zone: str) -> Placed:
    try:
        _check_year(date.fromisoformat(text).year)
    except ValueError:
        raise _invalid(name) from None
    return Placed(text, instant_ms(text, zone))


def _local(name: str, local: str, zone: str) -> Placed:
    at_ms = instant_ms(local, zone)
    if local_time(at_ms, zone) != local:
        raise Invalid(
            f"{name}: there is no {local[11:]} on {local[:10]} in {zone}, as clocks go forward then."
            " Choose another time, or give it with its offset.",
            code="time_missing",
        )
    return Placed(local, at_ms)


def moved_past_gap(local: str, zone: str) -> Placed:
    """A local time or a day in `zone`; a time that is skipped is moved behind the gap."""
    at_ms = instant_ms(local, zone)
    return Placed(local if "T" not in local else local_time(at_ms, zone), at_ms)


def _offset(text: str) -> timezone:
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[4:6])
    if minutes > 59:
        raise ValueError("no offset")
    length = timedelta(hours=hours, minutes=minutes)
    return timezone(-length if text[0] == "-" else length)


def _check_year(year: int) -> None:
    if not YEAR_MIN <= year <= YEAR_MAX:
        raise ValueError("year out of range")


def _invalid(name: str) -> Invalid:
    return Invalid(
        f"{name} is YYYY-MM-DD for a whole day, or YYYY-MM-DDTHH:MM with or without an offset or Z, and exists.",
        code="time_invalid",
    )
