"""Due dates: local wall time in a zone to an instant and back. Pure: the caller says what zone is the user's.

A local time that a spring change skips does not exist: it is moved forward by the length of the gap. One that an
autumn change repeats means its first occurrence.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from commands.phrases.words import WEEKDAYS
from commands.preference_values import check_timezone
from domain.errors import Invalid
from domain.recurrence import counted_down, next_day, parse_rule
from domain.values import Task

DUE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::00)?)?", re.ASCII)
YEAR_MIN, YEAR_MAX = 1970, 9998  # every instant of them can be told in every zone


def resolve_due(due: str, zone: str) -> tuple[str, int]:
    """The due as it is stored, and its instant in Unix milliseconds (the end of the day for a bare date).

    Raises `Invalid` for what is no date or time.
    """
    match = DUE.fullmatch(due)
    if match is None:
        raise Invalid("due is YYYY-MM-DD or YYYY-MM-DDTHH:MM, local time.", code="due_invalid")
    year, month, day = (int(part) for part in match.group(1, 2, 3))
    try:
        if not YEAR_MIN <= year <= YEAR_MAX:
            raise ValueError("year out of range")
        if match.group(4) is None:
            local = datetime(year, month, day, tzinfo=ZoneInfo(zone)) + timedelta(days=1)
            return due, int(local.astimezone(UTC).timestamp() * 1000) - 1
        local = datetime(year, month, day, int(match.group(4)), int(match.group(5)), tzinfo=ZoneInfo(zone))
    except ValueError:
        raise Invalid("due names a day or a time that does not exist.", code="due_invalid") from None
    real = local.astimezone(UTC).astimezone(ZoneInfo(zone))
    return real.strftime("%Y-%m-%dT%H:%M"), int(real.timestamp() * 1000)


def resolve_task(task: Task, user_zone: str) -> Task:
    """`task` with its zone, due and instant in agreement, and a recurrence that can be followed."""
    if task.timezone is not None:
        check_timezone(task.timezone)
    if task.due is None:
        if task.recurrence is not None:
            raise Invalid("A recurring task needs a due date.", code="recurrence_without_due")
        return replace(task, due_at_ms=None)
    zone = task.timezone or user_zone
    due, due_at_ms = resolve_due(task.due, zone)
    if task.recurrence is not None:
        parse_rule(task.recurrence)
    return replace(task, due=due, due_at_ms=due_at_ms, timezone=zone)


def next_occurrence(task: Task) -> Task | None:
    """`task` moved to the occurrence after its due, or None when it does not recur or the rule has ended."""
    if task.recurrence is None or task.due is None or task.timezone is None:
        return None
    following = next_day(parse_rule(task.recurrence), date.fromisoformat(task.due[:10]))
    if following is None or following.year > YEAR_MAX:
        return None
    due, due_at_ms = resolve_due(following.isoformat() + task.due[10:], task.timezone)
    return replace(task, due=due, due_at_ms=due_at_ms, recurrence=counted_down(task.recurrence))


def is_repeated(due: str, zone: str) -> bool:
    """Whether the local time comes twice, as clocks go back; false for a bare date."""
    if len(due) <= 10:
        return False
    local = datetime.fromisoformat(due).replace(tzinfo=ZoneInfo(zone))
    first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def with_weekday(due: str) -> str:
    """`2025-11-21T17:00` → `Friday 2025-11-21 17:00`: what was meant is checked by its weekday."""
    return f"{WEEKDAYS[date.fromisoformat(due[:10]).weekday()].capitalize()} {due.replace('T', ' ')}"
