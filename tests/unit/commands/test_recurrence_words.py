"""Recurrence rules in words."""

from __future__ import annotations

from datetime import datetime

import pytest

from commands.phrases.recurrence_words import in_words
from commands.phrases.resolve import resolve_phrase
from tests.unit.commands.phrase_tables import RECURRING

NOW = datetime(2025, 11, 19, 10, 0)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=DAILY", "every day"),
        ("FREQ=DAILY;INTERVAL=3", "every 3 days"),
        ("FREQ=DAILY;COUNT=1", "every day, 1 time"),
        ("FREQ=WEEKLY", "every week"),
        ("FREQ=WEEKLY;BYDAY=MO", "every Monday"),
        ("FREQ=WEEKLY;BYDAY=TH,MO,SA", "every Monday, Thursday and Saturday"),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "every other Friday"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR", "every other week on Monday and Friday"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20261224", "every Monday until 2026-12-24"),
        ("FREQ=MONTHLY", "every month"),
        ("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1", "every 3 months on the 1st"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on the 1st and 15th"),
        ("FREQ=MONTHLY;BYMONTHDAY=-1", "every month on its last day"),
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", "every month on the 30th, or its last day"),
        ("FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
        ("FREQ=MONTHLY;BYDAY=-2FR", "every month on the 2nd last Friday"),
        ("FREQ=MONTHLY;BYDAY=3TU", "every month on the 3rd Tuesday"),
        ("FREQ=YEARLY", "every year"),
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24", "every year on December 24"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "every year on the last day of February"),
    ],
)
def test_a_rule_is_told_in_words(rule: str, words: str) -> None:
    assert in_words(rule) == words


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYDAY=MO",
        "FREQ=WEEKLY;WKST=SU;BYDAY=MO",
        "FREQ=WEEKLY;BYMONTH=3",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;BYDAY=FR",
        "FREQ=MONTHLY;BYDAY=1FR,3FR",
        "FREQ=MONTHLY;BYMONTHDAY=-2",
        "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=1",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYMONTH=1,7;BYMONTHDAY=1",
        "FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=-2",
        "not a rule",
    ],
)
def test_a_rule_without_words_is_told_as_it_is_written(rule: str) -> None:
    assert in_words(rule) == rule


@pytest.mark.parametrize("phrase", RECURRING)
def test_what_the_grammar_makes_has_words_that_it_reads_again(phrase: str) -> None:
    """Said back, the words mean the rule that they were made from."""
    first = resolve_phrase(phrase, NOW, "UTC")
    assert first is not None
    assert first.recurrence is not None
    words = in_words(first.recurrence)
    assert words != first.recurrence
    again = resolve_phrase(words.replace(", or its last day", ""), NOW, "UTC")
    assert again is not None
    assert again.recurrence == first.recurrence
