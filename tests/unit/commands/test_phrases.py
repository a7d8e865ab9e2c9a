"""Phrases of time, worked out from a Wednesday morning."""

from __future__ import annotations

import string
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from commands.due import resolve_due
from commands.phrases.resolve import When, resolve_phrase, writes_month_first
from commands.phrases.words import KNOWN
from domain.recurrence import next_day, parse_rule
from tests.unit.commands.phrase_tables import (
    COMPARED,
    COMPARED_RECURRING,
    ENGLISH,
    GERMAN,
    NOT_UNDERSTOOD,
    NOW,
    RECURRING,
    RECURRING_GERMAN,
    ZONE,
)


def when(phrase: str, now: datetime = NOW, *, is_month_first: bool = True) -> When | None:
    return resolve_phrase(phrase, now, ZONE, is_month_first=is_month_first)


@pytest.mark.parametrize(("phrase", "due"), [*ENGLISH.items(), *GERMAN.items()])
def test_phrases_of_time_are_worked_out(phrase: str, due: str) -> None:
    assert when(phrase) == When(due)


@pytest.mark.parametrize(
    ("phrase", "due", "rule"), [(p, *found) for p, found in {**RECURRING, **RECURRING_GERMAN}.items()]
)
def test_what_repeats_becomes_a_rule_and_its_first_day(phrase: str, due: str, rule: str) -> None:
    assert when(phrase) == When(due, recurrence=rule)


def test_all_phrases_that_the_libraries_were_compared_on_are_here() -> None:
    assert len(COMPARED) + len(COMPARED_RECURRING) == 18


def test_the_examples_in_the_documentation_hold() -> None:
    page = (Path(__file__).parents[3] / "docs" / "dates.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| ")]
    examples = {phrase: When(due, recurrence=rule or None) for phrase, due, rule in rows[1:]}
    assert len(examples) > 20
    assert {phrase: when(phrase) for phrase in examples} == examples


@pytest.mark.parametrize("phrase", NOT_UNDERSTOOD)
def test_what_is_not_understood_is_never_guessed(phrase: str) -> None:
    assert when(phrase) is None


@pytest.mark.parametrize(
    ("phrase", "month_first", "day_first"),
    [
        ("3/12", "2026-03-12", "2025-12-03"),
        ("5/6/26", "2026-05-06", "2026-06-05"),
        ("12/24", "2025-12-24", "2025-12-24"),
        ("24/12/2026", "2026-12-24", "2026-12-24"),
        ("3.12.", "2025-12-03", "2025-12-03"),
        ("12/24 at 4", "2025-12-24T16:00", "2025-12-24T16:00"),
        ("2025-12-03", "2025-12-03", "2025-12-03"),
    ],
)
def test_numeric_dates_are_read_as_the_user_writes_them(phrase: str, month_first: str, day_first: str) -> None:
    assert when(phrase, is_month_first=True) == When(month_first)
    assert when(phrase, is_month_first=False) == When(day_first)


@pytest.mark.parametrize(
    ("languages", "is_month_first"),
    [
        ((), True),
        ((None,), True),
        (("en",), True),
        (("en-US",), True),
        (("en_us",), True),
        (("en-Latn-US",), True),
        (("en-GB",), False),
        (("de",), False),
        (("es-US",), False),
        (("en", "en-GB"), False),
        ((None, "de", "en-US"), False),
        (("en-US", "de"), True),
        (("", {"not": "a tag"}, "fr"), False),
    ],
)
def test_american_english_alone_writes_the_month_first(languages: tuple[object, ...], is_month_first: bool) -> None:
    assert writes_month_first(*languages) is is_month_first


