"""What the preferences that others rest on may say, and how they are read. Any other key holds free JSON.

Nothing here decides anything: the caller says what the preferences are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain import limits
from domain.errors import Invalid
from domain.travel import Cabin
from domain.values import Json

WORK_HOURS = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
HOUR = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
AIRPORT = re.compile(r"[A-Z]{3}", re.ASCII)
COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
# The tz database of one machine may hold these too: its own zone, copies, and zones that count leap seconds. They are
# absent, or mean something else, on the next machine, where the same log must fold to the same state.
OWN_ZONE = re.compile(r"localtime$|posixrules$|Factory$|posix/|right/")
# Names that stand for zones with a name of their own: no city is looked for among them.
NO_CITY = re.compile(r"(?:Etc|SystemV|US|Canada|Brazil|Chile|Mexico|Antarctica)/")
_HOUR_SAID = r"(\d{1,2})(?:[:.]?([0-5]\d))?\s*(?:(a|p)\.?m\.?\b|o['’]?clock|uhr|h\b)?"
HOURS_SAID = re.compile(
    rf"(?:from |between |von )?{_HOUR_SAID}\s*(?:-|–|—|to|till|until|and|bis)\s*{_HOUR_SAID}\s*(?:uhr)?", re.IGNORECASE
)
NOON, DAY_HOURS = 12, 24
CABINS: tuple[str, ...] = get_args(Cabin)
STOPS_MAX = 3

NOTIFICATIONS_HELP = (
    'notifications reads {"reminders": "none" or "message", "dailySummary": "HH:MM" or null}; both may be left out.'
)
TRAVEL_HELP = (
    'travel may have "airlines", "airlinesAvoided" (names), "airports" (IATA codes), "homeAirport" ("JFK"),'
    f' "country" ("US"), "stopsMax" (0 to {STOPS_MAX}) and "cabin" ({", ".join(CABINS)}).'
)


def check_preference(key: str, value: Json) -> None:
    """Raises `Invalid` for a value that others could not rest on."""
    if len(json.dumps(value).encode()) > limits.PREFERENCE_BYTES_MAX:
        raise Invalid(f"A preference has at most {limits.PREFERENCE_BYTES_MAX} bytes.", code="value_too_large")
    if key == "timezone":
        check_timezone(value)
    elif key == "workHours":
        if not isinstance(value, str) or not WORK_HOURS.fullmatch(value) or value[:5] >= value[6:]:
            raise Invalid('workHours reads like "09:00-17:00", start before end.', code="work_hours_invalid")
    elif key == "notifications" and not _is_notifications(value):
        raise Invalid(NOTIFICATIONS_HELP, code="value_invalid")
    elif key == "travel" and not _is_travel(value):
        raise Invalid(TRAVEL_HELP, code="value_invalid")


def check_timezone(value: Json) -> str:
    """`value` if it names an IANA zone, else `Invalid`."""
    if isinstance(value, str) and 0 < len(value) <= 64 and not OWN_ZONE.match(value):
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
        else:
            return value
    raise Invalid('timezone is an IANA name such as "Europe/Berlin".', code="timezone_unknown")


def value_of_text(key: str, text: str, known: Json) -> Json:
    """The value that `text`, which a model wrote, stands for. Where the key holds an object, it is JSON, and its
    properties replace those of the `known` one; a time zone may be named by its city, and hours of work as people say
    them. What is none of that stays as it is, for `check_preference` to refuse.
    """
    if key == "timezone":
        return _zone_said(text)
    if key == "workHours":
        return _work_hours_said(text)
    if key not in ("notifications", "travel"):
        return text
    try:
        given: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return {**known, **given} if isinstance(known, dict) and isinstance(given, dict) else given


def _zone_said(text: str) -> str:
    """`Tokyo` → `Asia/Tokyo`, where one zone alone is named after that city; a zone's own name in any case."""
    name = " ".join(text.replace("_", " ").casefold().removesuffix(" time").split())
    found = _zones_by_name().get(name, ())
    return found[0] if len(found) == 1 else text


