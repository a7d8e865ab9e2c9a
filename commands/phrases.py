"""When somebody says "tomorrow at 5": from a phrase to a local date or time. Pure; the caller says what now is.

What it does not understand is None, never a guess: the words then stay with the task as they were said.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PHRASE_CHARACTERS_MAX = 100

_DAY = rf"(?P<day>today|tonight|tomorrow|(?P<next>next )?(?P<weekday>{'|'.join(WEEKDAYS)})|\d{{4}}-\d{{2}}-\d{{2}})"
_PART = r"(?P<part>morning|afternoon|evening|night)"
_CLOCK = r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2})(?::00)?)?"
_TIME = rf"(?:{_CLOCK}(?: ?(?P<half>am|pm|a\.m\.?|p\.m\.?)| o'clock)?|(?P<noon>noon))"
_BEFORE_DAY = r"(?:(?:on|by|before|until|this|for) )?"
_BEFORE_TIME = r"(?:(?:at|by|around) )?"
_DAY_FIRST = re.compile(rf"{_BEFORE_DAY}{_DAY}(?: (?:in the )?{_PART})?(?:(?:,? |t){_BEFORE_TIME}{_TIME})?")
_TIME_FIRST = re.compile(rf"{_BEFORE_TIME}{_TIME}(?:,? (?:in the )?{_PART})?(?:,? {_BEFORE_DAY}{_DAY})?")


def resolve_phrase(phrase: str, now: datetime) -> str | None:
    """`YYYY-MM-DD` or `YYYY-MM-DDTHH:MM`, local wall time as `now` is; None when the phrase is not understood.

    A bare hour from 1 to 6 is in the afternoon, a time without a day is the next such time, a weekday is the next one.
    """
    text = " ".join(phrase.lower().replace("’", "'").split()).strip(" .,!?")
    if not text or len(text) > PHRASE_CHARACTERS_MAX:
        return None
    match = _DAY_FIRST.fullmatch(text) or _TIME_FIRST.fullmatch(text)
    if match is None:
        return None
    try:
        at = _time_of(match)
        day = _day_of(match, now, at)
    except ValueError:
        return None
    if at is None:
        return day.isoformat()
    return datetime.combine(day, at).strftime("%Y-%m-%dT%H:%M")


def _time_of(match: re.Match[str]) -> time | None:
    """Raises `ValueError` for a time that no clock shows."""
    if match["noon"]:
        return time(12)
    if match["hour"] is None:
        return None
    hour, minute = int(match["hour"]), int(match["minute"] or 0)
    half = (match["half"] or "").replace(".", "")
    if half and not 1 <= hour <= 12:
        raise ValueError("no such hour of a half day")
    is_late = match["part"] in ("afternoon", "evening", "night") or match["day"] == "tonight"
    is_bare_afternoon = match["part"] is None and 1 <= hour <= 6 and not match["hour"].startswith("0")
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif is_bare_afternoon or (is_late and 1 <= hour <= 11):
        hour += 12
    return time(hour, minute)


def _day_of(match: re.Match[str], now: datetime, at: time | None) -> date:
    """Raises `ValueError` for a date that no calendar shows."""
    today = now.date()
    if match["weekday"]:
        weekday = WEEKDAYS.index(match["weekday"])
        if match["next"]:
            return today + timedelta(days=7 - today.weekday() + weekday)
        ahead = (weekday - today.weekday()) % 7
        if ahead == 0 and (at is None or at <= now.time()):
            ahead = 7
        return today + timedelta(days=ahead)
    match match["day"]:
        case "today" | "tonight":
            return today
        case "tomorrow":
            return today + timedelta(days=1)
        case None:
            return today if at is None or at > now.time() else today + timedelta(days=1)
        case written:
            return date.fromisoformat(written)
