"""Instants as clocks on walls show them, and back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.local_times import between, instant_ms, later, local_minute, local_moment, local_time

BERLIN = "Europe/Berlin"


def test_a_wall_time_has_seconds_where_there_are_any_and_a_minute_never() -> None:
    on_the_minute = instant_ms("2025-11-21T09:00", BERLIN)
    assert local_time(on_the_minute, BERLIN) == local_minute(on_the_minute, BERLIN) == "2025-11-21T09:00"
    assert local_time(on_the_minute + 30_999, BERLIN) == "2025-11-21T09:00:30"
    assert local_minute(on_the_minute + 30_999, BERLIN) == "2025-11-21T09:00"


@pytest.mark.parametrize(
    ("local", "shown", "hours_of_offset"),
    [("2025-10-26T02:30", "2025-10-26T02:30", 2), ("2026-03-29T02:30", "2026-03-29T03:30", 2)],
    ids=["comes twice", "never comes"],
)
def test_an_hour_that_comes_twice_is_its_first_and_one_that_never_comes_lies_behind_the_gap(
    local: str, shown: str, hours_of_offset: int
) -> None:
    at_ms = instant_ms(local, BERLIN)
    assert local_time(at_ms, BERLIN) == shown
    assert local_moment(at_ms, BERLIN).utcoffset() == timedelta(hours=hours_of_offset)


@pytest.mark.parametrize(("local", "hours_behind"), [("2025-10-26T02:30", 1), ("2025-10-27T02:30", 0)])
def test_the_second_of_an_hour_that_comes_twice_is_an_hour_behind_the_first(local: str, hours_behind: int) -> None:
    at_ms = instant_ms(local, BERLIN, fold=1)
    assert at_ms - instant_ms(local, BERLIN) == hours_behind * 3_600_000
    assert local_time(at_ms, BERLIN) == local


@pytest.mark.parametrize("start", ["2026-03-28", "2026-03-28T09:15", "2026-03-28T09:15:30"])
def test_a_day_later_by_the_clock_on_the_wall_is_a_day_whatever_clocks_do(start: str) -> None:
    day = timedelta(days=1)
    assert later(start, day) == start.replace("28", "29")
    assert between(start, later(start, day)) == day
