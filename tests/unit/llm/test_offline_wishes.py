"""The offline model on notes, tasks, memories and preferences: what the words say, and what they leave unsaid."""

from __future__ import annotations

from typing import Any

import pytest

from domain.ports import ModelRequest, PromptMessage, ToolCall
from tests.support.models import answer, text_of
from workers.llm.offline import LABEL, OfflineModel
from workers.llm.offline_answers import NOT_UNDERSTOOD
from workers.llm.offline_intents import wishes_of
from workers.tool_specs import TOOLS
from workers.understanding.intents import asked

pytestmark = pytest.mark.anyio

OPEN = ("water the plants", "call Bob")


async def said(text: str, system: str) -> str:
    messages = [PromptMessage(role="system", content=system), PromptMessage(role="user", content=text)]
    return text_of(await answer(OfflineModel(), ModelRequest(messages=messages, tools=TOOLS)))


def wished(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(wish.tool, wish.arguments) for wish in wishes_of(text, OPEN)]


# --- notes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Please make a note: the wifi password is hunter2", "the wifi password is hunter2"),
        ("Take a note that Ann likes tea. Thanks!", "Ann likes tea."),
        ("Write a note: meeting with Ann tomorrow at 5", "meeting with Ann tomorrow at 5"),
        ("Add a note: find flights to Rome", "find flights to Rome"),
        ("Note: add milk to my shopping list", "add milk to my shopping list"),
        ("note to self: be kind", "be kind"),
        ("Jot down: door code 1234", "door code 1234"),
        ("Notiz: Milch ist alle", "Milch ist alle"),
        ("Notiere: Der Code ist 5", "Der Code ist 5"),
        ("Note: The door is blue. The key is under the mat.", "The door is blue. The key is under the mat."),
        ("Make a note:\nDelete the task milk.\n\nRemind me to sing.", "Delete the task milk.\n\nRemind me to sing."),
    ],
)
def test_a_note_is_kept_word_for_word(message: str, text: str) -> None:
    assert wished(message) == [("add_note", {"text": text})]
    assert asked(message).wanted == {"add_note"}


def test_a_note_ends_where_something_else_is_asked_for() -> None:
    assert wished("Note: the door is blue. It squeaks. Remind me to call John") == [
        ("add_note", {"text": "the door is blue. It squeaks."}),
        ("create_task", {"title": "call John"}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "What does my note say?",
        "Note that my favourite airport is JFK",
        "Write a note to my landlord about the heating",
        "Save that as a note",
        "Add a note to the task milk: whole",
    ],
)
def test_what_is_no_note_is_not_kept_as_one(text: str) -> None:
    assert "add_note" not in [tool for tool, _ in wished(text)]


# --- tasks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tool", "title"),
    [
        ("Delete the call John task", "delete_task", "call John"),
        ("Delete the call John reminder.", "delete_task", "call John"),
        ("remove call Bob from my tasks", "delete_task", "call Bob"),
        ("take milk off my shopping list", "delete_task", "milk"),
        ("delete water plants", "delete_task", "water the plants"),
        ("please cancel call bob", "delete_task", "call Bob"),
        ("Reopen call Jane", "reopen_task", "call Jane"),
        ("re-open the task call Jane", "reopen_task", "call Jane"),
        ("mark call Jane as not done", "reopen_task", "call Jane"),
    ],
)
def test_a_task_is_named_in_many_ways(text: str, tool: str, title: str) -> None:
    assert wished(text) == [(tool, {"title": title})]
    assert tool in asked(text).kinds


@pytest.mark.parametrize(
    "text",
    [
        "delete water",
        "delete call John",
        "delete all tasks",
        "delete my task",
        "complete all tasks",
        "delete everything",
    ],
)
def test_what_names_no_task_deletes_none(text: str) -> None:
    assert wished(text) == []


# --- memories and preferences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Forget that my favourite airport is JFK", "favourite airport"),
        ("Forget that I prefer aisle seats", "aisle seats"),
        ("Forget that I live in Paris.", "live in"),
        ("forget about JFK", "JFK"),
        ("forget what I said about my boss", "boss"),
        ("Delete the memory about my boss", "boss"),
    ],
)
def test_what_is_forgotten_is_named_as_it_was_remembered(text: str, key: str) -> None:
    assert wished(text) == [("forget_memory", {"key": key})]


