"""Words that nobody would say, and that must not keep a worker from everybody else's messages."""

from __future__ import annotations

import pytest

from workers.understanding.intents import asked, wants_action


@pytest.mark.timeout(60)  # minutes, where each end of a line is looked at again from each other one
def test_a_message_of_nothing_but_line_ends_is_understood_in_time() -> None:
    words = "\n" * 100_000
    assert wants_action(words) == frozenset()
    assert asked(words).intent == "chat"
