"""Recurrence rules, a part of RFC 5545's RRULE: which days a rule names. Pure, and every search has an end.

At most daily; no rule may name a time of day. Must not know tasks, calendars, zones or instants.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, timedelta
from typing import Literal

from domain.errors import Invalid

RULE_CHARACTERS_MAX = 200
INTERVAL_MAX = 999
COUNT_MAX = 9_999
YEAR_LAST = MAXYEAR - 4  # INTERVAL_MAX days after it there is still a date
YEARS_LOOKED_AT = 50  # a rule that names no day in that time has ended; 29 February on one weekday takes up to 40

Freq = Literal["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]

_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PART = re.compile(r"([A-Z]+)=([A-Z0-9,+:-]+)", re.ASCII)
_UNTIL = re.compile(r"(\d{4})(\d{2})(\d{2})(T(\d{2})(\d{2})(\d{2})Z?)?", re.ASCII)
_BY_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,4}", re.ASCII)
_FREQS: dict[str, Freq] = {"DAILY": "DAILY", "WEEKLY": "WEEKLY", "MONTHLY": "MONTHLY", "YEARLY": "YEARLY"}
_KNOWN = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`by_day` are (n-th of its month or year, 0 for each; weekday from Monday 0).

    `until` is included. `until_time` is the same with its time of day, where it was said with one: local wall time
    without a zone, or an instant in UTC.
    """

    freq: Freq
    interval: int = 1
    count: int | None = None
    until: date | None = None
    until_time: datetime | None = None
    by_day: tuple[tuple[int, int], ...] = ()
    by_month_day: frozenset[int] = frozenset()
    by_month: frozenset[int] = frozenset()
    by_set_pos: tuple[int, ...] = ()
    week_start: int = 0


def _refuse() -> Invalid:
    return Invalid("recurrence is an RRULE, at most daily, such as FREQ=WEEKLY;BYDAY=MO.", code="recurrence_invalid")


def parse_rule(text: str) -> Rule:
    """With or without `RRULE:` before it. Raises `Invalid` for what is no rule, or one of a kind not followed here."""
    text = text.removeprefix("RRULE:")
    if len(text) > RULE_CHARACTERS_MAX:
        raise _refuse()
    parts: dict[str, str] = {}
    for part in text.split(";"):
        match = _PART.fullmatch(part)
        if match is None or match[1] not in _KNOWN or match[1] in parts:
            raise _refuse()
        parts[match[1]] = match[2]
    freq = _FREQS.get(parts.get("FREQ", ""))
    if freq is None or ("COUNT" in parts and "UNTIL" in parts):
        raise _refuse()
    rule = Rule(
        freq=freq,
        interval=_number(parts.get("INTERVAL", "1"), INTERVAL_MAX),
        count=_number(parts["COUNT"], COUNT_MAX) if "COUNT" in parts else None,
        until=_until(parts["UNTIL"]).date() if "UNTIL" in parts else None,
        until_time=_until(parts["UNTIL"]) if "T" in parts.get("UNTIL", "") else None,
        by_day=_by_day(parts["BYDAY"], freq) if "BYDAY" in parts else (),
        by_month_day=frozenset(_numbers(parts, "BYMONTHDAY", 31, negative=True)),
        by_month=frozenset(_numbers(parts, "BYMONTH", 12)),
        by_set_pos=tuple(_numbers(parts, "BYSETPOS", 366, negative=True)),
        week_start=_WEEKDAYS.index(parts["WKST"]) if parts.get("WKST") in _WEEKDAYS else _no_week_start(parts),
    )
    if rule.by_set_pos and not (rule.by_day or rule.by_month_day or rule.by_month):
        raise _refuse()
    if rule.freq == "WEEKLY" and rule.by_month_day:
        raise _refuse()
    return rule


def _no_week_start(parts: dict[str, str]) -> int:
    if "WKST" in parts:
        raise _refuse()
    return 0


def _number(text: str, maximum: int, *, minimum: int = 1) -> int:
    if _NUMBER.fullmatch(text) is None or not minimum <= int(text) <= maximum:
        raise _refuse()
    return int(text)


