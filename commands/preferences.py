"""Preferences: a few are checked because others rest on them; any other key holds free JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from commands.context import CommandContext
from domain import limits
from domain.brain import Brain
from domain.errors import Conflict, Invalid
from domain.events import BrainEvent, Preference, PreferenceSet
from domain.values import Json

WORK_HOURS = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d-(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPreference:
    key: str
    preference_ref: str
    value: Json


def set_preference(command: SetPreference, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    check_preference(command.key, command.value)
    known = brain.preferences.get(command.preference_ref)
    # What differs to Python differs as JSON too.
    if known is not None and known.value == command.value and _canonical(known.value) == _canonical(command.value):
        return []
    if known is None and len(brain.preferences) >= limits.PREFERENCES_MAX:
        raise Conflict(f"At most {limits.PREFERENCES_MAX} preferences.", code="preferences_full")
    content = Preference(key=command.key, value=command.value)
    return [PreferenceSet(preference_ref=command.preference_ref, content=content)]


def _canonical(value: Json) -> str:
    """Values as JSON tells them apart: to Python true, 1 and 1.0 are equal."""
    return json.dumps(value, sort_keys=True)


def check_preference(key: str, value: Json) -> None:
    """Raises `Invalid` for a value that others could not rest on."""
    if len(json.dumps(value).encode()) > limits.PREFERENCE_BYTES_MAX:
        raise Invalid(f"A preference has at most {limits.PREFERENCE_BYTES_MAX} bytes.", code="value_too_large")
    if key == "timezone":
        check_timezone(value)
    elif key == "workHours":
        if not isinstance(value, str) or not WORK_HOURS.fullmatch(value) or value[:5] >= value[6:]:
            raise Invalid('workHours reads like "09:00-17:00", start before end.', code="work_hours_invalid")
    elif key in ("notifications", "travel") and not isinstance(value, dict):
        raise Invalid(f"{key} is an object.", code="value_invalid")


def check_timezone(value: Json) -> str:
    """`value` if it names an IANA zone, else `Invalid`."""
    if isinstance(value, str) and 0 < len(value) <= 64:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
        else:
            return value
    raise Invalid('timezone is an IANA name such as "Europe/Berlin".', code="timezone_unknown")
