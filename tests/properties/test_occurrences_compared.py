"""Occurrences of ours and those of a library that nobody here wrote: the same, for any rule and either clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import recurring_ical_events
from hypothesis import example, given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from commands.foreign_events import take
from domain.occurrences import occurrences
from infra.ics import read_calendar_file

ZONES = ("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NAME = "%Y%m%dT%H%M%S"


@st.composite
def rules(draw: st.DrawFn, start: datetime) -> str:
    """Rules that name their own start, as those of a calendar do: what others mean is left open by the standard."""
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}", f"INTERVAL={draw(st.integers(1, 3))}"]
    mine = WEEKDAYS[start.weekday()]
    if freq == "WEEKLY" and draw(st.booleans()):
        parts.append("BYDAY=" + ",".join(sorted({mine, *draw(st.sets(st.sampled_from(WEEKDAYS), max_size=3))})))
    if freq == "MONTHLY":
        by = draw(st.sampled_from(["", f"BYMONTHDAY={start.day}", f"BYDAY={(start.day - 1) // 7 + 1}{mine}"]))
        parts += [by] if by else []
    if freq == "YEARLY" and draw(st.booleans()):
        parts += [f"BYMONTH={start.month}", f"BYMONTHDAY={start.day}"]
    end = draw(st.sampled_from(["", "COUNT", "UNTIL"]))
    if end == "COUNT":
        parts.append(f"COUNT={draw(st.integers(1, 40))}")
    if end == "UNTIL":
        until = start + timedelta(days=draw(st.integers(0, 200)), hours=draw(st.integers(-30, 30)))
        parts.append(f"UNTIL={until.strftime(NAME)}Z")
    return ";".join(parts)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, datetime]:
    zone = draw(st.sampled_from(ZONES))
    # Around both changes of the clocks, at hours that are skipped or come twice.
    start = draw(st.sampled_from([datetime(2025, 3, 1), datetime(2025, 10, 1)]))
    start += timedelta(days=draw(st.integers(0, 40)), minutes=30 * draw(st.integers(0, 47)))
    length = timedelta(minutes=draw(st.sampled_from([15, 60, 24 * 60, 50 * 60])))
    lines = [f"DTSTART;TZID={zone}:{start.strftime(NAME)}", f"DTEND;TZID={zone}:{(start + length).strftime(NAME)}"]
    lines.append(f"RRULE:{draw(rules(start))}")
    days = draw(st.lists(st.integers(0, 30), max_size=3, unique=True))
    lines += [f"EXDATE;TZID={zone}:{(start + timedelta(days=day)).strftime(NAME)}" for day in days]
    event = ["BEGIN:VEVENT", "UID:1", "SUMMARY:x", *lines, "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", *event, "END:VCALENDAR", ""]), start


def theirs(text: str, first: date, days: int) -> list[tuple[int, int]]:
    begins = datetime(first.year, first.month, first.day, tzinfo=UTC)
    events = recurring_ical_events.of(Calendar.from_ical(text)).between(begins, begins + timedelta(days=days))
    return sorted((_ms(event.start), _ms(event.end)) for event in events)


def _ms(moment: Any) -> int:
    return int(moment.timestamp()) * 1000


def ours(text: str, first: date, days: int) -> list[tuple[int, int]]:
    page = read_calendar_file(text.encode(), events_max=10)
    taken = take(page.events, zone="UTC", id_of=str)
    assert not taken.skipped
    from_ms = _ms(datetime(first.year, first.month, first.day, tzinfo=UTC))
    found = occurrences(taken.entries.items(), from_ms=from_ms, until_ms=from_ms + days * 86_400_000, limit=1_000)
    return [(one.starts_at_ms, one.ends_at_ms) for one in found]


def skipped(start: str, end: str, *excluded: str) -> tuple[str, datetime]:
    """A daily series in Berlin; the hour behind 2025-03-30 02:00 does not exist there."""
    zone = ";TZID=Europe/Berlin:"
    lines = [f"DTSTART{zone}{start}", f"DTEND{zone}{end}", *(f"EXDATE{zone}{one}" for one in excluded)]
    event = ["BEGIN:VEVENT", "UID:1", "SUMMARY:x", *lines, "RRULE:FREQ=DAILY;COUNT=5", "END:VEVENT"]
    return "\r\n".join(["BEGIN:VCALENDAR", *event, "END:VCALENDAR", ""]), datetime.strptime(start, NAME)


@settings(max_examples=300, deadline=None)
@given(files(), st.integers(-10, 120), st.integers(1, 60))
@example(skipped("20250328T000000", "20250330T020000"), 0, 9)
@example(skipped("20250330T023000", "20250330T033000"), 0, 9)
@example(skipped("20250330T020000", "20250330T021500"), 0, 9)
@example(skipped("20250328T023000", "20250328T033000", "20250330T023000"), 0, 9)
def test_a_window_holds_the_same_occurrences(file: tuple[str, datetime], offset: int, days: int) -> None:
    text, start = file
    first = (start + timedelta(days=offset)).date()
    assert ours(text, first, days) == theirs(text, first, days)
