"""What the model asks for, checked: what holds becomes a deed, what does not becomes a sentence."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.arguments import ARGUMENTS, NotUnderstood, read_arguments
from commands.deeds import phrases_of, read_call
from commands.json_text import first_value
from commands.memory import ForgetMemory, PinMemory
from commands.notes import AddNote
from commands.phrases.resolve import When
from commands.preferences import SetPreference
from commands.setting import Proposal, Setting
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from domain.brain import Brain, MemoryState, PreferenceState, TaskState
from domain.ports import ToolCall
from domain.values import Memory, Task
from workers.tool_specs import TOOLS

NOW = datetime(2025, 11, 19, 10, 0)  # a Wednesday


def brain() -> Brain:
    def task(title: str, version: int, **more: Any) -> TaskState:
        return TaskState(task=Task(title=title, **more), created_from=None, created_at_ms=0, version=version)

    return Brain(
        tasks={
            "t1": task("Call John", 1),
            "t2": task("Call Mary", 2),
            "t3": task("Pay rent", 3, due_at_ms=2_000),
            "t4": task("Pay rent", 4, due_at_ms=1_000),
            "t5": task("Old thing", 5, status="done"),
            "t6": task("Made abroad", 6, timezone="Asia/Tokyo"),
        },
        memories={
            "mem1": MemoryState(
                memory=Memory(type="preference", key="favourite_airport", value="JFK"), pinned_at_ms=0, version=1
            )
        },
    )


def read(name: str, arguments: str) -> Proposal:
    setting = Setting(brain=brain(), message_id="m_1", now=NOW, ref=lambda kind, text: f"ref of {text}")
    return read_call(ToolCall("c", name, arguments), setting)


def refused(name: str, arguments: str) -> str:
    with pytest.raises(NotUnderstood) as caught:
        read(name, arguments)
    return caught.value.sentence


def test_every_tool_that_is_offered_can_be_read_and_names_the_same_arguments() -> None:
    assert {tool.name for tool in TOOLS} == set(ARGUMENTS)
    for tool in TOOLS:
        fields = ARGUMENTS[tool.name].__struct_fields__
        assert set(tool.parameters["properties"]) == set(fields)
        for described in tool.parameters["properties"].values():
            assert described["type"] == "string"
            assert described["description"]


def test_a_task_is_made_with_its_date_worked_out_in_the_users_time() -> None:
    proposal = read("create_task", '{"title": "call\\nJohn", "due_text": "tomorrow at 5", "priority": "high"}')
    task = Task(title="call John", due="2025-11-20T17:00", priority="high")
    assert proposal.deed == CreateTask(task=task, created_from="m_1")
    assert proposal.payload == {"title": "call John", "due": "2025-11-20T17:00", "priority": "high"}


def test_a_time_that_is_not_understood_stays_with_the_task() -> None:
    proposal = read("create_task", '{"title": "call John", "due_text": "when the moon is full", "notes": "He knows."}')
    assert isinstance(proposal.deed, CreateTask)
    assert proposal.deed.task.due is None
    assert proposal.deed.task.notes == "When: when the moon is full\nHe knows."
    assert proposal.payload["dueText"] == "when the moon is full"


def test_what_repeats_is_made_with_its_rule_and_its_first_due() -> None:
    proposal = read("create_task", '{"title": "stand-up", "due_text": "every weekday at 9:30"}')
    rule = "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"
    task = Task(title="stand-up", due="2025-11-20T09:30", recurrence=rule)
    assert proposal.deed == CreateTask(task=task, created_from="m_1")
    assert proposal.payload == {"title": "stand-up", "due": "2025-11-20T09:30", "recurrence": rule}


def test_a_task_that_is_moved_to_what_repeats_repeats_from_then_on() -> None:
    proposal = read("update_task", '{"title": "Call Mary", "due_text": "every Monday"}')
    patch = {"due": "2025-11-24", "recurrence": "FREQ=WEEKLY;BYDAY=MO"}
    assert proposal.deed == UpdateTask(task_id="t2", patch=patch)
    assert proposal.payload == {"taskId": "t2", "title": "Call Mary", "changes": patch}


@pytest.mark.parametrize(
    ("phrase", "due"),
    [
        ("Friday", "2025-11-21T17:00"),
        ("at 6", "2025-11-20T18:00"),
        ("by a day", "2025-11-21T17:00"),
        ("today at 11", "2025-11-19T11:00"),
    ],
)
def test_a_task_that_is_moved_keeps_what_was_not_said(phrase: str, due: str) -> None:
    assert moved_due("2025-11-20T17:00", phrase) == due


def test_a_task_that_is_overdue_is_moved_to_an_hour_ahead() -> None:
    assert moved_due("2025-11-17T17:00", "6pm") == "2025-11-19T18:00"


def moved_due(due: str, phrase: str) -> object:
    at_ms = int(datetime.fromisoformat(due).replace(tzinfo=UTC).timestamp() * 1000)
    state = TaskState(task=Task(title="Sing", due=due, due_at_ms=at_ms), created_from=None, created_at_ms=0, version=1)
    setting = Setting(brain=Brain(tasks={"t": state}), message_id="m_1", now=NOW, ref=lambda kind, text: text)
    arguments = json.dumps({"title": "Sing", "due_text": phrase})
    proposal = read_call(ToolCall("c", "update_task", arguments), setting)
    assert isinstance(proposal.deed, UpdateTask)
    return proposal.deed.patch["due"]


@pytest.mark.parametrize("name", ["create_task", "update_task"])
def test_a_due_in_the_past_is_marked_on_the_card(name: str) -> None:
    proposal = read(name, '{"title": "Call Mary", "due_text": "today at 9am"}')
    assert proposal.payload["dueNote"] == "past"


@pytest.mark.parametrize(
    ("language", "preferences", "due"),
    [
        (None, {}, "2026-03-12"),
        ("en-US", {}, "2026-03-12"),
        ("en-GB", {}, "2025-12-03"),
        ("de", {}, "2025-12-03"),
        (None, {"locale": "en-GB"}, "2025-12-03"),
        (None, {"language": "fr"}, "2025-12-03"),
        ("en-US", {"locale": "en-GB"}, "2026-03-12"),
        (None, {"locale": {"not": "a tag"}}, "2026-03-12"),
    ],
)
def test_numeric_dates_are_read_by_the_users_language(
    language: str | None, preferences: dict[str, Any], due: str
) -> None:
    known = {key: PreferenceState(key=key, value=value, version=1) for key, value in preferences.items()}
    now_ms = int(NOW.replace(tzinfo=UTC).timestamp() * 1000)
    setting = Setting.at(now_ms, Brain(preferences=known), "m_1", lambda kind, text: text, language)
    call = ToolCall("c", "create_task", '{"title": "x", "due_text": "3/12"}')
    assert read_call(call, setting).payload["due"] == due


def test_a_phrase_that_was_read_already_is_not_read_again() -> None:
    call = ToolCall("c", "create_task", '{"title": "x", "due_text": " demain  à 5"}')
    assert phrases_of(call) == ("demain à 5",)
    setting = Setting(
        brain=Brain(),
        message_id="m_1",
        now=NOW,
        ref=lambda kind, text: text,
        whens={"demain à 5": When("2025-11-20T17:00")},
    )
    assert read_call(call, setting).payload == {"title": "x", "due": "2025-11-20T17:00"}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("create_task", '{"title": "x"}'),
        ("create_task", "?"),
        ("pin_memory", '{"key": "a", "value": "b"}'),
        ("?", "{}"),
    ],
)
def test_a_call_without_a_phrase_of_time_has_none(name: str, arguments: str) -> None:
    assert phrases_of(ToolCall("c", name, arguments)) == ()


def _update(task_id: str, **patch: str) -> UpdateTask:
    return UpdateTask(task_id=task_id, patch=patch)


@pytest.mark.parametrize(
    ("name", "arguments", "deed"),
    [
        ("complete_task", '{"title": "call john"}', CompleteTask(task_id="t1")),
        ("complete_task", '{"title": "John"}', CompleteTask(task_id="t1")),
        ("complete_task", '{"title": "the task to call John today"}', CompleteTask(task_id="t1")),
        ("complete_task", '{"title": "t2"}', CompleteTask(task_id="t2")),
        ("complete_task", '{"title": "Pay rent"}', CompleteTask(task_id="t4")),
        ("delete_task", '{"title": "Old thing"}', DeleteTask(task_id="t5")),
        ("reopen_task", '{"title": "old thing"}', ReopenTask(task_id="t5")),
        (
            "update_task",
            '{"title": "Call Mary", "new_title": "Write"}',
            UpdateTask(task_id="t2", patch={"title": "Write"}),
        ),
        (
            "update_task",
            '{"title": "Mary", "due_text": "noon"}',
            UpdateTask(task_id="t2", patch={"due": "2025-11-19T12:00"}),
        ),
        (
            "update_task",
            '{"title": "Made abroad", "due_text": "noon"}',
            _update("t6", due="2025-11-19T12:00", timezone="UTC"),
        ),
        ("forget_memory", '{"key": "favourite airport"}', ForgetMemory(memory_id="mem1")),
        ("forget_memory", '{"key": "Airport"}', ForgetMemory(memory_id="mem1")),
        ("forget_memory", '{"key": "JFK"}', ForgetMemory(memory_id="mem1")),
        ("forget_memory", '{"key": "my airport is JFK"}', ForgetMemory(memory_id="mem1")),
    ],
)
def test_what_is_meant_is_looked_up_here(name: str, arguments: str, deed: Any) -> None:
    assert read(name, arguments).deed == deed


def test_a_memory_replaces_what_is_known_under_its_key_whatever_its_type() -> None:
    deed = read("pin_memory", '{"key": "Favourite  airport", "value": "LHR", "type": "fact"}').deed
    assert deed == PinMemory(type="preference", key="favourite_airport", value="LHR", message_id="m_1")


def test_a_note_is_the_same_one_whoever_says_it_again_for_the_message() -> None:
    first = read("add_note", '{"text": " wifi: hunter2\\nroom 4 ", "title": "Office"}')
    ref = "ref of m_1 wifi: hunter2\nroom 4"
    assert first.deed == AddNote(note_id=ref, note_ref=f"ref of {ref}", text="wifi: hunter2\nroom 4", title="Office")
    assert first.payload == {"title": "Office", "text": "wifi: hunter2\nroom 4"}
    assert read("add_note", '{"text": "another"}').payload == {"text": "another"}


def test_a_time_zone_and_hours_of_work_are_understood_as_people_say_them() -> None:
    assert read("set_preference", '{"key": "timezone", "value": "Tokyo"}').payload["value"] == "Asia/Tokyo"
    assert read("set_preference", '{"key": "workHours", "value": "9 to 5"}').payload["value"] == "09:00-17:00"


def test_a_preference_is_kept_under_the_hash_of_its_key() -> None:
    deed = read("set_preference", '{"key": "timezone", "value": "Europe/Berlin"}').deed
    assert deed == SetPreference(key="timezone", preference_ref="ref of timezone", value="Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "arguments", "part"),
    [
        ("complete_task", '{"title": "call"}', "More than one task"),
        ("complete_task", '{"title": "Old thing"}', "I found no task"),
        ("delete_task", '{"title": "al"}', "I found no task"),
        ("reopen_task", '{"title": "Call John"}', "I found no done task"),
        ("add_note", '{"text": " \\u202e "}', "no text"),
        ("delete_task", '{"title": "t_of_somebody_else"}', "I found no task"),
        ("update_task", '{"title": "Call Mary"}', "what to change"),
        ("update_task", '{"title": "Call Mary", "due_text": "soonish"}', "soonish"),
        ("forget_memory", '{"key": "shoe size"}', "nothing about"),
        ("create_task", '{"title": " \\u202e "}', "no title"),
        ("launch_rocket", "{}", "does not exist"),
    ],
)
def test_what_cannot_be_done_is_said(name: str, arguments: str, part: str) -> None:
    assert part in refused(name, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "null",
        "[]",
        "no JSON at all",
        '{"title": ""}',
        '{"title": 7}',
        '{"title": "x", "userId": "u2"}',
        '{"title": "x", "priority": "urgent"}',
        '{"title": "' + "x" * 501 + '"}',
        '{"title": "x',
        '{"title": "x",',
        '{"title": "x", "due_text"',
        '{"title": "x", "priority": "hi',
        "{" * 100_000,
        '{"title": "\\ud800"}',
        "\ud800",
    ],
)
def test_arguments_that_do_not_hold_lead_to_nothing(arguments: str) -> None:
    assert "nothing was done" in refused("create_task", arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        '```json\n{"title": "x"}\n```',
        'Here you are: {"title": "x"} Enjoy!',
        '"{\\"title\\": \\"x\\"}"',
        '  {"title": "x"}\n',
        '{"title": "x"}{"title": "y"}',
        '{"title": "x"',
        '{"title": "x",}',
        '```json\n{"title": "x"',
    ],
)
def test_what_models_wrap_around_arguments_is_taken_off(arguments: str) -> None:
    assert read("create_task", arguments).payload == {"title": "x"}


@given(st.text(alphabet='{}"\\a:, ', max_size=60))
def test_the_first_object_is_balanced_and_found_in_one_pass(text: str) -> None:
    found = first_value(text, "{")
    assert found is None or (found in text and found[0] == "{" and found[-1] == "}")


@given(st.text(max_size=200), st.sampled_from(sorted(ARGUMENTS)))
def test_no_arguments_break_the_reader(arguments: str, name: str) -> None:
    with suppress(NotUnderstood):
        read_arguments(ToolCall("c", name, arguments))