@pytest.mark.parametrize(
    ("now", "phrase", "due"),
    [
        ("2025-11-17T10:00", "next Monday", "2025-11-24"),  # a Monday
        ("2025-11-21T10:00", "next Friday", "2025-11-28"),  # a Friday
        ("2025-11-21T10:00", "Friday at 9", "2025-11-28T09:00"),
        ("2025-11-22T10:00", "next Friday", "2025-11-28"),  # a Saturday: next week begins on Monday
        ("2025-11-22T10:00", "this weekend", "2025-11-22"),
        ("2025-11-23T10:00", "this weekend", "2025-11-23"),  # a Sunday: what is left of it
        ("2025-11-23T10:00", "next weekend", "2025-11-29"),
        ("2025-11-22T10:00", "end of the week", "2025-11-23"),
        ("2025-11-28T18:00", "the last Friday of the month at 5pm", "2025-12-26T17:00"),
        ("2025-01-31T10:00", "in a month", "2025-02-28"),
        ("2024-02-29T10:00", "in a year", "2025-02-28"),
        ("2025-11-30T10:00", "end of the month", "2025-11-30"),
        ("2025-12-24T10:00", "December 24", "2025-12-24"),
        ("2025-12-25T10:00", "December 24", "2026-12-24"),
        ("2025-12-31T23:50", "in 20 minutes", "2026-01-01T00:10"),
        ("2025-11-19T10:00:37", "in 20 minutes", "2025-11-19T10:21"),
        ("2025-11-19T18:30", "at 5", "2025-11-20T17:00"),
        ("2025-11-19T17:00", "at 5", "2025-11-20T17:00"),
        ("2025-11-19T00:30", "tonight", "2025-11-19T20:00"),
        ("2025-11-19T21:00", "tonight", "2025-11-19"),
        ("2025-02-10T10:00", "the 31st", "2025-03-31"),
    ],
)
def test_where_the_week_the_month_and_the_day_turn(now: str, phrase: str, due: str) -> None:
    assert when(phrase, datetime.fromisoformat(now)) == When(due)


@pytest.mark.parametrize(
    ("phrase", "due"),
    [
        ("today at 9am", "2025-11-19T09:00"),
        ("today at 09:00", "2025-11-19T09:00"),
        ("2025-11-18", "2025-11-18"),
        ("2025-11-19 08:00", "2025-11-19T08:00"),
        ("December 24 2024", "2024-12-24"),
        ("March 3, 2025", "2025-03-03"),
        ("the 3rd of this month", "2025-11-03"),
        ("Monday this week", "2025-11-17"),
    ],
)
def test_only_what_names_the_past_lies_in_it_and_says_so(phrase: str, due: str) -> None:
    assert when(phrase) == When(due, note="past")


@pytest.mark.parametrize("phrase", ["every month", "every month on the 31st", "every year"])
def test_no_month_is_skipped_because_it_is_short(phrase: str) -> None:
    found = when(phrase, datetime(2024, 1, 31, 10))
    assert found is not None
    assert found.recurrence is not None
    rule, day = parse_rule(found.recurrence), datetime.fromisoformat(found.due).date()
    following = next_day(rule, day)
    assert following is not None
    assert following.isoformat() == ("2025-01-31" if phrase == "every year" else "2024-02-29")


_WORDS = st.sampled_from(sorted(KNOWN))
_NUMBERS = st.one_of(st.integers(0, 9999).map(str), st.sampled_from(["3rd", "9:30", "24.12.", "12/24", "2026-02-28"]))
_NOWS = st.datetimes(datetime(2025, 1, 1), datetime(2032, 12, 31)).map(lambda now: now.replace(microsecond=0))


@given(st.lists(st.one_of(_WORDS, _NUMBERS), min_size=1, max_size=7).map(" ".join), _NOWS)
@example("every 29th of february", datetime(2025, 1, 1))
def test_whatever_is_understood_is_ahead_or_says_that_it_is_not(phrase: str, now: datetime) -> None:
    found = when(phrase, now)
    if found is None:
        return
    due, due_at_ms = resolve_due(found.due, ZONE)
    now_ms = now.replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000
    assert (due_at_ms <= now_ms) == (found.note == "past")
    assert len(due) == len(found.due)
    if found.recurrence is not None:
        parse_rule(found.recurrence)


@given(st.text(max_size=120), st.text(string.printable, max_size=40))
def test_no_text_breaks_the_grammar(text: str, printable: str) -> None:
    when(text)
    when(printable)


@given(st.sampled_from([*ENGLISH, *RECURRING]), _NOWS)
def test_every_phrase_has_a_meaning_on_every_day(phrase: str, now: datetime) -> None:
    found = when(phrase, now)
    assert found is not None
    later = when(phrase, now + timedelta(days=366))
    assert later is not None
    assert found.note == "past" or found.due <= later.due
