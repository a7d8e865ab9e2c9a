"""Where something is moved to, by the words and by its old time."""

from __future__ import annotations

from datetime import datetime

import pytest

from commands.moving import moved
from commands.setting import Setting
from domain.brain import Brain

NOW = datetime.fromisoformat("2025-11-19T10:00")  # a Wednesday
SETTING = Setting(brain=Brain(), message_id="m", now=NOW, ref=lambda kind, text: f"{kind} {text}")


@pytest.mark.parametrize(
    ("phrase", "start", "due"),
    [
        ("Friday", "2025-11-20T17:00", "2025-11-21T17:00"),
        ("Friday", "2025-11-20", "2025-11-21"),
        ("Friday at 9", "2025-11-20T17:00", "2025-11-21T09:00"),
        ("6pm", "2025-11-20T17:00", "2025-11-20T18:00"),
        ("at 6", "2025-11-20T17:00", "2025-11-20T18:00"),
        ("8", "2025-11-20T19:00", "2025-11-20T20:00"),
        ("8", "2025-11-20T09:00", "2025-11-20T08:00"),
        ("6", "2025-11-20", "2025-11-20T18:00"),
        ("by a day", "2025-11-20T17:00", "2025-11-21T17:00"),
        ("by two weeks", "2025-11-20", "2025-12-04"),
        ("an hour later", "2025-11-20T17:00", "2025-11-20T18:00"),
        ("30 minutes earlier", "2025-11-20T17:00", "2025-11-20T16:30"),
        ("by Friday", "2025-11-20T17:00", "2025-11-21T17:00"),
    ],
)
def test_what_is_not_said_stays_as_it_was(phrase: str, start: str, due: str) -> None:
    when = moved(phrase, start, SETTING)
    assert when is not None
    assert when.due == due


@pytest.mark.parametrize(
    "phrase",
    [
        *("by magic", "sooner", "the moon", "by an hour of work later"),
        *("5000 years earlier", "1500 years earlier"),  # before any year of ours, and before all that have four digits
    ],
)
def test_what_is_not_understood_moves_nothing(phrase: str) -> None:
    assert moved(phrase, "2025-11-20T17:00", SETTING) is None
