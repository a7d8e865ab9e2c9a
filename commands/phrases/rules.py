"""Repetition as people say it: "every other Friday", "daily", "montags", "the first of every month"; and as an RRULE.

Pure. It reads what repeats and how often; days and hours beside it are read by its siblings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from commands.phrases.days import Contradiction, DayReader, Days
from commands.phrases.words import (
    ARTICLES,
    EVERY,
    LAST,
    MONTH_OF,
    OTHER,
    PART_OF,
    UNIT_OF,
    WEEKDAY_OF,
    WEEKDAYS_OF,
    Cursor,
    Part,
)
from domain.recurrence import INTERVAL_MAX, Freq, next_day, parse_rule

_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WORKING_DAYS = (0, 1, 2, 3, 4)
_WEEKEND = (5,)  # a weekend is its Saturday
_AND = ("and", "und")
_ADVERBS: dict[str, tuple[Freq, int]] = {
    "daily": ("DAILY", 1),
    "everyday": ("DAILY", 1),
    "taeglich": ("DAILY", 1),
    "weekly": ("WEEKLY", 1),
    "woechentlich": ("WEEKLY", 1),
    "biweekly": ("WEEKLY", 2),
    "fortnightly": ("WEEKLY", 2),
    "monthly": ("MONTHLY", 1),
    "monatlich": ("MONTHLY", 1),
    "quarterly": ("MONTHLY", 3),
    "yearly": ("YEARLY", 1),
    "annually": ("YEARLY", 1),
    "jaehrlich": ("YEARLY", 1),
}
_FREQ_OF: dict[str, tuple[Freq, int]] = {
    "day": ("DAILY", 1),
    "week": ("WEEKLY", 1),
    "month": ("MONTHLY", 1),
    "quarter": ("MONTHLY", 3),
    "year": ("YEARLY", 1),
}


@dataclass(frozen=True, slots=True)
class Repetition:
    """How often; on which days is in `days`, to be met by what else the phrase says of the day."""

    freq: Freq
    interval: int
    days: Days
    part: Part | None = None


def read_repetition(cursor: Cursor, reader: DayReader) -> Repetition | None:
    """What stands here; None, and nothing taken, where nothing repeats. More than once a day is not understood."""
    start = cursor.place
    cursor.skip(("on", "of", "in", "at", "am", "an"))
    cursor.skip(ARTICLES)
    found = _adverb(cursor) or _plural(cursor)
    if found is None and (cursor.take_word(EVERY) or cursor.take_phrase("once a") or cursor.take_phrase("once per")):
        found = _every(cursor, reader)
    if found is None:
        cursor.place = start
    return found


def _adverb(cursor: Cursor) -> Repetition | None:
    word = cursor.take_word(_ADVERBS)
    return Repetition(*_ADVERBS[word], Days()) if word else None


def _plural(cursor: Cursor) -> Repetition | None:
    """`Mondays and Thursdays`, `weekdays`, `montags`."""
    word = cursor.take_word(WEEKDAYS_OF)
    if word:
        weekdays = [WEEKDAYS_OF[word]]
        while (more := _another(cursor, WEEKDAYS_OF)) is not None:
            weekdays.append(more)
        return Repetition("WEEKLY", 1, Days(weekdays=tuple(sorted({*weekdays}))))
    if cursor.take_word(("weekdays", "workdays", "werktags")):
        return Repetition("WEEKLY", 1, Days(weekdays=_WORKING_DAYS))
    if cursor.take_word(("weekends",)):
        return Repetition("WEEKLY", 1, Days(weekdays=_WEEKEND))
    return None


def _another(cursor: Cursor, words: dict[str, int]) -> int | None:
    start = cursor.place
    cursor.take_word(_AND)
    word = cursor.take_word(words)
    if word is None:
        cursor.place = start
        return None
    return words[word]


def _every(cursor: Cursor, reader: DayReader) -> Repetition | None:
    place, interval = _how_many(cursor)
    if weekday := cursor.take_word(WEEKDAY_OF):
        return _every_weekday(cursor, WEEKDAY_OF[weekday], place, interval)
    if part := cursor.take_word((*PART_OF, "morgen")):
        return Repetition("DAILY", interval or place or 1, Days(), PART_OF.get(part, "morning"))
    if cursor.take_phrase("business day") or cursor.take_phrase("working day"):
        return Repetition("WEEKLY", 1, Days(weekdays=_WORKING_DAYS)) if not interval and not place else None
    if cursor.take_word(("fortnight", "fortnights")):
        return Repetition("WEEKLY", 2 * (interval or place or 1), Days())
    if unit_word := cursor.take_word(UNIT_OF):
        return _every_unit(cursor, UNIT_OF[unit_word], place, interval)
    if interval:
        cursor.place -= 1  # the number is a day's: "every 24 December"
    elif place:
        return _every_month_day(cursor, place)
    if cursor.peek().text in MONTH_OF and cursor.peek(1).kind not in ("number", "ordinal"):
        return Repetition("YEARLY", 1, Days(month=MONTH_OF[cursor.take().text], month_days=(1,)))
    date_of_year = reader.read(cursor)
    if date_of_year is None or date_of_year.month is None or not date_of_year.month_days or date_of_year.window:
        return None
    return Repetition("YEARLY", 1, date_of_year)


def _how_many(cursor: Cursor) -> tuple[int, int]:
    """(the n-th, each n): of "every third …" the first is 3, of "every 3 …" and "every other …" the second; else 0."""
    if cursor.take_word(OTHER):
        return 0, 2
    if cursor.take_word(LAST):
        return -1, 0
    if ordinal := cursor.take_kind("ordinal"):
        return ordinal.values[0], 0
    if number := cursor.take_kind("number"):
        return 0, number.values[0]
    cursor.take_phrase("single")
    return 0, 0


def _every_weekday(cursor: Cursor, weekday: int, place: int, interval: int) -> Repetition | None:
    """Every second Friday is every other one, unless it is of the month; the first and the last are always that."""
    is_of_month = _take_of_month(cursor)
    if place and (is_of_month or place in (1, -1)):
        return Repetition("MONTHLY", 1, Days(nth=(place, weekday))) if place <= 5 else None
    if is_of_month:
        return None
    weekdays = {weekday}
    while (more := _another(cursor, WEEKDAY_OF)) is not None:
        weekdays.add(more)
    return Repetition("WEEKLY", interval or place or 1, Days(weekdays=tuple(sorted(weekdays))))


def _every_unit(cursor: Cursor, unit: str, place: int, interval: int) -> Repetition | None:
    if unit == "day" and place and _take_of_month(cursor):
        return Repetition("MONTHLY", 1, Days(month_days=(place,)))
    if place < 0:
        return None
    many = interval or place or 1
    if unit == "weekday":
        return Repetition("WEEKLY", 1, Days(weekdays=_WORKING_DAYS)) if many == 1 else None
    if unit == "weekend":
        return Repetition("WEEKLY", many, Days(weekdays=_WEEKEND))
    if unit not in _FREQ_OF:
        return None
    freq, times = _FREQ_OF[unit]
    return Repetition(freq, many * times, Days())


def _every_month_day(cursor: Cursor, place: int) -> Repetition | None:
    """`every 15th`, `every 1st and 15th of the month`, `every 24th of December`."""
    days = [place]
    while cursor.peek().text in _AND and cursor.peek(1).kind == "ordinal":
        cursor.take()
        days.append(cursor.take().values[0])
    if not all(1 <= day <= 31 for day in days):
        return None
    start = cursor.place
    cursor.skip(("of",))
    if month := cursor.take_word(MONTH_OF):
        return Repetition("YEARLY", 1, Days(month=MONTH_OF[month], month_days=tuple(days)))
    cursor.place = start
    _take_of_month(cursor)
    return Repetition("MONTHLY", 1, Days(month_days=tuple(sorted(days))))


def _take_of_month(cursor: Cursor) -> bool:
    start = cursor.place
    cursor.skip(("of", "in", "im"))
    cursor.skip((*ARTICLES, *EVERY, "a"))
    if cursor.take_word(("month", "monat", "monats")):
        return True
    cursor.place = start
    return False


# --- as a rule ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Series:
    """`rule` is an RRULE without an end; `first` its first day."""

    rule: str
    first: date


def series_of(repetition: Repetition, days: Days, start: date) -> Series:
    """`days` are all constraints that the phrase puts on a day; the first is the first of them from `start` on.

    Raises `Contradiction` where they do not go together with how often it repeats.
    """
    if days.fixed is not None or days.window is not None or repetition.interval > INTERVAL_MAX:
        raise Contradiction("one day, and every day")
    freq = repetition.freq
    if days.nth is not None and freq in ("MONTHLY", "YEARLY"):
        by = _nth_of_month(days)
    elif days.weekdays and not days.month_days and freq == "WEEKLY":
        by = f"BYDAY={','.join(_CODES[day] for day in days.weekdays)}"
    elif days.month_days and freq == "MONTHLY" and days.month is None:
        by = _by_month_days(days.month_days)
    elif days.month_days and freq == "YEARLY" and days.month is not None:
        by = f"BYMONTH={days.month};BYMONTHDAY={','.join(map(str, days.month_days))}"
    elif days.is_empty:
        by = _by_start(freq, start)
    else:
        raise Contradiction("such days do not come so often")
    if (days.month is not None and freq == "MONTHLY") or (days.nth and (days.weekdays or days.month_days)):
        raise Contradiction("such days do not come so often")
    first = start
    if by:
        found = next_day(parse_rule(f"FREQ={freq};{by}"), start - timedelta(days=1))
        if found is None:
            raise Contradiction("there is no such day")
        first = found
    interval = f";INTERVAL={repetition.interval}" if repetition.interval > 1 else ""
    return Series(rule=f"FREQ={freq}{interval}" + (f";{by}" if by else ""), first=first)


def _nth_of_month(days: Days) -> str:
    assert days.nth is not None
    place, weekday = days.nth
    month = f"BYMONTH={days.month};" if days.month else ""
    return f"{month}BYDAY={place}{_CODES[weekday]}"


def _by_month_days(month_days: tuple[int, ...]) -> str:
    """A single day that short months lack is their last one: nobody means to skip February."""
    if len(month_days) == 1 and month_days[0] > 28:
        return f"BYMONTHDAY={','.join(str(day) for day in range(28, month_days[0] + 1))};BYSETPOS=-1"
    return f"BYMONTHDAY={','.join(map(str, month_days))}"


def _by_start(freq: Freq, start: date) -> str:
    """A rule that names no day repeats that of its first, which needs saying only where months lack it."""
    if freq == "MONTHLY" and start.day > 28:
        return _by_month_days((start.day,))
    if freq == "YEARLY" and (start.month, start.day) == (2, 29):
        return "BYMONTH=2;BYMONTHDAY=-1"
    return ""
