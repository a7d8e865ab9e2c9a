"""The grammar beside two readers of dates that others wrote: where both of them agree, it agrees with them.

They agree on days and plain times; what they make of bare hours, weekends and "next" is a matter of taste, and ours is
in docs/dates.md.
"""

from __future__ import annotations

from datetime import datetime

import dateparser
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from recurrent.event_parser import RecurringEvent

from commands.phrases.resolve import When, resolve_phrase
from domain.recurrence import parse_rule

# Of the library below recurrent, about its own future.
pytestmark = pytest.mark.filterwarnings("ignore:Flag style will be deprecated")

NOW = datetime(2025, 11, 19, 10, 0)
MONTHS = ("January", "February", "March", "April", "June", "July", "August", "September", "October", "November")
DAYS = st.one_of(
    st.sampled_from(["today", "tomorrow", "friday", "sunday", "on monday"]),
    st.builds("{} {}".format, st.sampled_from([*MONTHS, "December"]), st.integers(1, 28)),
    st.builds("{} {}, {}".format, st.sampled_from(MONTHS), st.integers(1, 28), st.integers(2026, 2035)),
    st.builds("{}-{:02}-{:02}".format, st.integers(2026, 2035), st.integers(1, 12), st.integers(1, 28)),
    st.builds("{}/{}/{}".format, st.integers(1, 12), st.integers(1, 28), st.integers(2026, 2035)),
)
TIMES = st.one_of(
    st.builds("{}:{:02} {}".format, st.integers(1, 12), st.integers(0, 59), st.sampled_from(["am", "pm"])),
    st.builds("{}{}".format, st.integers(1, 12), st.sampled_from(["am", "pm"])),
    st.builds("{}:{:02}".format, st.integers(13, 23), st.integers(0, 59)),
)
AHEAD = st.builds(
    "in {} {}".format, st.integers(2, 40), st.sampled_from(["minutes", "hours", "days", "weeks", "months"])
)


def read_by_dateparser(phrase: str) -> datetime | None:
    base = {"RELATIVE_BASE": NOW, "PREFER_DATES_FROM": "future", "DATE_ORDER": "MDY"}
    found: datetime | None = dateparser.parse(phrase, languages=["en"], settings=base)
    return found


def read_by_recurrent(phrase: str) -> datetime | None:
    found = RecurringEvent(now_date=NOW).parse(phrase)
    return found if isinstance(found, datetime) else None


def ours(phrase: str) -> datetime:
    found = resolve_phrase(phrase, NOW, "UTC")
    assert found is not None, phrase
    return datetime.fromisoformat(found.due)


@given(DAYS, TIMES)
@settings(max_examples=150, deadline=None)
def test_where_both_agree_on_a_day_and_a_time_the_grammar_agrees(day: str, time: str) -> None:
    phrase = f"{day} at {time}"
    theirs = read_by_dateparser(phrase)
    assume(theirs is not None and theirs == read_by_recurrent(phrase))
    assert theirs is not None
    assume(theirs > NOW)  # they do not mind the past
    assert ours(phrase) == theirs


@given(AHEAD)
@settings(max_examples=60, deadline=None)
def test_where_both_agree_on_so_much_later_the_grammar_agrees(phrase: str) -> None:
    theirs = read_by_dateparser(phrase)
    assume(theirs is not None and theirs == read_by_recurrent(phrase))
    assert theirs is not None
    found = ours(phrase)
    assert found == theirs or (found.date() == theirs.date() and found.time() == datetime.min.time())


@pytest.mark.parametrize("phrase", ["2026-02-03 at 9:30 am", "December 5 at 16:20", "in 3 hours", "in 2 weeks"])
def test_there_are_phrases_on_which_both_agree(phrase: str) -> None:
    """Else the tests above would compare nothing."""
    theirs = read_by_dateparser(phrase)
    assert theirs is not None
    assert theirs == read_by_recurrent(phrase)


@pytest.mark.parametrize(
    "phrase",
    [
        "every monday",
        "every day",
        "daily",
        "weekly",
        "every month",
        "every other friday",
        "every tuesday and thursday",
        "every weekday",
        "every 2 weeks",
        "every 3 days",
        "every year",
    ],
)
def test_rules_are_those_of_recurrent(phrase: str) -> None:
    theirs = RecurringEvent(now_date=NOW).parse(phrase)
    assert isinstance(theirs, str)
    found = resolve_phrase(phrase, NOW, "UTC")
    assert isinstance(found, When)
    assert found.recurrence is not None
    assert parse_rule(found.recurrence) == parse_rule(theirs)
