"""The offline model on the calendar, flights and plans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.ports import ModelRequest, PromptMessage
from tests.support.models import answer, asked
from workers.llm.offline import LABEL, OfflineModel
from workers.llm.offline_intents import wishes_of
from workers.tool_specs import TOOLS
from workers.turns.plan import PLAN_SCHEMA, plan_from
from workers.understanding.flight_words import WHEN_OUT, WHERE_FROM, WHERE_TO, flight_arguments, spoken

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("text", "tool", "arguments"),
    [
        (
            "Add dinner with Ada tomorrow at 7 pm to my calendar",
            "create_event",
            {"title": "dinner with Ada", "start_text": "tomorrow at 7 pm"},
        ),
        ("Schedule a meeting with Bob on Friday at 10", "create_event", {"title": "meeting with Bob"}),
        ("Please move my 3 pm meeting to 4", "update_event", {"event": "3 pm meeting", "start_text": "4"}),
        ("Move my dentist appointment to Friday", "update_event", {"event": "dentist appointment"}),
        ("Cancel my 3 pm meeting", "delete_event", {"event": "3 pm meeting"}),
        ("Book the first one", "select_flight", {"which": "Book the first one"}),
        ("Move call John to Friday", "update_task", {"title": "call John", "due_text": "Friday"}),
        ("Cancel the task milk", "delete_task", {"title": "milk"}),
    ],
)
def test_a_sentence_asks_for_its_tool(text: str, tool: str, arguments: dict[str, str]) -> None:
    (wish,) = wishes_of(text)
    assert wish.tool == tool
    assert {name: wish.arguments.get(name) for name in arguments} == arguments


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("Find me flights to Boston next week", {"destination": "Boston", "departure_text": "next week"}),
        ("Find flights to Paris", {"destination": "Paris"}),
        (
            "Find flights from JFK to London on Friday returning on Sunday",
            {"origin": "JFK", "destination": "London", "departure_text": "on Friday", "return_text": "Sunday"},
        ),
        ("I want to fly to Rome tomorrow in business class", {"destination": "Rome", "cabin": "business"}),
        ("Non-stop flights from New York to San Francisco for two", {"stops_max": "0", "passengers": "2"}),
        ("Boston flights next week please", {"destination": "Boston"}),
        ("Find flights", {}),
    ],
)
def test_a_flight_is_read_from_the_words(text: str, arguments: dict[str, str]) -> None:
    found = flight_arguments(text)
    assert {name: found.get(name) for name in arguments} == arguments
    assert arguments or not found


def test_answers_to_our_questions_are_read_with_what_was_asked_before() -> None:
    talk = [("user", "Find flights"), ("assistant", WHERE_TO), ("user", "Boston")]
    assert spoken(talk) == "Find flights, to Boston"
    talk += [("assistant", WHERE_FROM), ("user", "JFK"), ("assistant", f"{WHEN_OUT} {LABEL}"), ("user", "next week")]
    said = {"destination": "Boston", "origin": "JFK", "departure_text": "next week"}
    assert flight_arguments(spoken(talk)) == said


def test_what_answers_no_question_stands_alone() -> None:
    assert spoken([("user", "Hi"), ("assistant", "Hello"), ("user", "JFK")]) == "JFK"
    assert spoken([("assistant", WHERE_TO), ("user", "JFK")]) == "JFK"


async def test_a_plan_is_made_of_the_sections_and_says_who_made_it() -> None:
    system = "# Tasks\n- Read\n- Pay rent (due 2025-11-20, high priority)\n\n# Calendar\n- 09:00 stand-up"
    messages = [PromptMessage(role="system", content=system), PromptMessage(role="user", content="Plan my day")]
    text = (await OfflineModel().complete_json(ModelRequest(messages=messages), PLAN_SCHEMA)).text
    plan = plan_from(text)
    assert plan is not None
    assert plan.priorities == ("Pay rent", "Read")
    assert LABEL in plan.notes[0]


async def test_every_tool_that_it_calls_takes_its_arguments() -> None:
    known = {tool.name: set(tool.parameters["properties"]) for tool in TOOLS}
    for text in ("Find flights from JFK to Rome tomorrow for two", "Cancel my 3 pm meeting", "Book the first one"):
        calls: list[Any] = [
            event for event in await answer(OfflineModel(), asked(text, *TOOLS)) if hasattr(event, "name")
        ]
        (call,) = calls
        assert set(json.loads(call.arguments)) <= known[call.name]
