"""Phrases of time on the days on which clocks go forward and back, in New York and in Berlin."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from commands.due import is_repeated, resolve_due
from commands.phrases.resolve import When, resolve_phrase

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"


def local(instant: str, zone: str) -> datetime:
    return datetime.fromisoformat(instant).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def instant(due: str, zone: str) -> str:
    return datetime.fromtimestamp(resolve_due(due, zone)[1] / 1000, UTC).strftime("%Y-%m-%dT%H:%M")


# 2026-03-08 02:00 EST becomes 03:00 EDT; 2026-03-29 02:00 CET becomes 03:00 CEST.
@pytest.mark.parametrize(
    ("now", "zone", "phrase", "due"),
    [
        ("2026-03-08T06:30", NEW_YORK, "in 20 minutes", "2026-03-08T01:50"),
        ("2026-03-08T06:30", NEW_YORK, "in 45 minutes", "2026-03-08T03:15"),
        ("2026-03-08T06:30", NEW_YORK, "in 2 hours", "2026-03-08T04:30"),
        ("2026-03-07T15:00", NEW_YORK, "in 24 hours", "2026-03-08T11:00"),
        ("2026-03-07T15:00", NEW_YORK, "in a day", "2026-03-08"),
        ("2026-03-07T15:00", NEW_YORK, "tomorrow at 10am", "2026-03-08T10:00"),
        ("2026-03-29T00:30", BERLIN, "in 45 minutes", "2026-03-29T03:15"),
        ("2026-03-29T00:30", BERLIN, "in einer Stunde", "2026-03-29T03:30"),
        ("2026-03-28T09:00", BERLIN, "in 24 Stunden", "2026-03-29T11:00"),
        ("2026-03-28T09:00", BERLIN, "morgen um 10 Uhr", "2026-03-29T10:00"),
    ],
)
def test_an_hour_that_is_skipped_is_not_waited_for(now: str, zone: str, phrase: str, due: str) -> None:
    assert resolve_phrase(phrase, local(now, zone), zone) == When(due)


@pytest.mark.parametrize(
    ("now", "zone", "phrase", "asked", "moved"),
    [
        ("2026-03-07T15:00", NEW_YORK, "tomorrow at 2:30 am", "2026-03-08T02:30", "2026-03-08T03:30"),
        ("2026-03-28T15:00", BERLIN, "morgen um 02:30 Uhr", "2026-03-29T02:30", "2026-03-29T03:30"),
    ],
)
def test_a_time_that_does_not_exist_is_moved_and_both_are_known(
    now: str, zone: str, phrase: str, asked: str, moved: str
) -> None:
    assert resolve_phrase(phrase, local(now, zone), zone) == When(asked)
    assert resolve_due(asked, zone)[0] == moved


# 2026-11-01 02:00 EDT becomes 01:00 EST; 2026-10-25 03:00 CEST becomes 02:00 CET.
@pytest.mark.parametrize(
    ("now", "zone", "phrase", "due", "at"),
    [
        ("2026-11-01T04:30", NEW_YORK, "at 1:30 am", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("2026-11-01T04:30", NEW_YORK, "in 1 hour", "2026-11-01T01:30", "2026-11-01T05:30"),
        ("2026-11-01T05:30", NEW_YORK, "in 2 hours", "2026-11-01T02:30", "2026-11-01T07:30"),
        ("2026-11-01T06:10", NEW_YORK, "at 1:30 am", "2026-11-02T01:30", "2026-11-02T06:30"),
        ("2026-10-31T16:00", NEW_YORK, "in 24 hours", "2026-11-01T11:00", "2026-11-01T16:00"),
        ("2026-10-24T20:00", BERLIN, "tomorrow at 02:30", "2026-10-25T02:30", "2026-10-25T00:30"),
        ("2026-10-25T00:30", BERLIN, "in 90 minutes", "2026-10-25T03:00", "2026-10-25T02:00"),
        ("2026-10-25T01:10", BERLIN, "um 02:30 Uhr", "2026-10-26T02:30", "2026-10-26T01:30"),
    ],
)
def test_a_time_that_comes_twice_is_the_first_one_and_still_ahead(
    now: str, zone: str, phrase: str, due: str, at: str
) -> None:
    assert resolve_phrase(phrase, local(now, zone), zone) == When(due)
    assert instant(due, zone) == at > now


@pytest.mark.parametrize(
    ("now", "zone", "phrase", "due"),
    [
        ("2026-11-01T06:10", NEW_YORK, "in 20 minutes", "2026-11-01T02:00"),
        ("2026-11-01T05:50", NEW_YORK, "in 20 minutes", "2026-11-01T02:00"),
        ("2026-10-25T01:10", BERLIN, "in 20 Minuten", "2026-10-25T03:00"),
    ],
)
def test_what_falls_into_the_second_pass_is_its_end_and_says_so(now: str, zone: str, phrase: str, due: str) -> None:
    assert resolve_phrase(phrase, local(now, zone), zone) == When(due, note="repeated")
    assert instant(due, zone) > now


@pytest.mark.parametrize(
    ("due", "zone", "is_twice"),
    [
        ("2026-11-01T01:30", NEW_YORK, True),
        ("2026-11-01T02:00", NEW_YORK, False),
        ("2026-11-01", NEW_YORK, False),
        ("2026-10-25T02:30", BERLIN, True),
        ("2026-03-29T02:30", BERLIN, False),
        ("2026-10-25T02:30", "UTC", False),
    ],
)
def test_an_hour_that_comes_twice_is_known(due: str, zone: str, is_twice: bool) -> None:
    assert is_repeated(due, zone) is is_twice


@pytest.mark.parametrize("zone", [NEW_YORK, BERLIN])
@pytest.mark.parametrize(("day", "phrase"), [("2026-03-07", "daily at 9"), ("2026-10-31", "every morning")])
def test_what_repeats_keeps_its_local_time(zone: str, day: str, phrase: str) -> None:
    found = resolve_phrase(phrase, datetime.fromisoformat(f"{day}T12:00"), zone)
    assert found is not None
    assert found.due.endswith("T09:00")
    assert found.recurrence == "FREQ=DAILY"
