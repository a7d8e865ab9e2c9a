"""Times of day as people say them: "half past five", "9:30am", "17 Uhr", and what a bare hour or a part of a day means.

Pure. It knows no days: midnight and the small hours of a night only say that they belong to the day after.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Literal

from commands.phrases.words import GERMAN_WEEKDAYS, PART_OF, Cursor, Part, Token, words

# When a part of the day is named and no hour.
PART_HOURS: dict[Part, int] = {"morning": 9, "afternoon": 15, "evening": 18, "night": 20}

_BEFORE = words("at by around about before after until till from um gegen ab bis vor nach no later than")
_NOON = words("noon midday mittag mittags")
_MIDNIGHT = words("midnight mitternacht")
_OCLOCK = words("oclock uhr")
_PAST = words("past after nach")
_TO = words("to before vor")
_QUARTER = words("quarter viertel")
_AM_THEN_DAY = GERMAN_WEEKDAYS | {"morgen", "abend", "nachmittag", "vormittag", "wochenende", "mittag"}
_BEFORE_MORGEN = frozenset(("heute", *GERMAN_WEEKDAYS))  # elsewhere the word is tomorrow
_NIGHT_ENDS = 5  # hours below it, said of a night, are those after its midnight
_AFTERNOON_FIRST, _AFTERNOON_LAST = 1, 6


@dataclass(frozen=True, slots=True)
class Clock:
    """What was said. `half` is am or pm; `is_bare` where the hour may be of either half of the day.

    `minutes_off` is added once the half is known: "quarter to 6" is a quarter before that six.
    """

    hour: int
    minute: int = 0
    half: Literal["am", "pm"] | None = None
    is_bare: bool = False
    is_midnight: bool = False
    minutes_off: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """A time of the day that was named, or of the day after it."""

    at: time
    is_day_after: bool = False


def read_clock(cursor: Cursor) -> Clock | None:
    """The time of day that stands here, perhaps with an "at" before it. Raises `ValueError` for what no clock shows."""
    start = cursor.place
    cursor.skip({"spaetestens"})
    cursor.skip(_BEFORE)
    was_said = cursor.place > start
    clock = _named(cursor) or _around_an_hour(cursor) or _digits(cursor, was_said)
    if clock is None:
        cursor.place = start
        return None
    cursor.take_word(("sharp",))
    return clock


def _named(cursor: Cursor) -> Clock | None:
    if cursor.take_word(_NOON):
        return Clock(12)
    if cursor.take_phrase("12 midnight") or cursor.take_word(_MIDNIGHT):
        return Clock(0, is_midnight=True)
    return None


def _around_an_hour(cursor: Cursor) -> Clock | None:
    """`half past five`, `quarter to 6`, `20 past 3`, `zehn vor acht`; German `halb sechs` is half past five."""
    start = cursor.place
    if cursor.peek(1).text in _QUARTER:
        cursor.take_word(("a",))
    first = cursor.take()
    off = 0
    if first.text == "halb":
        off = -30
    elif first.text == "half":
        off = 30
        cursor.take_word(_PAST)
    elif minutes := 15 if first.text in _QUARTER else first.values[0] if first.kind == "number" else 0:
        has_unit = cursor.take_word(("minutes", "minuten")) is not None
        # "5 to 6" may be a span of time; "5 minutes to 6" and "5 vor 6" are not.
        is_clear = has_unit or not first.text.isdigit() or cursor.peek().text == "vor"
        if cursor.take_word(_PAST):
            off = minutes
        elif is_clear and cursor.take_word(_TO):
            off = -minutes
    hour = cursor.take_kind("number")
    if not -60 < off < 60 or off == 0 or hour is None or not 1 <= hour.values[0] <= 24:
        cursor.place = start
        return None
    clock = _with_half(cursor, hour.values[0], 0, hour)
    return Clock(clock.hour, 0, clock.half, clock.is_bare, minutes_off=off)


def _digits(cursor: Cursor, was_said: bool) -> Clock | None:
    """Digits with or without minutes; four of them in a row only after "at"."""
    token = cursor.peek()
    if token.kind in ("clock", "dotted"):
        hour, minute = token.values
        if token.kind == "dotted" and not was_said and (hour > 24 or minute > 59):
            return None
        cursor.take()
        return _with_half(cursor, hour, minute, token)
    if token.kind != "number":
        return None
    cursor.take()
    if token.text.isdigit() and len(token.text) >= 3:
        if not was_said or len(token.text) != 4:
            cursor.place -= 1
            return None
        return _with_half(cursor, token.values[0] // 100, token.values[0] % 100, Token("number", "0"))
    hour, minute = token.values[0], 0
    following = cursor.peek()
    is_count = cursor.peek(1).text in ("times", "time", "mal")
    if following.kind == "number" and 10 <= following.values[0] <= 59 and not is_count:
        minute = cursor.take().values[0]
    elif following.text == "uhr" and cursor.peek(1).kind == "number":
        cursor.take()
        minute = cursor.take().values[0]
    return _with_half(cursor, hour, minute, token)


def _with_half(cursor: Cursor, hour: int, minute: int, written: Token) -> Clock:
    half: Literal["am", "pm"] | None = None
    if cursor.peek().text == "pm":
        half = "pm"
    elif cursor.peek().text == "am" and not _is_german_am(cursor):
        half = "am"
    if half is not None:
        cursor.take()
        if not 1 <= hour <= 12:
            raise ValueError("no such hour of a half day")
    else:
        cursor.take_word(_OCLOCK)
    if not 0 <= hour <= 24 or not 0 <= minute <= 59 or (hour == 24 and minute):
        raise ValueError("no such time")
    if hour == 24:
        return Clock(0, is_midnight=True)
    is_bare = half is None and 1 <= hour <= 12 and not written.text.startswith("0")
    return Clock(hour, minute, half, is_bare)


def _is_german_am(cursor: Cursor) -> bool:
    """`um 5 am Freitag` and `um 9 am 3. Mai` have no half of a day in them."""
    following = cursor.peek(1)
    return following.text in _AM_THEN_DAY or following.kind == "dots" or following.text.endswith(".")


def read_part(cursor: Cursor) -> Part | None:
    """`morning`, `in the evening`, `at night`, `am Abend`."""
    start = cursor.place
    if cursor.peek(-1).text in _BEFORE_MORGEN and cursor.take_word(("morgen",)):
        return "morning"
    cursor.skip(("in", "at", "am", "during", "by"))
    cursor.skip(("the", "der", "die"))
    if cursor.place > start and cursor.take_word(("morgen",)):
        return "morning"
    word = cursor.take_word(PART_OF)
    if word is None:
        cursor.place = start
        return None
    return PART_OF[word]


def place_clock(clock: Clock, part: Part | None, *, prefer_later: bool = False) -> Placed:
    """The time that is meant. `prefer_later` takes the other half of the day for a bare hour.

    Raises `ValueError` where hour and part of the day contradict each other.
    """
    if clock.is_midnight:
        if part in ("morning", "afternoon"):
            raise ValueError("midnight is not then")
        placed = Placed(time(0), is_day_after=True)
    elif part is None:
        placed = Placed(time(_hour_alone(clock, prefer_later), clock.minute))
    else:
        placed = _in_part(clock, part)
    minutes = placed.at.hour * 60 + placed.at.minute + clock.minutes_off
    if minutes < 0 and not placed.is_day_after:
        raise ValueError("before the day begins")
    is_day_after = placed.is_day_after if minutes >= 0 else False
    return Placed(time(minutes // 60 % 24, minutes % 60), is_day_after)


def _hour_alone(clock: Clock, prefer_later: bool) -> int:
    hour = clock.hour
    if clock.half is not None:
        return hour % 12 + (12 if clock.half == "pm" else 0)
    if not clock.is_bare or hour == 12:
        return hour
    is_afternoon = _AFTERNOON_FIRST <= hour <= _AFTERNOON_LAST or prefer_later
    return hour + 12 if is_afternoon else hour


def _in_part(clock: Clock, part: Part) -> Placed:
    hour = _hour_alone(clock, prefer_later=part != "morning") if clock.half else clock.hour
    if clock.half is None and clock.is_bare:
        if part == "night" and (hour == 12 or hour < _NIGHT_ENDS):
            return Placed(time(hour % 12, clock.minute), is_day_after=True)
        if part != "morning" and hour < 12:
            hour += 12
    fits = {
        "morning": hour < 12 or (hour == 12 and clock.half is None and bool(clock.minutes_off < 0)),
        "afternoon": 12 <= hour < 19,
        "evening": hour >= 15,
        "night": hour >= 17 or hour < _NIGHT_ENDS,
    }
    if not fits[part]:
        raise ValueError("that hour is not in that part of the day")
    return Placed(time(hour, clock.minute), is_day_after=part == "night" and hour < _NIGHT_ENDS)
