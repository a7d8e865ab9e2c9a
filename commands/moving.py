"""Where something is moved to, by the user's words and its old time: "to 4", "to Friday", "by half an hour". Pure.

Owns what is kept of the old time. Must not know what is moved.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from commands.due import YEAR_MIN
from commands.phrases.resolve import When, names_only_a_time
from commands.setting import Setting

_HALF_DAY_HOURS = 12
_DAY_CHARACTERS = 10  # of "2025-11-19T15:00"
BARE_HOUR = re.compile(r"(?:at |to |um )?(?:[1-9]|1[0-2])(?:[:.][0-5]\d)?", re.IGNORECASE)
_BY = re.compile(r"(?:by )?(?P<amount>\S.*?)(?: (?P<way>later|earlier|sooner))?", re.IGNORECASE)
_BY_GERMAN = re.compile(
    r"um (?P<amount>\S+ (?:minute|stunde|tag|woche|monat|jahr)(?:en|e|n|s)?)"
    r"(?: (?P<way>sp(?:ä|ae)ter|nach hinten|fr(?:ü|ue)her|nach vorne?))?",
    re.IGNORECASE,
)
_LATER = ("later", "später", "spaeter", "nach hinten")


def moved(phrase: str, start: str, setting: Setting) -> When | None:
    """When something that begins at `start`, local, begins from now on. An hour alone is one of its day, a day alone
    keeps its hour, and "by an hour" counts from it. None where the phrase is not understood."""
    if (by := _by_so_much(phrase, start, setting)) is not None:
        return by
    said = f"at {phrase}" if phrase[:1].isdigit() and names_only_a_time(f"at {phrase}") else phrase
    if names_only_a_time(said):
        return _at_hour(said, phrase, start, setting)
    when = setting.when(said)
    if when is None or when.recurrence is not None or "T" in when.due:
        return when
    return replace(when, due=when.due + start[_DAY_CHARACTERS:])


def other_half(hour: str) -> str:
    """`03:00` → `15:00`, and back."""
    return f"{(int(hour[:2]) + _HALF_DAY_HOURS) % (2 * _HALF_DAY_HOURS):02}{hour[2:]}"


def _at_hour(said: str, phrase: str, start: str, setting: Setting) -> When | None:
    """ "Move dinner to 8" is about the evening: of the two hours of that number, the one nearer to the old one."""
    midnight = datetime.fromisoformat(start[:_DAY_CHARACTERS])
    when = setting.when(said, now=midnight - timedelta(minutes=1))
    if when is None or BARE_HOUR.fullmatch(phrase) is None or "T" not in start:
        return when
    due = min((when.due, when.due[:11] + other_half(when.due[11:])), key=lambda each: _minutes_apart(each, start))
    return replace(when, due=due)


def _minutes_apart(one: str, other: str) -> int:
    """Between two hours of the day, of local times."""
    hours = [int(text[11:13]) * 60 + int(text[14:16]) if "T" in text else 0 for text in (one, other)]
    return abs(hours[0] - hours[1])


def _by_so_much(phrase: str, start: str, setting: Setting) -> When | None:
    """ "By a day", "an hour later", "30 minutes earlier", "um einen Tag"; None for anything else."""
    match = _BY_GERMAN.fullmatch(phrase)
    if match is None:
        match = _BY.fullmatch(phrase)
        if match is None or not (match["way"] or phrase[:3].casefold() == "by "):
            return None
    begins = datetime.fromisoformat(start)
    when = setting.when(f"in {match['amount']}", now=begins)
    if when is None or when.recurrence is not None:
        return None
    ends = datetime.fromisoformat(when.due)
    if "T" not in when.due:
        ends = ends.replace(hour=begins.hour, minute=begins.minute)
    if match["way"] is not None and match["way"].casefold() not in _LATER:
        try:
            ends = begins - (ends - begins)
        except OverflowError:
            return None
    if ends.year < YEAR_MIN:
        return None
    return replace(when, due=ends.strftime("%Y-%m-%dT%H:%M")[: max(len(start[:16]), len(when.due))])
