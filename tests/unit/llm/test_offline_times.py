"""The offline model finds a phrase of time in a sentence: all of it, and nothing else."""

from __future__ import annotations

import pytest

from tests.unit.commands.phrase_tables import ENGLISH, RECURRING
from workers.llm.offline.intents import wishes_of
from workers.understanding.time_words import split_leading_when, split_when

PHRASES = [*ENGLISH, *RECURRING]


@pytest.mark.parametrize("phrase", PHRASES)
def test_whatever_the_grammar_knows_is_found_in_a_sentence(phrase: str) -> None:
    for sentence in (
        f"Remind me to call John {phrase}",
        f"Remind me {phrase} to call John",
        f"{phrase}, remind me to call John",
    ):
        (wish,) = wishes_of(sentence)
        assert wish.arguments == {"title": "call John", "due_text": phrase}, sentence


@pytest.mark.parametrize("phrase", PHRASES)
def test_it_is_cut_off_whole_at_either_end(phrase: str) -> None:
    assert split_when(f"call John {phrase}") == ("call John", phrase)
    assert split_leading_when(f"{phrase} call John") == (phrase, "call John")


@pytest.mark.parametrize(
    "text",
    [
        "read chapter 5",
        "buy 2 tickets",
        "enjoy the sun",
        "read the first",
        "plan the march",
        "count from ten to seven",
        "buy milk for 6 weeks",
        "write every author",
        "ask each one",
        "look at 110 houses",
        "go past 5 guys",
        "save 10%",
        "run 10 times",
        "study for half an hour",
        "order a quarter pounder",
    ],
)
def test_what_is_no_time_stays_in_the_title(text: str) -> None:
    assert split_when(text) == (text, "")


@pytest.mark.parametrize(
    "part",
    [
        "every ",
        "at ",
        "on by ",
        "tomorrow ",
        "one half past ",
        "every monday and ",
        "in two ",
        "montag und ",
        "at 8, ",
        "um 8 und ",
    ],
)
def test_long_texts_are_searched_to_their_end(part: str) -> None:
    text = part * (8_000 // len(part))
    title, when = split_when(text)
    assert len(title) + len(when) <= len(text)
    for order in ("remind me to", "move x to", "verschiebe x auf", "flights to Rome"):
        assert len(wishes_of(f"{order} {text}")) <= 10