def _numbers(parts: dict[str, str], name: str, maximum: int, *, negative: bool = False) -> list[int]:
    if name not in parts:
        return []
    minimum = -maximum if negative else 1
    numbers = [_number(text, maximum, minimum=minimum) for text in parts[name].split(",")]
    if 0 in numbers:
        raise _refuse()
    return numbers


def _by_day(text: str, freq: Freq) -> tuple[tuple[int, int], ...]:
    ordinal_max = {"DAILY": 0, "WEEKLY": 0, "MONTHLY": 5, "YEARLY": 53}[freq]
    days: list[tuple[int, int]] = []
    for part in text.split(","):
        match = _BY_DAY.fullmatch(part)
        if match is None or (match[1] is not None and not 1 <= abs(int(match[1])) <= ordinal_max):
            raise _refuse()
        days.append((int(match[1] or 0), _WEEKDAYS.index(match[2])))
    return tuple(days)


def _until(text: str) -> datetime:
    match = _UNTIL.fullmatch(text)
    try:
        if match is None:
            raise ValueError("no date")
        day = datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC if text.endswith("Z") else None)
        return day if match[4] is None else day.replace(hour=int(match[5]), minute=int(match[6]), second=int(match[7]))
    except ValueError:
        raise _refuse() from None


def counted_down(text: str) -> str:
    """The rule for what is left once one occurrence is over: `COUNT` counts the present one too."""
    return re.sub(r"(?<=COUNT=)\d+", lambda match: str(int(match[0]) - 1), text)


# --- days ---------------------------------------------------------------------------------------------------------


def next_day(rule: Rule, day: date) -> date | None:
    """The first day after `day`, which counts as the rule's first; None when there is no other."""
    if rule.count == 1:
        return None
    for following in _named(rule, day, day, _last_year(day)):
        if rule.until is not None and following > rule.until:
            return None
        if following > day:
            return following
    return None


def named_days(rule: Rule, first: date, *, since: date, until: date) -> Iterator[date]:
    """The days that a rule names from `since` to `until`, both included, in order; `first` is one of them in any case.

    COUNT and UNTIL are not looked at. What lies before `since` costs nothing.
    """
    if since <= first <= until:
        yield first
    for day in _named(rule, first, max(since, first), min(until.year, YEAR_LAST)):
        if day > until:
            return
        if day >= since and day > first:
            yield day


def last_day(rule: Rule, first: date, *, days_max: int) -> tuple[date, int]:
    """The last day of a rule with a COUNT, and about how many days were looked at to find it.

    Where that takes more than `days_max`, the rule ends with the last one that was found.
    """
    assert rule.count is not None
    last, left, looked = first, rule.count - 1, 0
    periods = _periods(rule, first, first, YEAR_LAST)
    while left and looked < days_max and (days := next(periods, None)) is not None:
        looked += _days_looked_at(rule)
        following = [day for day in _chosen(rule, days) if day > first][:left]
        left -= len(following)
        last = following[-1] if following else last
    return last, looked


def _days_looked_at(rule: Rule) -> int:
    """In each period."""
    if rule.freq == "YEARLY":
        return 366 if not rule.by_month and (rule.by_day or rule.by_month_day) else 31 * max(1, len(rule.by_month))
    return {"DAILY": 1, "WEEKLY": 7, "MONTHLY": 31}[rule.freq]


def _named(rule: Rule, first: date, since: date, last_year: int) -> Iterator[date]:
    """In order, from the period of `since` on: some may be before it."""
    for days in _periods(rule, first, since, last_year):
        yield from _chosen(rule, days)


def _chosen(rule: Rule, days: list[date]) -> list[date]:
    if not rule.by_set_pos:
        return days
    places = {place - 1 if place > 0 else len(days) + place for place in rule.by_set_pos}
    return [day for place, day in enumerate(days) if place in places]


def _periods(rule: Rule, first: date, since: date, last_year: int) -> Iterator[list[date]]:
    """The days of each day, week, month or year that the rule looks at, in order: counted from the one of `first`,
    given from the one of `since` on, up to the end of `last_year`."""
    match rule.freq:
        case "DAILY":
            return _daily(rule, first, since, last_year)
        case "WEEKLY":
            return _weekly(rule, first, since, last_year)
        case "MONTHLY":
            return _monthly(rule, first, since, last_year)
        case "YEARLY":
            return _yearly(rule, first, since, last_year)


