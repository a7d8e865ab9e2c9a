"""When the events of a calendar take place: recurring ones worked out within a window, in order, a bounded number.

Pure. An occurrence keeps its hour on the clock when the clocks change: one whose start is skipped begins when the gap
ends, one whose start comes twice begins the first time. Must not know where events are kept or who asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from heapq import merge
from itertools import islice
from zoneinfo import ZoneInfo

from domain.local_times import EPOCH, between, instant_ms, later, local_text, local_time
from domain.recurrence import Rule, last_day, named_days, parse_rule
from domain.values import CalendarEntry

DAYS_COUNTED_MAX = 20_000  # that are looked at to count out a COUNT: 54 years of days
ZONES_APART_DAYS = 2  # a local day and the UTC day of the same instant are never further apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One time that an event takes place. `entry` has the texts of this occurrence and the times of the event.

    `original` is the local start that the rule gave it, `start` and `end` the local times at which it takes place.
    """

    calendar_id: str
    entry: CalendarEntry
    original: str
    start: str
    end: str
    starts_at_ms: int
    ends_at_ms: int

    @property
    def place(self) -> tuple[int, str, str]:
        """By which occurrences are ordered; no two of a user have the same."""
        return self.starts_at_ms, self.calendar_id, self.original


def occurrences(
    entries: Iterable[tuple[str, CalendarEntry]],
    *,
    from_ms: int,
    until_ms: int,
    limit: int,
    after: tuple[int, str, str] | None = None,
) -> list[Occurrence]:
    """The first `limit` of what takes place at some time in the window (its end is not included), by start.

    `after` is the `place` of an occurrence: only those behind it. `entries` are pairs of calendar id and entry.
    """
    found = merge(
        *(_of_entry(calendar_id, entry, from_ms, until_ms, after) for calendar_id, entry in entries),
        key=lambda occurrence: occurrence.place,
    )
    return list(islice((one for one in found if after is None or one.place > after), limit))


def _of_entry(
    calendar_id: str, entry: CalendarEntry, from_ms: int, until_ms: int, after: tuple[int, str, str] | None
) -> Iterator[Occurrence]:
    if entry.recurrence is None:
        only = Occurrence(
            calendar_id=calendar_id,
            entry=entry,
            original=entry.start,
            start=entry.start,
            end=entry.end,
            starts_at_ms=entry.starts_at_ms,
            ends_at_ms=entry.ends_at_ms,
        )
        return iter([only] if _is_within(only, from_ms, until_ms) else [])
    moved = (one for one in _moved(calendar_id, entry) if _is_within(one, from_ms, until_ms))
    regular = _regular(calendar_id, entry, from_ms, until_ms, from_ms if after is None else after[0])
    return merge(sorted(moved, key=lambda one: one.place), regular, key=lambda one: one.place)


def _is_within(one: Occurrence, from_ms: int, until_ms: int) -> bool:
    """What has no length is within the window that it begins in."""
    return one.starts_at_ms < until_ms and (one.ends_at_ms > from_ms or one.starts_at_ms >= from_ms)


def _moved(calendar_id: str, entry: CalendarEntry) -> Iterator[Occurrence]:
    for move in entry.moved:
        said = {
            name: value
            for name, value in (("title", move.title), ("description", move.description), ("location", move.location))
            if value is not None
        }
        starts_at_ms = instant_ms(move.start, entry.timezone)
        yield Occurrence(
            calendar_id=calendar_id,
            entry=replace(entry, **said) if said else entry,  # type: ignore[arg-type]
            original=move.original,
            start=move.start,
            end=move.end,
            starts_at_ms=starts_at_ms,
            ends_at_ms=max(starts_at_ms, instant_ms(move.end, entry.timezone)),
        )


def _regular(
    calendar_id: str, entry: CalendarEntry, from_ms: int, until_ms: int, begins_ms: int
) -> Iterator[Occurrence]:
    """Those that nobody moved or excluded, in order. Where `begins_ms` is within the window, nobody needs what began
    before it."""
    assert entry.recurrence is not None
    rule, first = parse_rule(entry.recurrence), date.fromisoformat(entry.start[:10])
    length = between(entry.start, entry.end)
    reach = timedelta(days=ZONES_APART_DAYS)
    since = max(first, _day_of(from_ms) - reach - length, _day_of(begins_ms) - reach if begins_ms > from_ms else first)
    until = _day_of(until_ms) + timedelta(days=ZONES_APART_DAYS)
    if entry.last is not None:
        until = min(until, date.fromisoformat(entry.last[:10]))
    gone = {*entry.excluded, *(move.original for move in entry.moved)}
    for day in named_days(rule, first, since=since, until=until):
        start = day.isoformat() + entry.start[10:]
        if entry.last is not None and start > entry.last:
            return
        if start in gone:
            continue
        one = _at(calendar_id, entry, start, length)
        if one.starts_at_ms >= until_ms:
            return
        if _is_within(one, from_ms, until_ms):
            yield one


def _at(calendar_id: str, entry: CalendarEntry, start: str, length: timedelta) -> Occurrence:
    if start == entry.start:
        end, starts_at_ms, ends_at_ms = entry.end, entry.starts_at_ms, entry.ends_at_ms
    else:
        end = later(start, length)
        starts_at_ms, ends_at_ms = instant_ms(start, entry.timezone), instant_ms(end, entry.timezone)
        if ends_at_ms < starts_at_ms or (ends_at_ms == starts_at_ms and length):
            # Its end was skipped too, or comes before the end of the gap that its start fell into.
            ends_at_ms = starts_at_ms + entry.ends_at_ms - entry.starts_at_ms
    return Occurrence(
        calendar_id=calendar_id,
        entry=entry,
        original=start,
        start=start if entry.all_day else local_time(starts_at_ms, entry.timezone),
        end=end if entry.all_day else local_time(ends_at_ms, entry.timezone),
        starts_at_ms=starts_at_ms,
        ends_at_ms=ends_at_ms,
    )


def last_start(entry: CalendarEntry, *, days_max: int = DAYS_COUNTED_MAX) -> tuple[str | None, int]:
    """The local start after which a recurring event has none; None for a rule without COUNT and UNTIL.

    A COUNT is counted out day by day, so this is for when an event is written and not for when it is read; the second
    value is how many days that took, up to `days_max`.
    """
    assert entry.recurrence is not None
    rule, first = parse_rule(entry.recurrence), date.fromisoformat(entry.start[:10])
    if rule.until is not None:
        return _until_start(rule, rule.until, entry), 0
    if rule.count is None:
        return None, 0
    last, looked = last_day(rule, first, days_max=days_max)
    return last.isoformat() + entry.start[10:], looked


def _until_start(rule: Rule, until: date, entry: CalendarEntry) -> str:
    if entry.all_day:
        return until.isoformat()
    end_of_day = f"{until.isoformat()}T23:59:59"
    if rule.until_time is None:
        return end_of_day
    moment = rule.until_time
    try:
        return local_text(moment if moment.tzinfo is None else moment.astimezone(ZoneInfo(entry.timezone)))
    except OverflowError:
        # In this zone it lies before the first day or behind the last that a date can name.
        return end_of_day


def _day_of(at_ms: int) -> date:
    return (EPOCH + timedelta(milliseconds=at_ms)).date()