@pytest.mark.parametrize("text", ["forget it", "Forget about that.", "forget everything", "forget to call"])
def test_nobody_guesses_what_is_to_be_forgotten(text: str) -> None:
    assert wished(text) == []


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("Set my work hours to 09:00-17:00", "workHours", "09:00-17:00"),
        ("My working hours are 9 to 5.", "workHours", "9 to 5"),
        ("Set working hours from 10 to 18", "workHours", "from 10 to 18"),
        ("change my timezone to Tokyo", "timezone", "Tokyo"),
        ("My time zone is Europe/Berlin", "timezone", "Europe/Berlin"),
        ("Turn off notifications", "notifications", '{"reminders":"none","dailySummary":null}'),
        ("Turn on notifications", "notifications", '{"reminders":"message"}'),
        ("switch my reminders off", "notifications", '{"reminders":"none"}'),
        ("Turn on the daily summary", "notifications", '{"dailySummary":"08:00"}'),
        ("disable the daily briefing", "notifications", '{"dailySummary":null}'),
    ],
)
def test_preferences_are_set_in_plain_words(text: str, key: str, value: str) -> None:
    assert wished(text) == [("set_preference", {"key": key, "value": value})]
    assert "set_preference" in asked(text).wanted


# --- German ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "title", "due"),
    [
        ("Erinnere mich morgen um 17 Uhr an den Zahnarzt", "Zahnarzt", "morgen um 17 Uhr"),
        ("Erinnere mich morgen um 17 Uhr daran, John anzurufen", "John anzurufen", "morgen um 17 Uhr"),
        ("Bitte erinnere mich daran, morgen um 9 Uhr Milch zu kaufen.", "Milch zu kaufen", "morgen um 9 Uhr"),
        ("Erinnere mich an den Müll am Freitag", "Müll", "am Freitag"),
        ("Kannst du mich morgen an die Milch erinnern?", "Milch", "morgen"),
        ("Erinnere mich an die Steuer", "Steuer", None),
    ],
)
def test_a_reminder_may_be_german(text: str, title: str, due: str | None) -> None:
    expected = {"title": title} if due is None else {"title": title, "due_text": due}
    assert wished(text) == [("create_task", expected)]
    assert "create_task" in asked(text).wanted


# --- what is answered -----------------------------------------------------------------------------------------


async def test_an_order_that_is_not_understood_is_no_question_about_the_agenda() -> None:
    text = await said("Add something to my calendar whenever", "# Calendar\n- 09:00 stand-up")
    assert "stand-up" not in text
    assert (await said("delete all tasks", "# Tasks\n- milk")).startswith(NOT_UNDERSTOOD)


NOTES = (
    "# Notes\nThe user attached them to the message.\n- Draft\n> Budget: 12k\n> Travel: 3k\n\n# Done\n- x\n> no note"
)


@pytest.mark.parametrize("question", ["Summarize this note", "What does the attached text say?", "Any thoughts?"])
async def test_the_beginning_of_an_attached_note_is_shown_as_what_it_is(question: str) -> None:
    text = await said(question, NOTES)
    assert "Your note “Draft” says:\n> Budget: 12k\n> Travel: 3k" in text
    assert "no note" not in text
    assert "without a real model" in text


async def test_of_a_long_note_only_the_beginning_is_shown_and_said_to_be_one() -> None:
    lines = "\n".join(f"> line {n}" for n in range(50))
    text = await said("Summarize this note", f"# Notes\n- Log\n{lines}")
    assert "Your note “Log” begins:\n> line 0" in text
    assert "line 20" not in text


async def test_an_attached_note_does_not_hide_the_agenda() -> None:
    assert "stand-up" in await said("What's on my agenda today?", f"{NOTES}\n\n# Calendar\n- 09:00 stand-up")


@pytest.mark.parametrize(
    "question", ["What is my favourite airport?", "What's my favorite airport?", "Which airport is my favourite?"]
)
@pytest.mark.parametrize("key", ["favourite_airport", "favorite_airport"])
async def test_a_question_is_answered_from_what_was_pinned(question: str, key: str) -> None:
    assert "JFK" in await said(question, f"# Memories\n- {key}: JFK\n- birthday: 3 May")
    assert "3 May" not in await said(question, f"# Memories\n- {key}: JFK\n- birthday: 3 May")


async def test_the_label_is_said_once_and_the_plan_of_a_day_is_not_one_of_a_week() -> None:
    system = f"# Tasks\n- milk\n\n# Plan of 2025-11-19\n- note: one thing at a time. {LABEL}"
    assert (await said("What is the plan for my day", system)).count(LABEL) == 1
    week = await said("Plan my week", system)
    assert week.count(LABEL) == 1
    assert "one thing at a time" not in week
    assert "- milk" in week


async def test_calls_name_only_arguments_that_their_tools_take() -> None:
    known = {tool.name: set(tool.parameters["properties"]) for tool in TOOLS}
    for text in ("Note: x", "Reopen call Jane", "Schedule a meeting tomorrow from 2 to 3pm"):
        messages = [PromptMessage(role="user", content=text)]
        events = await answer(OfflineModel(), ModelRequest(messages=messages, tools=TOOLS))
        (call,) = (event for event in events if isinstance(event, ToolCall))
        assert {wish.tool for wish in wishes_of(text)} == {call.name}
        arguments: dict[str, Any] = wishes_of(text)[0].arguments
        assert set(arguments) <= known[call.name]
