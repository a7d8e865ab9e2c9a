"""Phrases of time that the grammar leaves to another reader: what is believed of it, and what is not."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commands.deeds import read_call
from commands.phrases.resolve import When
from commands.setting import Setting
from domain.brain import Brain
from domain.ports import ToolCall
from tests.unit.commands.phrase_tables import ENGLISH, NOT_UNDERSTOOD
from workers.understanding import dates
from workers.understanding.dates import LANGUAGES, read_elsewhere, resolve, with_dates

pytestmark = pytest.mark.anyio

NOW = datetime(2025, 11, 19, 10, 0)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's languages are loaded by the first test that needs them, however slow the machine is."""
    monkeypatch.setattr(dates, "DEADLINE_SECONDS", 60.0)


def setting(*, is_month_first: bool = True) -> Setting:
    return Setting(brain=Brain(), message_id="m_1", now=NOW, ref=lambda kind, text: text, is_month_first=is_month_first)


@pytest.mark.parametrize(
    ("phrase", "due"),
    [
        ("tomorrow at 5", "2025-11-20T17:00"),
        ("demain", "2025-11-20"),
        ("demain à 17h", "2025-11-20T17:00"),
        ("le 24 décembre", "2025-12-24"),
        ("dans 3 semaines", "2025-12-10"),
        ("dans 20 minutes", "2025-11-19T10:20"),
        ("vendredi", "2025-11-21"),
        ("mañana a las 17:00", "2025-11-20T17:00"),
        ("5 de mayo", "2026-05-05"),
        ("zondag", "2025-11-23"),
        ("2026-12-24T16:00Z", "2026-12-24T16:00"),
        ("Dec 24 2025 4pm EST", "2025-12-24T21:00"),
    ],
)
async def test_what_the_grammar_does_not_know_is_read_elsewhere(phrase: str, due: str) -> None:
    assert await resolve(phrase, setting()) == When(due)


@pytest.mark.parametrize(
    "phrase",
    [
        *NOT_UNDERSTOOD,
        "mañana a las 5",  # dateparser skips the hour
        "en mayo",  # it makes the day up
        "5 mayo 0999 17:00",  # and such years are no dates of ours
        "5 mayo 9999 17:00",
        "chaque lundi",  # it does not know what repeats
        "cada lunes",
        "when the moon is full",
        "sometime next week",
        "twice a week",
        "x",
        "Q3",
    ],
)
async def test_a_guess_is_not_believed(phrase: str) -> None:
    assert await resolve(phrase, setting()) is None


async def test_the_users_own_language_is_asked_first() -> None:
    assert await resolve("pojutrze", setting()) is None
    assert await resolve("pojutrze", setting(), "pl-PL") == When("2025-11-21")
    assert await resolve("demain", setting(), "xx") == When("2025-11-20")


async def test_what_lies_in_the_past_says_so() -> None:
    assert await resolve("24 décembre 2024", setting()) == When("2024-12-24", note="past")


async def test_a_call_is_given_what_was_read_of_its_phrase() -> None:
    call = ToolCall("c", "create_task", '{"title": "appeler Jean", "due_text": " demain à  17h "}')
    proposal = read_call(call, await with_dates(call, setting(), "fr"))
    assert proposal.payload == {"title": "appeler Jean", "due": "2025-11-20T17:00"}


@pytest.mark.parametrize("arguments", ['{"title": "x"}', '{"title": "x", "due_text": "soonish"}', "no JSON"])
async def test_a_call_without_a_date_is_left_as_it_is(arguments: str) -> None:
    before = setting()
    assert await with_dates(ToolCall("c", "create_task", arguments), before, None) is before


async def test_a_reader_that_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(dates, "read_elsewhere", lambda *arguments: go_on.wait(30))
    monkeypatch.setattr(dates, "DEADLINE_SECONDS", 0.01)
    try:
        assert await resolve("demain", setting()) is None
    finally:
        go_on.set()


async def test_a_reader_that_breaks_costs_a_date_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RecursionError

    monkeypatch.setattr(dates, "read_elsewhere", broken)
    assert await resolve("demain", setting()) is None


@given(st.text(max_size=60), st.sampled_from(["demain {}", "le {} mai", "{} heures", "{}"]))
@settings(max_examples=60, deadline=None)
def test_no_text_makes_the_reader_guess_a_day_that_depends_on_the_hour(text: str, around: str) -> None:
    phrase = around.format(text)[:100]
    morning = read_elsewhere(phrase, NOW, "UTC", True, LANGUAGES)
    evening = read_elsewhere(phrase, NOW.replace(hour=19, minute=43), "UTC", True, LANGUAGES)
    if morning is not None and evening is not None and len(morning.due) == 10:
        assert evening.due[:10] >= morning.due


def test_the_library_is_not_loaded_for_what_the_grammar_knows() -> None:
    code = """
import asyncio, sys
from datetime import datetime
from commands.setting import Setting
from domain.brain import Brain
from workers.understanding.dates import resolve
setting = Setting(brain=Brain(), message_id="m", now=datetime(2025, 11, 19, 10), ref=lambda kind, text: text)
for phrase in sys.argv[1:]:
    assert asyncio.run(resolve(phrase, setting)) is not None
assert "dateparser" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, *ENGLISH], check=True, timeout=60)
