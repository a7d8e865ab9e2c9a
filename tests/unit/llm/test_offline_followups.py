"""The offline model on messages that speak of what was asked for before: "it", "undo", a time alone."""

from __future__ import annotations

import pytest

from workers.llm.offline.followups import wishes_in
from workers.understanding.grounding import points_back
from workers.understanding.intents import asked

TASKS = ("call John", "buy milk")
REMIND = "Remind me to call John tomorrow at 5"
LUNCH = "Schedule lunch with Bob tomorrow at noon"


def wished(*turns: str) -> list[tuple[str, dict[str, str]]]:
    return [(wish.tool, wish.arguments) for wish in wishes_in(turns, TASKS)]


@pytest.mark.parametrize(
    ("text", "tool", "more"),
    [
        ("make it 6 instead", "update_task", {"due_text": "at 6"}),
        ("Move it to Friday", "update_task", {"due_text": "Friday"}),
        ("no, at 6pm", "update_task", {"due_text": "at 6pm"}),
        ("Friday at 3, please", "update_task", {"due_text": "Friday at 3"}),
        ("push it back by an hour", "update_task", {"due_text": "by an hour"}),
        ("rename it to call Jane", "update_task", {"new_title": "call Jane"}),
        ("actually, delete it", "delete_task", {}),
        ("undo that", "delete_task", {}),
        ("mark it as done", "complete_task", {}),
        ("It's done", "complete_task", {}),
        ("reopen it", "reopen_task", {}),
        ("make it high priority", "update_task", {"priority": "high"}),
    ],
)
def test_it_is_the_task_that_was_asked_for_just_now(text: str, tool: str, more: dict[str, str]) -> None:
    assert wished(REMIND, text) == [(tool, {"title": "call John", **more})]
    assert tool in asked(text).kinds
    assert points_back(text)


@pytest.mark.parametrize(
    ("text", "tool", "more"),
    [
        ("move it to 1pm", "update_event", {"start_text": "1pm"}),
        ("Make it Friday instead", "update_event", {"start_text": "Friday"}),
        ("cancel that", "delete_event", {}),
        ("undo", "delete_event", {}),
    ],
)
def test_it_may_be_an_event(text: str, tool: str, more: dict[str, str]) -> None:
    ((called, arguments),) = wished(LUNCH, text)
    assert called == tool
    assert {**more, "event": "lunch with Bob"} == arguments
    assert tool in asked(text).kinds


def test_an_event_without_a_time_is_made_once_the_time_is_said() -> None:
    assert wished("Schedule a meeting with Ann", "tomorrow at 3") == [
        ("create_event", {"title": "meeting with Ann", "start_text": "tomorrow at 3"})
    ]


def test_what_was_remembered_is_corrected_and_forgotten() -> None:
    pinned = "Remember that my favourite colour is blue"
    ((tool, arguments),) = wished(pinned, "actually it's green")
    assert (tool, arguments["key"], arguments["value"]) == ("pin_memory", "favourite colour", "green")
    assert wished(pinned, "forget that") == [("forget_memory", {"key": "favourite colour"})]
    assert wished(pinned, "undo") == [("forget_memory", {"key": "favourite colour"})]


def test_follow_ups_go_on_from_each_other() -> None:
    assert wished(REMIND, "rename it to call Jane", "move it to Friday") == [
        ("update_task", {"title": "call Jane", "due_text": "Friday"})
    ]


def test_a_time_alone_answers_only_what_was_said_just_now() -> None:
    assert wished(REMIND, "What's on my agenda today?", "tomorrow") == []
    assert wished(REMIND, "hello", "delete it") == [("delete_task", {"title": "call John"})]
    assert wished(REMIND, *["hello"] * 4, "delete it") == []


@pytest.mark.parametrize("text", ["move it to Friday", "undo that", "tomorrow at 3", "delete it", "it's green"])
def test_without_anything_before_nothing_is_meant(text: str) -> None:
    assert "call John" not in str(wished(text))
    assert all(tool != "delete_task" for tool, _ in wished(text))


def test_what_cannot_be_taken_back_is_not() -> None:
    assert wished(REMIND, "never mind") == []
    assert wished("Delete the task call John", "undo that") == []
    assert wished("Move call John to Friday", "undo that") == []
    assert wished("Mark call John as done", "undo that") == [("reopen_task", {"title": "call John"})]


@pytest.mark.parametrize("text", ["forget that", "don't remember that", "no, don't remember that", "Do not keep it"])
@pytest.mark.parametrize(
    ("told", "key"),
    [("I live in Brooklyn", "live in"), ("I prefer aisle seats", "aisle seats"), ("Call me Sam", "name")],
)
def test_what_was_remembered_unasked_is_forgotten_on_a_word(told: str, key: str, text: str) -> None:
    assert wished(told, text) == [("forget_memory", {"key": key})]
    assert "forget_memory" in asked(text).kinds
    assert "pin_memory" not in asked(text).wanted


def test_a_note_is_taken_back_and_one_that_is_gone_is_not() -> None:
    assert wished("Note: be kind", "undo") == [("delete_note", {"note": "be kind"})]
    assert wished("Note: be kind", "delete the note") == [("delete_note", {"note": "be kind"})]
    assert wished("Delete the note about kindness", "undo") == []


def test_what_was_too_often_is_made_once_its_hours_or_days_are_said() -> None:
    assert wished("Remind me twice a day to stretch", "at 9am and 6pm") == [
        ("create_task", {"title": "stretch", "due_text": "every day at 9am and 6pm"})
    ]
    assert wished("Remind me twice a week to call mom", "every Sunday and Wednesday") == [
        ("create_task", {"title": "call mom", "due_text": "every Sunday and Wednesday"})
    ]


def test_a_reminder_of_it_names_what_it_is() -> None:
    assert wished(LUNCH, "remind me of it tomorrow at 11") == [
        ("create_task", {"title": "lunch with Bob", "due_text": "tomorrow at 11"})
    ]
    assert wished(LUNCH, "remind me of that an hour before") == []


def test_what_is_called_off_is_not_renamed() -> None:
    assert wished(LUNCH, "call it off") == [("delete_event", {"event": "lunch with Bob"})]
    assert "delete_event" in asked("call it off").kinds
    assert wished(REMIND, "let's call it a day") == wished(REMIND, "call it a day") == []


@pytest.mark.parametrize("text", ["No, that's wrong", "no, it's not", "Sorry, that is right"])
def test_what_is_said_of_an_answer_is_not_remembered_in_its_place(text: str) -> None:
    assert wished("Remember that my favourite airport is JFK", text) == []
    assert wished("Remember that my favourite airport is JFK", "No, it's LAX")[0][1]["value"] == "LAX"


@pytest.mark.parametrize("value", ["Nice", "Good Omens", "true crime", "right-handed", "all-natural", "OK Airlines"])
def test_a_value_may_begin_like_a_word_about_an_answer(value: str) -> None:
    assert wished("Remember that my favourite thing is jazz", f"No, it's {value}")[0][1]["value"] == value


def test_a_new_name_may_begin_with_a_day() -> None:
    assert wished(REMIND, "call it a day trip")[0][1]["new_title"] == "a day trip"
