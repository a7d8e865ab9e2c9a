"""The offline model on the calendar, flights and plans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.ports import ModelRequest, PromptMessage
from tests.support.models import answer, asked
from workers.llm.offline.intents import wishes_of
from workers.llm.offline.model import LABEL, OfflineModel
from workers.tool_specs import TOOLS
from workers.turns.plan import PLAN_SCHEMA, plan_from
from workers.understanding.flight_words import WHEN_BACK, WHEN_OUT, WHERE_FROM, WHERE_TO, flight_arguments, spoken

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
        *(
            (text, "create_event", {"title": title, "start_text": start, "end_text": end})
            for text, title, start, end in (
                (
                    "Schedule a meeting with Ann tomorrow from 2 to 3pm",
                    "meeting with Ann",
                    "tomorrow at 2 pm",
                    "until 3pm",
                ),
                ("Schedule a meeting with Ann tomorrow 3-4pm", "meeting with Ann", "tomorrow at 3 pm", "until 4pm"),
                ("Create a meeting from 3pm to 5pm on Friday", "meeting", "on Friday at 3pm", "until 5pm"),
                ("Schedule a call with Bob on Monday 11 to 1pm", "call with Bob", "on Monday at 11 am", "until 1pm"),
                ("Book a meeting between 14:00 and 15:30 tomorrow", "meeting", "tomorrow at 14:00", "until 15:30"),
                ("Schedule lunch at noon for two hours", "lunch", "at noon", "for two hours"),
                ("Schedule dentist on Friday at 9:30 until 11", "dentist", "on Friday at 9:30", "until 11"),
                ("Add vacation from Monday to Friday to my calendar", "vacation", "Monday", "until Friday"),
                ("Put dinner on my calendar for Friday at 7pm", "dinner", "Friday at 7pm", None),
                ("Create an event: Dentist tomorrow at 10", "Dentist", "tomorrow at 10", None),
                ("Create a calendar event dentist tomorrow at 10am", "dentist", "tomorrow at 10am", None),
                ("Create an event tomorrow at 10", "event", "tomorrow at 10", None),
                (
                    "Schedule a dentist appointment for tomorrow at 10am",
                    "dentist appointment",
                    "tomorrow at 10am",
                    None,
                ),
                ("Add dentist appointment tomorrow at 10am", "dentist appointment", "tomorrow at 10am", None),
                ("Schedule a meeting tomorrow at 3pm with Ann", "meeting with Ann", "tomorrow at 3pm", None),
                ("Set up a meeting with 2 to 3 people at 4", "meeting with 2 to 3 people", "at 4", None),
                ("Schedule a meeting with Ann", "meeting with Ann", None, None),
                ("Schedule a call", "call", None, None),
                ("Schedule meeting tomorrow 9-10", "meeting", "tomorrow at 9", "until 10"),
                ("New appointment: dentist, Friday 3pm", "dentist", "Friday 3pm", None),
                ("Add the Friday report meeting to my calendar", "Friday report meeting", None, None),
            )
        ),
        (
            "Schedule a 30 minute meeting with Carl on Thursday at 11",
            "create_event",
            {"title": "meeting with Carl", "start_text": "on Thursday at 11", "end_text": "for 30 minute"},
        ),
        ("I have a dentist appointment on Friday at 3pm", "create_event", {"title": "dentist appointment"}),
        ("Dinner with Ada tomorrow at 7pm", "create_event", {"title": "Dinner with Ada"}),
        ("I'm meeting Tom tomorrow at 10am", "create_event", {"title": "meeting Tom"}),
        ("Create a meeting tomorrow 9:30 to 10:15 titled Review", "create_event", {"title": "Review"}),
        ("Create an event on 2025-12-24 all day: Christmas", "create_event", {"title": "Christmas"}),
        ("Schedule dentist", "create_event", {"title": "dentist"}),
        ("Push back my meeting with Bob by 30 minutes", "update_event", {"start_text": "by 30 minutes"}),
        ("Move the meeting with Bob to Friday at the same time", "update_event", {"start_text": "Friday"}),
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
    "text",
    [
        "Schedule a meeting with Ann tomorrow from 3pm til 4pm or so",
        "Add call John tomorrow at 5",
        "Schedule today",
        "schedule for today",
        "Schedule a meeting about items 9-10 tomorrow at 3",
        "Add lunch to my shopping list tomorrow",
    ],
)
def test_an_event_with_a_wrong_title_or_time_is_rather_not_made(text: str) -> None:
    assert "create_event" not in [wish.tool for wish in wishes_of(text)]


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
        ("flights to Boston yesterday", {"destination": "Boston", "departure_text": "yesterday"}),
        ("Find flights to Boston from New York last Friday", {"origin": "New York", "departure_text": "last Friday"}),
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
    talk = [
        ("user", "Flights to Rome on December 10 returning December 5"),
        ("assistant", WHEN_BACK),
        ("user", "the 14th"),
    ]
    said = {"destination": "Rome", "departure_text": "on December 10", "return_text": "the 14th"}
    assert flight_arguments(spoken(talk)) == said


def test_what_answers_no_question_stands_alone() -> None:
    assert spoken([("user", "Hi"), ("assistant", "Hello"), ("user", "JFK")]) == "JFK"
    assert spoken([("assistant", WHERE_TO), ("user", "JFK")]) == "JFK"


@pytest.mark.parametrize("question", [WHERE_TO, WHERE_FROM, WHEN_OUT, WHEN_BACK])
@pytest.mark.parametrize(
    "text",
    [
        *("What is the capital of France?", "actually, never mind", "Forget it", "no", "tell me a joke", "Thanks!"),
        "My boss was not amused by what I wrote and now I feel bad",
    ],
)
def test_what_does_not_answer_a_question_about_flights_stands_for_itself(question: str, text: str) -> None:
    assert spoken([("user", "Find flights"), ("assistant", question), ("user", text)]) == text


@pytest.mark.parametrize(
    "text", ["how about Boston?", "no, Boston", "well, I would like to go to Boston, if I may say so"]
)
def test_an_answer_to_a_question_about_flights_may_be_put_in_many_words(text: str) -> None:
    meant = spoken([("user", "Find flights"), ("assistant", WHERE_TO), ("user", text)])
    assert meant.startswith("Find flights, ")
    assert flight_arguments(meant)["destination"] == "Boston"


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


def test_what_somebody_has_got_is_an_event_and_what_got_lost_is_none() -> None:
    (wish,) = wishes_of("I've got a dentist appointment on Friday at 3")
    assert (wish.tool, wish.arguments["title"]) == ("create_event", "dentist appointment")
    assert wishes_of("Lunch with Ann tomorrow at noon got cancelled") == []


def test_a_saint_is_a_part_of_a_place() -> None:
    assert flight_arguments("Find flights to St. Louis tomorrow")["destination"] == "St. Louis"
    assert flight_arguments("Find flights to Boston. Thanks")["destination"] == "Boston"
