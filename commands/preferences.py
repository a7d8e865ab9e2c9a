"""Preferences: a few are checked because others rest on them; any other key holds free JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass

from commands.context import CommandContext
from commands.preconditions import check_version
from commands.preference_values import check_preference
from commands.wishes import wishes_after
from domain import limits
from domain.brain import Brain
from domain.errors import Conflict
from domain.events import BrainEvent, Preference, PreferenceSet
from domain.values import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPreference:
    key: str
    preference_ref: str
    value: Json
    expected_version: int | None = None


def set_preference(command: SetPreference, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    check_preference(command.key, command.value)
    known = brain.preferences.get(command.preference_ref)
    check_version("preference", None if known is None else known.version, command.expected_version)
    # What differs to Python differs as JSON too.
    if known is not None and known.value == command.value and _canonical(known.value) == _canonical(command.value):
        return []
    if known is None and len(brain.preferences) >= limits.PREFERENCES_MAX:
        raise Conflict(f"At most {limits.PREFERENCES_MAX} preferences.", code="preferences_full")
    content = Preference(key=command.key, value=command.value)
    changed = PreferenceSet(preference_ref=command.preference_ref, content=content)
    return [changed, *wishes_after(command.key, command.value, brain, context)]


def _canonical(value: Json) -> str:
    """Values as JSON tells them apart: to Python true, 1 and 1.0 are equal."""
    return json.dumps(value, sort_keys=True)
