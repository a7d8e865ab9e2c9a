"""What the preferences that others rest on may say, and how they are read. Any other key holds free JSON.

Nothing here decides anything: the caller says what the preferences are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
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
    properties replace those of the `known` one; what is no JSON stays as it is, for `check_preference` to refuse.
    """
    if key not in ("notifications", "travel"):
        return text
    try:
        given: Json = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return {**known, **given} if isinstance(known, dict) and isinstance(given, dict) else given


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
