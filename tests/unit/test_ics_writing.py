"""A calendar that was written is read back by our own reader as it was."""

from __future__ import annotations

import pytest

from domain.foreign_calendar import ForeignEvent
from domain.local_times import instant_ms
from domain.values import CalendarEntry, MovedOccurrence
from infra.ics import read_calendar_file
from infra.ics_writing import END, HEAD, event_ics, zones_ics


def entry(start: str, end: str, zone: str = "Europe/Paris", **more: object) -> CalendarEntry:
    starts, ends = instant_ms(start, zone), instant_ms(end, zone)
    given = {"title": "Dinner; with, Ada\nand Bob", "start": start, "end": end, "timezone": zone, **more}
    return CalendarEntry(starts_at_ms=starts, ends_at_ms=ends, **given)  # type: ignore[arg-type]


def read_back(*entries: CalendarEntry) -> list[ForeignEvent]:
    events = [event_ics(f"cal_{number}", one, changed_at_ms=0) for number, one in enumerate(entries)]
    data = b"".join([HEAD, *events, *zones_ics(one.timezone for one in entries), END])
    page = read_calendar_file(data, events_max=100)
    assert page.unread == ()
    return list(page.events)


def seconds(local: str) -> str:
    return local if "T" not in local or len(local) > 16 else f"{local}:00"


@pytest.mark.parametrize(
    "known",
    [
        entry("2025-11-21T19:00", "2025-11-21T21:30", location="Chez Paul", description="x" * 500),
        entry("2025-11-21", "2025-11-23"),
        entry("2025-11-21T19:00", "2025-11-21T20:00", zone="America/New_York", uid="abc@google.com"),
        entry("2025-11-21T19:00", "2025-11-21T20:00", attendees=("ada@example.org", "Bob <bob@example.org>", "Jim")),
        entry("2025-11-21T19:00", "2025-11-21T20:00", attendees=("Lee, Bob (ext.) <bob@example.org>", "Lee; Ada: x")),
    ],
)
def test_an_event_is_read_as_it_was_written(known: CalendarEntry) -> None:
    (read,) = read_back(known)
    assert read.uid == (known.uid or "cal_0@microcos")
    assert (read.title, read.location, read.description) == (known.title, known.location, known.description)
    assert (read.start, read.end) == (seconds(known.start), seconds(known.end))
    assert read.attendees == known.attendees
    if not known.all_day:
        assert read.timezone == known.timezone


def test_times_in_utc_need_no_zone() -> None:
    (read,) = read_back(entry("2025-11-21T19:00", "2025-11-21T20:00", zone="UTC"))
    assert (read.start, read.end) == ("2025-11-21T19:00:00Z", "2025-11-21T20:00:00Z")


def test_a_series_keeps_its_rule_and_its_exceptions() -> None:
    moved = MovedOccurrence(
        original="2025-11-26T09:00", start="2025-11-26T10:00", end="2025-11-26T11:00", title="Later than usual"
    )
    series = entry(
        *("2025-11-24T09:00", "2025-11-24T10:00"),
        recurrence="FREQ=DAILY;COUNT=5",
        excluded=("2025-11-25T09:00",),
        moved=(moved,),
        location="Office",
    )
    whole, part = read_back(series)
    assert whole.recurrence == "FREQ=DAILY;COUNT=5"
    assert whole.excluded == ("2025-11-25T09:00:00",)
    assert (part.replaces, part.start, part.end) == (
        "2025-11-26T09:00:00",
        "2025-11-26T10:00:00",
        "2025-11-26T11:00:00",
    )
    assert (part.title, part.location) == ("Later than usual", "Office")


def test_each_zone_is_defined_once() -> None:
    assert len(list(zones_ics(["Europe/Paris", "UTC", "Europe/Paris", "Asia/Tokyo"]))) == 2
