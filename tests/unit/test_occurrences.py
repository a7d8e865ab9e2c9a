"""When events take place: both changes of the clocks, exceptions, windows, and that no rule can keep anybody busy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from commands.calendar_entries import patched
from domain.local_times import instant_ms, local_time
from domain.occurrences import Occurrence, occurrences
from domain.values import CalendarEntry, MovedOccurrence


def entry(start: str, end: str | None = None, rule: str | None = None, zone: str = "UTC", **more: Any) -> CalendarEntry:
    fields = {"title": "x", "start": start, "recurrence": rule, "timezone": zone, **({"end": end} if end else {})}
    return replace(patched(None, fields, "UTC"), **more)


def found(one: CalendarEntry, from_: str, to: str, *, limit: int = 100) -> list[Occurrence]:
    window = {"from_ms": instant_ms(from_, one.timezone), "until_ms": instant_ms(to, one.timezone)}
    return occurrences([("cal_1", one)], **window, limit=limit)


def utc(at_ms: int) -> str:
    return local_time(at_ms, "UTC")[8:]


@pytest.mark.parametrize(
    ("zone", "day", "starts"),
    [
        # 02:30 is skipped on 9 March in New York and on 30 March in Berlin: it begins when the gap has passed.
        ("America/New_York", "2025-03-08", ["08T07:30", "09T07:30", "10T06:30"]),
        ("Europe/Berlin", "2025-03-29", ["29T01:30", "30T01:30", "31T00:30"]),
    ],
)
def test_in_spring_a_skipped_hour_is_moved_and_the_next_day_is_as_before(
    zone: str, day: str, starts: list[str]
) -> None:
    series = entry(f"{day}T02:30", rule="FREQ=DAILY;COUNT=3", zone=zone)
    times = found(series, day, "2025-04-10")
    assert [utc(one.starts_at_ms) for one in times] == starts
    assert [one.start[11:] for one in times] == ["02:30", "03:30", "02:30"]
    assert [one.original[11:] for one in times] == ["02:30"] * 3
    assert [one.ends_at_ms - one.starts_at_ms for one in times] == [3_600_000] * 3


@pytest.mark.parametrize(
    ("zone", "day", "starts"),
    [
        # 01:30 comes twice on 2 November in New York, 02:30 on 26 October in Berlin: the first one counts.
        ("America/New_York", "2025-11-01T01:30", ["01T05:30", "02T05:30", "03T06:30"]),
        ("Europe/Berlin", "2025-10-25T02:30", ["25T00:30", "26T00:30", "27T01:30"]),
    ],
)
def test_in_autumn_an_hour_that_comes_twice_is_its_first(zone: str, day: str, starts: list[str]) -> None:
    series = entry(day, rule="FREQ=DAILY;COUNT=3", zone=zone)
    assert [utc(one.starts_at_ms) for one in found(series, "2025-10-20", "2025-11-10")] == starts


def test_an_end_that_is_skipped_too_leaves_the_length_of_the_first() -> None:
    series = entry("2025-03-29T02:15", "2025-03-29T03:00", "FREQ=DAILY;COUNT=2", "Europe/Berlin")
    second = found(series, "2025-03-30", "2025-03-31")[0]
    assert (second.start, second.end) == ("2025-03-30T03:15", "2025-03-30T04:00")


def test_a_whole_day_lasts_as_long_as_that_day() -> None:
    series = entry("2025-10-25", rule="FREQ=DAILY;COUNT=3", zone="Europe/Berlin")
    hours = [(one.ends_at_ms - one.starts_at_ms) // 3_600_000 for one in found(series, "2025-10-01", "2025-11-01")]
    assert hours == [24, 25, 24]


def test_excluded_ones_do_not_happen_and_moved_ones_happen_elsewhere_with_their_own_words() -> None:
    moved = MovedOccurrence(original="2025-11-22T09:00", start="2025-11-25T11:00", end="2025-11-25T12:00", title="y")
    series = entry("2025-11-21T09:00", rule="FREQ=DAILY;COUNT=4", excluded=("2025-11-23T09:00",), moved=(moved,))
    times = found(series, "2025-11-01", "2025-12-01")
    assert [(one.start, one.entry.title) for one in times] == [
        ("2025-11-21T09:00", "x"),
        ("2025-11-24T09:00", "x"),
        ("2025-11-25T11:00", "y"),
    ]
    assert [one.original for one in found(series, "2025-11-25", "2025-11-26")] == ["2025-11-22T09:00"]
    assert found(series, "2025-11-22", "2025-11-23") == []


@pytest.mark.parametrize(
    ("rule", "last"),
    [
        ("FREQ=DAILY;UNTIL=20251123", "2025-11-23"),
        ("FREQ=DAILY;UNTIL=20251123T090000", "2025-11-23"),
        ("FREQ=DAILY;UNTIL=20251123T085959", "2025-11-22"),
        ("FREQ=DAILY;UNTIL=20251124T045959Z", "2025-11-23"),  # the end of the 23rd, as Google and Outlook write it
        ("FREQ=DAILY;UNTIL=20251123T140000Z", "2025-11-23"),
        ("FREQ=DAILY;UNTIL=20251123T135959Z", "2025-11-22"),
        ("FREQ=DAILY;COUNT=3", "2025-11-23"),
        ("FREQ=DAILY;COUNT=1", "2025-11-21"),
        ("FREQ=DAILY;UNTIL=20200101", None),
    ],
)
def test_a_series_ends_where_its_rule_says_on_its_own_clock(rule: str, last: str | None) -> None:
    series = entry("2025-11-21T09:00", rule=rule, zone="America/New_York")
    times = found(series, "2025-11-01", "2026-03-01")
    assert (times[-1].start[:10] if times else None) == last


def test_an_until_in_utc_can_lie_on_the_day_before_in_the_east() -> None:
    series = entry("2025-11-21T08:00", rule="FREQ=DAILY;UNTIL=20251122T230000Z", zone="Asia/Tokyo")
    assert [one.start[:10] for one in found(series, "2025-11-01", "2025-12-01")][-1] == "2025-11-23"


@pytest.mark.parametrize(
    ("rule", "zone", "days"),
    [
        ("FREQ=DAILY;UNTIL=99991231T235959Z", "Asia/Tokyo", 10),  # what some calendars write for "without an end"
        ("FREQ=DAILY;UNTIL=00010101T000000Z", "America/New_York", 0),
    ],
)
def test_an_until_that_no_clock_of_its_zone_can_show_ends_a_series_on_its_day(rule: str, zone: str, days: int) -> None:
    assert len(found(entry("2025-11-21T08:00", rule=rule, zone=zone), "2025-11-21", "2025-12-01")) == days


def test_what_began_before_the_window_and_reaches_into_it_is_part_of_it() -> None:
    series = entry("2025-11-21T22:00", "2025-11-23T06:00", "FREQ=WEEKLY")
    assert [one.start for one in found(series, "2025-11-29", "2025-11-30")] == ["2025-11-28T22:00"]
    assert found(series, "2025-11-30T06:00", "2025-12-01") == []
    assert found(series, "2025-11-20", "2025-11-21T22:00") == []


def test_a_moment_is_in_the_window_that_it_begins_in() -> None:
    moment = replace(
        entry("2025-11-21T09:00"), end="2025-11-21T09:00", ends_at_ms=instant_ms("2025-11-21T09:00", "UTC")
    )
    assert len(found(moment, "2025-11-21T09:00", "2025-11-22")) == 1
    assert found(moment, "2025-11-21", "2025-11-21T09:00") == []


def test_a_birthday_of_long_ago_is_still_celebrated() -> None:
    birthday = entry("1932-02-29", rule="FREQ=YEARLY")
    assert [one.start for one in found(birthday, "2024-01-01", "2025-01-01")] == ["2024-02-29"]
    counted = entry("1932-05-01", rule="FREQ=YEARLY;COUNT=100")
    assert len(found(counted, "2026-01-01", "2026-12-31")) == 1
    assert found(counted, "2032-01-01", "2032-12-31") == []


def test_events_come_by_start_then_id_and_go_on_behind_a_place() -> None:
    entries = [("b", entry("2025-11-21T09:00", rule="FREQ=DAILY")), ("a", entry("2025-11-21T09:00", rule="FREQ=DAILY"))]
    window = {"from_ms": instant_ms("2025-11-21", "UTC"), "until_ms": instant_ms("2026-11-21", "UTC")}
    whole = occurrences(entries, **window, limit=1_000)
    assert len(whole) == 730
    assert [one.calendar_id for one in whole[:4]] == ["a", "b", "a", "b"]
    for place in (0, 1, 334, 698):
        rest = occurrences(entries, **window, limit=5, after=whole[place].place)
        assert rest == whole[place + 1 : place + 6]


class Counted:
    """Counts how many days anybody looks at."""

    def __init__(self) -> None:
        self.days = 0


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR,SA,SU", "FREQ=DAILY;COUNT=9999", "FREQ=DAILY;INTERVAL=1"]
)
def test_only_as_many_occurrences_are_worked_out_as_are_asked_for(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted()

    def counting(local: str, zone: str) -> int:
        counted.days += 1
        return instant_ms(local, zone)

    series = [(f"cal_{n}", entry("2019-01-01T00:00", "2019-06-01T00:00", rule)) for n in range(50)]
    monkeypatch.setattr("domain.occurrences.instant_ms", counting)
    window = {"from_ms": instant_ms("2025-11-21", "UTC"), "until_ms": instant_ms("2026-11-21", "UTC")}
    assert len(occurrences(series, **window, limit=10)) == 10
    assert counted.days <= 50 * 12  # a start and an end for the few days between zones, one more for each found


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=5"])
def test_a_rule_that_names_no_day_but_its_first_ends(rule: str) -> None:
    assert len(found(entry("2025-11-21T09:00", rule=rule), "2025-11-01", "2026-11-01")) == 1