def _last_year(start: date) -> int:
    return min(start.year + YEARS_LOOKED_AT, YEAR_LAST)


def _skipped(distance: int, interval: int) -> int:
    """How far to go, in whole intervals, without passing what is `distance` away."""
    return max(0, distance // interval * interval)


def _daily(rule: Rule, first: date, since: date, last_year: int) -> Iterator[list[date]]:
    weekdays = {weekday for _, weekday in rule.by_day}
    day = first + timedelta(days=_skipped((since - first).days, rule.interval))
    while day.year <= last_year:
        step = rule.interval
        if not _is_month(rule, day.month):
            left = monthrange(day.year, day.month)[1] - day.day
            step += _skipped(left, rule.interval)
            yield []
        elif (not weekdays or day.weekday() in weekdays) and (not rule.by_month_day or _is_month_day(rule, day)):
            yield [day]
        else:
            yield []
        day += timedelta(days=step)


def _weekly(rule: Rule, first: date, since: date, last_year: int) -> Iterator[list[date]]:
    weekdays = {weekday for _, weekday in rule.by_day} or {first.weekday()}
    week = first.toordinal() - (first.weekday() - rule.week_start) % 7
    week += _skipped(since.toordinal() - week, 7 * rule.interval)
    for start in range(max(week, 1), date(last_year, 12, 31).toordinal() + 1, 7 * rule.interval):
        days = [date.fromordinal(ordinal) for ordinal in range(start, start + 7)]
        yield [day for day in days if day.weekday() in weekdays and _is_month(rule, day.month)]


def _monthly(rule: Rule, first: date, since: date, last_year: int) -> Iterator[list[date]]:
    start = _month_number(first)
    start += _skipped(_month_number(since) - start, rule.interval)
    for months in range(start, (last_year + 1) * 12, rule.interval):
        year, month = months // 12, months % 12 + 1
        yield _of_month(rule, year, month, first.day) if _is_month(rule, month) else []


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _yearly(rule: Rule, first: date, since: date, last_year: int) -> Iterator[list[date]]:
    is_by_week = bool(rule.by_day) and not rule.by_month and not rule.by_month_day
    months = sorted(rule.by_month) or (range(1, 13) if rule.by_month_day or rule.by_day else [first.month])
    for year in range(first.year + _skipped(since.year - first.year, rule.interval), last_year + 1, rule.interval):
        if is_by_week:
            yield _named_in_year(rule, year)
        else:
            yield [day for month in months for day in _of_month(rule, year, month, first.day)]


def _named_in_year(rule: Rule, year: int) -> list[date]:
    first, end = date(year, 1, 1), date(year + 1, 1, 1).toordinal()
    named: set[int] = set()
    for place, weekday in rule.by_day:
        same = range(first.toordinal() + (weekday - first.weekday()) % 7, end, 7)
        if place == 0:
            named.update(same)
        elif abs(place) <= len(same):
            named.add(same[place - 1 if place > 0 else place])
    return [date.fromordinal(ordinal) for ordinal in sorted(named)]


def _of_month(rule: Rule, year: int, month: int, usual_day: int) -> list[date]:
    length = monthrange(year, month)[1]
    days = [date(year, month, number) for number in range(1, length + 1)]
    if rule.by_month_day:
        days = [day for day in days if _is_month_day(rule, day)]
    if rule.by_day:
        days = [day for day in days if _is_named(rule, day.weekday(), day.day, length)]
    if not rule.by_month_day and not rule.by_day:
        days = [day for day in days if day.day == usual_day]
    return days


def _is_named(rule: Rule, weekday: int, number: int, length: int) -> bool:
    """Whether `by_day` names the `number`-th day, a `weekday`, of a month of that `length`."""
    from_start, from_end = (number - 1) // 7 + 1, -((length - number) // 7 + 1)
    return any(wanted == weekday and place in (0, from_start, from_end) for place, wanted in rule.by_day)


def _is_month_day(rule: Rule, day: date) -> bool:
    length = monthrange(day.year, day.month)[1]
    return day.day in rule.by_month_day or day.day - length - 1 in rule.by_month_day


def _is_month(rule: Rule, month: int) -> bool:
    return not rule.by_month or month in rule.by_month
