"""Words that nobody would say, and that must not keep a worker from everybody else's messages."""

from __future__ import annotations

import pytest

from workers.understanding.flight_words import CHOOSE, spoken
from workers.understanding.intents import asked, wants_action


@pytest.mark.timeout(60)  # minutes, where each end of a line is looked at again from each other one
def test_a_message_of_nothing_but_line_ends_is_understood_in_time() -> None:
    words = "\n" * 100_000
    assert wants_action(words) == frozenset()
    assert asked(words).intent == "chat"


@pytest.mark.timeout(60)  # minutes, where what each of them means is worked out again for each one behind it
def test_many_wishes_about_a_list_that_is_long_forgotten_are_understood_in_time() -> None:
    turns = [("assistant", CHOOSE), *[("user", "cheaper ones"), ("assistant", CHOOSE)] * 24]
    assert spoken([*turns, ("user", "nonstop only")]) == "nonstop only"
    turns[0:0] = [("user", "Find flights to Boston on Friday")]
    assert spoken([*turns, ("user", "nonstop only")]).startswith(
        "Find flights to Boston on Friday, rather cheaper ones"
    )
