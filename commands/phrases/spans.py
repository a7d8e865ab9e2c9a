"""Lengths of time as people say them: "20 minutes", "an hour and a half", "3 Tagen"; and what is so far away.

Pure. Days and longer are counted on the calendar, hours and minutes on the clock that never jumps.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

from commands.phrases.words import UNIT_OF, Cursor, Unit, words

_HALF = words("half halb halben halbe")
_AND = ("and", "und")
_FEW = 3
_MINUTES_OF: dict[Unit, int] = {"minute": 1, "hour": 60, "day": 24 * 60}


@dataclass(frozen=True, slots=True)
class Span:
    """`working_days` do not count weekends. `is_weeks` where it was told in weeks alone."""

    months: int = 0
    days: int = 0
    working_days: int = 0
    minutes: int = 0
    is_weeks: bool = False

    def plus(self, more: Span) -> Span:
        return Span(
            self.months + more.months,
            self.days + more.days,
            self.working_days + more.working_days,
            self.minutes + more.minutes,
        )

    def after(self, day: date) -> date:
        """The day so much later, hours left aside, at most the last of its month. Raises `ValueError` when too far."""
        months = day.year * 12 + day.month - 1 + self.months
        year, month = months // 12, months % 12 + 1
        if year > 9_998:
            raise ValueError("too far away")
        day = date(year, month, min(day.day, monthrange(year, month)[1])) + timedelta(days=self.days)
        for _ in range(self.working_days):
            day += timedelta(days=1 if day.weekday() < 4 or day.weekday() == 6 else 7 - day.weekday())
        return day


def read_span(cursor: Cursor) -> Span | None:
    """The length that stands here; None, and nothing taken, where there is none."""
    span = _one(cursor)
    while span is not None:
        start = cursor.place
        cursor.take_word(_AND)
        more = _one(cursor)
        if more is None:
            cursor.place = start
            break
        span = span.plus(more)
    return span


def _one(cursor: Cursor) -> Span | None:
    start = cursor.place
    halves = _halves(cursor)
    if not halves:
        cursor.place = start
        return None
    is_working = cursor.take_word(("business", "working")) is not None
    word = cursor.take_word((*UNIT_OF, "fortnight", "fortnights"))
    if word is None:
        cursor.place = start
        return None
    if halves % 2 == 0 and (cursor.take_phrase("and a half") or cursor.take_phrase("und eine halbe")):
        halves += 1
    unit: Unit = UNIT_OF.get(word, "week")
    if is_working:
        unit = "weekday"
    span = _span_of(halves * 2 if word.startswith("fortnight") else halves, unit)
    if span is None:
        cursor.place = start
    return span


def _halves(cursor: Cursor) -> int | None:
    """How many half units: `half an`, `a`, `a couple of`, `2 and a half`, `1.5`."""
    if cursor.take_word(_HALF):
        cursor.take_word(("a", "an"))
        return 1
    if cursor.take_phrase("a couple of") or cursor.take_phrase("a couple"):
        return 4
    if cursor.take_phrase("a few") or cursor.take_phrase("eine paar"):
        return 2 * _FEW
    if cursor.take_word(("a", "an")):
        return 1 if cursor.take_word(_HALF) else 2
    if decimal := cursor.take_kind("decimal"):
        whole, tenths = decimal.values
        return 2 * whole + tenths // 5 if tenths in (0, 5) else None
    number = cursor.take_kind("number")
    if number is None:
        return None
    if cursor.take_word(("paar",)):
        return 2 * _FEW
    if number.values[0] == 1 and cursor.take_word(_HALF):
        return 1
    return 2 * number.values[0] + (1 if cursor.take_phrase("and a half") else 0)


def _span_of(halves: int, unit: Unit) -> Span | None:
    if unit in _MINUTES_OF and (unit != "day" or halves % 2):
        minutes = halves * _MINUTES_OF[unit]
        return Span(minutes=minutes // 2) if minutes % 2 == 0 else None
    if unit == "year":
        return Span(months=6 * halves)
    if halves % 2:
        return None
    many = halves // 2
    match unit:
        case "day":
            return Span(days=many)
        case "week":
            return Span(days=7 * many, is_weeks=True)
        case "month":
            return Span(months=many)
        case "quarter":
            return Span(months=3 * many)
        case "weekday":
            return Span(working_days=many)
        case _:
            return None