@cache
def _zones_by_name() -> Mapping[str, tuple[str, ...]]:
    """Zones by their whole names and by their cities, in small letters. The names come from the list of the package
    `tzdata`: `zoneinfo.available_timezones` opens 1,800 files to tell its own."""
    zones: dict[str, tuple[str, ...]] = {}
    for zone in sorted(files("tzdata").joinpath("zones").read_text(encoding="ascii").split()):
        if OWN_ZONE.match(zone):
            continue
        name = zone.replace("_", " ").casefold()
        zones.setdefault(name, (zone,))
        _, _, city = name.partition("/")
        # Of three parts the last may be a town whose name a greater one elsewhere has.
        if city and "/" not in city and not NO_CITY.match(zone):
            zones[city] = (*zones.get(city, ()), zone)
    return zones


def _work_hours_said(text: str) -> str:
    """`9 to 5` → `09:00-17:00`. Work begins in the morning, and ends after it began, unless it was said otherwise."""
    match = HOURS_SAID.fullmatch(text.strip(" ."))
    if match is None:
        return text
    first, first_minute, first_half, last, last_minute, last_half = match.groups()
    start, end = (_hour_of(hour, half) for hour, half in ((first, first_half), (last, last_half)))
    if last_half is None and end <= start and end < NOON and not last.startswith("0"):
        end += NOON
    if start >= DAY_HOURS or end >= DAY_HOURS:
        return text
    return f"{start:02}:{first_minute or '00'}-{end:02}:{last_minute or '00'}"


def _hour_of(digits: str, half: str | None) -> int:
    hour = int(digits)
    if half is None or hour > NOON:
        return hour
    return hour % NOON + (NOON if half.casefold() == "p" else 0)


def wants_reminders(notifications: Json) -> bool:
    """Whether the user opted in to reminders as messages. What was never checked opts in to nothing."""
    return _is_notifications(notifications) and notifications.get("reminders") == "message"


def summary_hour(notifications: Json) -> str | None:
    """The hour (`HH:MM`, the user's clock) of the daily summary, None without one."""
    if not _is_notifications(notifications):
        return None
    hour: str | None = notifications.get("dailySummary")
    return hour


def _is_notifications(value: Json) -> bool:
    if not isinstance(value, Mapping) or not value.keys() <= {"reminders", "dailySummary"}:
        return False
    if value.get("reminders", "none") not in ("none", "message"):
        return False
    hour = value.get("dailySummary")
    return hour is None or _fits(HOUR, hour)


def _is_travel(value: Json) -> bool:
    checks: Mapping[str, Callable[[Json], bool]] = {
        "airlines": _is_airlines,
        "airlinesAvoided": _is_airlines,
        "airports": lambda codes: _is_list(codes) and all(_fits(AIRPORT, code) for code in codes),
        "homeAirport": lambda code: _fits(AIRPORT, code),
        "country": lambda code: _fits(COUNTRY, code),
        # To Python true is a 1.
        "stopsMax": lambda count: type(count) is int and 0 <= count <= STOPS_MAX,
        "cabin": lambda cabin: isinstance(cabin, str) and cabin in CABINS,
    }
    return (
        isinstance(value, Mapping)
        and value.keys() <= checks.keys()
        and all(checks[key](given) for key, given in value.items())
    )


def _is_airlines(names: Json) -> bool:
    return _is_list(names) and all(
        isinstance(name, str) and name.strip() != "" and len(name) <= limits.TRAVEL_NAME_CHARACTERS_MAX
        for name in names
    )


def _is_list(value: Json) -> bool:
    return isinstance(value, list) and len(value) <= limits.TRAVEL_NAMES_MAX


def _fits(pattern: re.Pattern[str], value: Json) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
