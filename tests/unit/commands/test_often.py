"""Phrases that say more than one reminder can: told apart where they name hours, else said to be so."""

from __future__ import annotations

import json

import pytest

from commands.each_hour import calls_for_each_hour
from commands.phrases.often import each_hour, too_often
from domain.ports import ToolCall


@pytest.mark.parametrize(
    ("phrase", "each"),
    [
        ("every day at 8am and 8pm", ("every day at 8 am", "every day at 8 pm")),
        ("at 8, 14 and 20 every day", ("at 08:00 every day", "at 14:00 every day", "at 20:00 every day")),
        ("at 9 and 5", ("at 9", "at 5")),
        ("every day at 8 and 10pm", ("every day at 8 pm", "every day at 10 pm")),
        ("jeden Tag um 8 und 20 Uhr", ("jeden Tag at 08:00", "jeden Tag at 20:00")),
        ("um 8 und um 20 Uhr", ("at 08:00", "at 20:00")),
        ("every day at noon and 6pm", ("every day at noon", "every day at 6 pm")),
        ("at 8:30 and 17:30", ("at 08:30", "at 17:30")),
        ("every day at 8pm and 22:00", ("every day at 8 pm", "every day at 22:00")),
    ],
)
def test_several_hours_are_as_many_phrases(phrase: str, each: tuple[str, ...]) -> None:
    assert each_hour(phrase) == each


@pytest.mark.parametrize(
    "phrase",
    [
        *("tomorrow at 5", "every Monday and Thursday at 18:00", "every 1st and 15th of the month", "from 2 to 3pm"),
        *(
            "between 9 and 10am",
            "on December 3 and 5",
            "3/12 and 4/12",
            "in 2 hours and 5 minutes",
            "",
            "zwischen 9 und 10",
        ),
    ],
)
def test_what_names_one_hour_or_none_stays_as_it_is(phrase: str) -> None:
    assert each_hour(phrase) == (phrase,)


@pytest.mark.parametrize(
    ("phrase", "named"),
    [
        *(
            (phrase, "hours")
            for phrase in ("every hour", "every 15 minutes", "twice a day", "3 times per day", "hourly")
        ),
        *((phrase, "hours") for phrase in ("zweimal am Tag", "jede Stunde", "alle 2 Stunden", "stündlich")),
        *((phrase, "days") for phrase in ("twice a week", "three times a month", "dreimal pro Woche")),
    ],
)
def test_what_is_too_often_is_told_what_to_name_instead(phrase: str, named: str) -> None:
    assert f"Name the {named}" in (too_often(phrase) or "")


@pytest.mark.parametrize(
    "phrase", ["every day", "once a day", "every other Friday", "in 2 hours", "weekly", "tomorrow"]
)
def test_what_one_rule_can_say_is_not_too_often(phrase: str) -> None:
    assert too_often(phrase) is None


def test_a_call_for_several_hours_is_as_many_calls() -> None:
    call = ToolCall("c", "create_task", '{"title": "pills", "due_text": "every day at 8am and 8pm"}')
    calls = calls_for_each_hour(call)
    assert [json.loads(each.arguments)["due_text"] for each in calls] == ["every day at 8 am", "every day at 8 pm"]
    assert len({each.call_id for each in calls}) == 2
    event = ToolCall("c", "create_event", '{"title": "stand-up", "start_text": "tomorrow at 9 and 5"}')
    assert len(calls_for_each_hour(event)) == 2


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create_task", '{"title": "x", "due_text": "tomorrow at 5"}'),
        ("complete_task", '{"title": "at 8 and 9"}'),
        ("create_task", "no JSON"),
    ],
)
def test_any_other_call_is_left_alone(name: str, arguments: str) -> None:
    call = ToolCall("c", name, arguments)
    assert calls_for_each_hour(call) == (call,)
