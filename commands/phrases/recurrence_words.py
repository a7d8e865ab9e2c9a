"""A recurrence rule in words: "every other Friday until 2026-12-24". Pure.

A rule that it has no words for is told as it is written, which is exact, if not pretty.
"""

from __future__ import annotations

from commands.phrases.words import MONTHS, WEEKDAYS
from domain.errors import Invalid
from domain.recurrence import Rule, parse_rule

_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_WORKING_DAYS = {0, 1, 2, 3, 4}


def in_words(text: str) -> str:
    """`text` is an RRULE."""
    try:
        rule = parse_rule(text)
    except Invalid:
        return text
    words = _how_often(rule)
    if words is None:
        return text
    if rule.until is not None:
        words += f" until {rule.until.isoformat()}"
    elif rule.count is not None:
        words += f", {rule.count} time{'s' if rule.count > 1 else ''}"
    return words


def _how_often(rule: Rule) -> str | None:
    """None for a rule without words."""
    weekdays = [weekday for _, weekday in rule.by_day]
    places = {place for place, _ in rule.by_day}
    if rule.week_start or (rule.by_set_pos and not _is_day_or_last(rule)):
        return None
    every = _every(rule)
    match rule.freq:
        case "DAILY" if not (weekdays or rule.by_month_day or rule.by_month):
            return every
        case "WEEKLY" if not (rule.by_month or rule.by_month_day):
            return _weekly(rule, weekdays) if weekdays else every
        case "MONTHLY" if not rule.by_month and not (rule.by_day and rule.by_month_day):
            on = _days_of_month(rule)
            if on is None and len(places) == len(weekdays) == 1 and 0 not in places:
                on = f"the {_nth(places.pop())} {WEEKDAYS[weekdays[0]].capitalize()}"
            if on is None:
                return None if rule.by_day or rule.by_month_day else every
            return f"{every} on {on}"
        case "YEARLY" if not rule.by_day and len(rule.by_month) == len(rule.by_month_day) == 1:
            (month,), (day,) = rule.by_month, rule.by_month_day
            name = MONTHS[month - 1].split()[0].capitalize()
            if day < -1:
                return None
            return f"{every} on {name} {day}" if day > 0 else f"{every} on the last day of {name}"
        case "YEARLY" if not (rule.by_day or rule.by_month or rule.by_month_day):
            return every
        case _:
            return None


def _every(rule: Rule) -> str:
    unit = _UNITS[rule.freq]
    if rule.interval == 1:
        return f"every {unit}"
    return f"every other {unit}" if rule.interval == 2 else f"every {rule.interval} {unit}s"


def _weekly(rule: Rule, weekdays: list[int]) -> str:
    if set(weekdays) == _WORKING_DAYS and rule.interval == 1:
        return "every weekday"
    names = _joined([WEEKDAYS[weekday].capitalize() for weekday in sorted(set(weekdays))])
    if rule.interval == 1:
        return f"every {names}"
    return f"every other {names}" if rule.interval == 2 and len(weekdays) == 1 else f"{_every(rule)} on {names}"


def _is_day_or_last(rule: Rule) -> bool:
    """`BYMONTHDAY=28,29,30,31;BYSETPOS=-1` is the 31st, or the last day where there is none."""
    days = sorted(rule.by_month_day)
    return rule.by_set_pos == (-1,) and bool(days) and days == list(range(28, days[-1] + 1)) and not rule.by_day


def _days_of_month(rule: Rule) -> str | None:
    days = sorted(rule.by_month_day)
    if not days or (days[0] < 0 and days != [-1]):
        return None
    if days == [-1]:
        return "its last day"
    if rule.by_set_pos:
        return f"the {_nth(days[-1])}, or its last day"
    return f"the {_joined([_nth(day) for day in days])}"


def _nth(place: int) -> str:
    if place < 0:
        return "last" if place == -1 else f"{_nth(-place)} last"
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th") if place not in (11, 12, 13) else "th"
    return f"{place}{ending}"


def _joined(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
