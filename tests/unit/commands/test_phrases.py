"""Phrases of time, worked out from a Wednesday morning."""

from __future__ import annotations

from datetime import datetime

import pytest

from commands.phrases import resolve_phrase

NOW = datetime(2025, 11, 19, 10, 0)


@pytest.mark.parametrize(
    ("phrase", "due"),
    [
        ("today", "2025-11-19"),
        ("Tomorrow at 5", "2025-11-20T17:00"),
        ("tomorrow at 5 am", "2025-11-20T05:00"),
        ("tomorrow at 7", "2025-11-20T07:00"),
        ("tomorrow morning at 6", "2025-11-20T06:00"),
        ("tonight at 8", "2025-11-19T20:00"),
        ("on Friday", "2025-11-21"),
        ("Friday, 9:30 a.m.", "2025-11-21T09:30"),
        ("at 5:15 on monday", "2025-11-24T17:15"),
        ("wednesday", "2025-11-26"),
        ("wednesday at 11", "2025-11-19T11:00"),
        ("wednesday at 9", "2025-11-26T09:00"),
        ("next friday", "2025-11-28"),
        ("at 9", "2025-11-20T09:00"),
        ("17:00", "2025-11-19T17:00"),
        ("05:30", "2025-11-20T05:30"),
        ("noon", "2025-11-19T12:00"),
        ("12 am tomorrow", "2025-11-20T00:00"),
        ("2025-12-01", "2025-12-01"),
        ("2025-12-01T08:00:00", "2025-12-01T08:00"),
        ("by 2025-12-01 16:30", "2025-12-01T16:30"),
    ],
)
def test_phrases_of_time_are_worked_out(phrase: str, due: str) -> None:
    assert resolve_phrase(phrase, NOW) == due


@pytest.mark.parametrize(
    "phrase", ["", "soon", "2025-02-30", "at 25", "13 pm", "9:75", "tomorrow yesterday", "x" * 10_000, "0 am"]
)
def test_what_is_not_understood_is_never_guessed(phrase: str) -> None:
    assert resolve_phrase(phrase, NOW) is None
