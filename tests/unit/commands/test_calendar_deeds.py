"""Which event somebody means, and what a call about the calendar comes to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from commands.actions import Deed
from commands.arguments import NotUnderstood
from commands.calendar import MoveOccurrence, RemoveCalendarEvent, SetCalendarEvent, move_occurrence
from commands.calendar_deeds import find_event
from commands.deeds import read_call
from commands.preferences import SetPreference
from commands.setting import Setting
from domain.ports import ToolCall
from tests.support.decider import Scenario, fold

ZONE = "Europe/Berlin"  # now is Wednesday 2025-11-19 11:00 there


def setting(*events: dict[str, Any]) -> Setting:
    scenario = Scenario().given(SetPreference(key="timezone", preference_ref="p", value=ZONE))
    scenario.given(*(SetCalendarEvent(fields=fields) for fields in events))
    now = datetime(2025, 11, 19, 11)
    return Setting(brain=scenario.brain, message_id="m_1", now=now, ref=lambda kind, text: f"{kind} {text}")


def at(title: str, start: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "start": start, **more}


def deed(name: str, given: Setting, **arguments: str) -> Deed:
    return read_call(ToolCall("c", name, json.dumps(arguments)), given).deed


BUDGET = at("Budget meeting", "2025-11-19T15:00", end="2025-11-19T15:30")
ADA = at("Lunch with Ada", "2025-11-20T12:30")
STANDUP = at("Stand-up", "2025-11-17T15:00", recurrence="FREQ=DAILY")


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("my 3 pm meeting", "Budget meeting"),
        ("3 pm", "Budget meeting"),
        ("meeting at 3", "Budget meeting"),
        ("the 15:00 meeting", "Budget meeting"),
        ("budget", "Budget meeting"),
        ("Ada", "Lunch with Ada"),
        ("tomorrow's lunch", "Lunch with Ada"),
        ("my lunch tomorrow at 12:30", "Lunch with Ada"),
        ("12:30 meeting tomorrow", "Lunch with Ada"),
        ("tomorrow's meeting at 12:30", "Lunch with Ada"),
    ],
)
def test_an_event_is_found_by_its_hour_its_day_or_its_title(words: str, title: str) -> None:
    assert find_event(words, setting(BUDGET, ADA)).entry.title == title


def test_of_a_series_the_next_one_is_meant() -> None:
    assert find_event("stand-up", setting(STANDUP)).original == "2025-11-19T15:00"
    assert find_event("stand-up on Friday", setting(STANDUP)).original == "2025-11-21T15:00"


@pytest.mark.parametrize("words", ["my 5 pm meeting", "dentist", "lunch on Friday"])
def test_what_is_not_there_is_said(words: str) -> None:
    with pytest.raises(NotUnderstood, match="nothing was changed"):
        find_event(words, setting(BUDGET, ADA))


def test_of_two_nobody_guesses() -> None:
    with pytest.raises(NotUnderstood, match="More than one"):
        find_event("my 3 pm meeting", setting(BUDGET, at("Board", "2025-11-19T15:00")))


@pytest.mark.parametrize(
    ("when", "start"),
    [
        ("4", "2025-11-19T16:00"),
        ("at 4", "2025-11-19T16:00"),
        ("16:30", "2025-11-19T16:30"),
        ("tomorrow", "2025-11-20T15:00"),
        ("Friday at 9", "2025-11-21T09:00"),
    ],
)
def test_an_hour_alone_keeps_the_day_and_a_day_alone_keeps_the_hour(when: str, start: str) -> None:
    given = setting(BUDGET)
    (calendar_id,) = given.brain.calendar
    moved = deed("update_event", given, event="3 pm meeting", start_text=when)
    assert moved == SetCalendarEvent(calendar_id=calendar_id, fields={"start": start})


@pytest.mark.parametrize(
    ("when", "start"), [("8", "20:00"), ("at 6:30", "18:30"), ("8 am", "08:00"), ("08:00", "08:00")]
)
def test_a_bare_hour_is_the_one_nearer_to_the_event(when: str, start: str) -> None:
    given = setting(at("Dinner", "2025-11-20T19:00"))
    moved = deed("update_event", given, event="my 7 pm dinner", start_text=when)
    assert isinstance(moved, SetCalendarEvent)
    assert moved.fields["start"] == f"2025-11-20T{start}"


def test_one_of_a_series_is_moved_or_cancelled_alone() -> None:
    given = setting(STANDUP)
    (calendar_id,) = given.brain.calendar
    moved = deed("update_event", given, event="stand-up", start_text="4")
    assert isinstance(moved, MoveOccurrence)
    assert (moved.original, moved.fields["start"], moved.fields["end"]) == (
        "2025-11-19T15:00",
        "2025-11-19T16:00",
        "2025-11-19T17:00",
    )
    gone = deed("delete_event", given, event="stand-up tomorrow")
    assert gone == SetCalendarEvent(calendar_id=calendar_id, fields={"excluded": ["2025-11-20T15:00"]})


def test_a_single_event_is_removed() -> None:
    given = setting(BUDGET)
    (calendar_id,) = given.brain.calendar
    assert deed("delete_event", given, event="budget") == RemoveCalendarEvent(calendar_id=calendar_id)


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"start_text": "tomorrow at 7 pm"}, {"start": "2025-11-20T19:00"}),
        ({"start_text": "tomorrow at 7 pm", "end_text": "until 9 pm"}, {"end": "2025-11-20T21:00"}),
        ({"start_text": "tomorrow at 7 pm", "end_text": "for 90 minutes"}, {"end": "2025-11-20T20:30"}),
        ({"start_text": "tomorrow at 7 pm", "end_text": "until 9"}, {"end": "2025-11-20T21:00"}),
        ({"start_text": "tomorrow at 10", "end_text": "2"}, {"end": "2025-11-20T14:00"}),
        ({"start_text": "tomorrow at 22:00", "end_text": "until 2 am"}, {"end": "2025-11-21T02:00"}),
        ({"start_text": "Monday", "end_text": "until Friday"}, {"start": "2025-11-24", "end": "2025-11-29"}),
        ({"start_text": "Monday", "end_text": "for 2 days"}, {"start": "2025-11-24", "end": "2025-11-26"}),
        ({"start_text": "on Friday"}, {"start": "2025-11-21"}),
        ({"start_text": "every Monday at 9"}, {"start": "2025-11-24T09:00", "recurrence": "FREQ=WEEKLY;BYDAY=MO"}),
        ({"start_text": "2026-03-29 at 02:30"}, {"start": "2026-03-29T03:30"}),
    ],
)
def test_an_event_is_made_with_its_time_worked_out(arguments: dict[str, str], fields: dict[str, str]) -> None:
    made = deed("create_event", setting(), title="dinner with Ada", **arguments)
    assert isinstance(made, SetCalendarEvent)
    assert {name: made.fields.get(name) for name in fields} == fields


def test_an_end_that_nobody_understands_is_told() -> None:
    arguments = {"title": "dinner", "start_text": "tomorrow at 7 pm", "end_text": "until the moon is full"}
    payload = read_call(ToolCall("c", "create_event", json.dumps(arguments)), setting()).payload
    assert (payload["endText"], "end" in payload) == ("until the moon is full", False)


def test_an_event_without_a_time_is_asked_about() -> None:
    with pytest.raises(NotUnderstood, match="When does it begin"):
        deed("create_event", setting(), title="dinner")
    with pytest.raises(NotUnderstood, match="When does it begin"):
        deed("create_event", setting(), title="dinner", start_text="when the moon is full")


def test_a_moved_occurrence_leaves_the_series_and_stands_alone() -> None:
    scenario = Scenario().given(SetCalendarEvent(fields={"timezone": ZONE, **STANDUP}))
    (calendar_id,) = scenario.brain.calendar
    fields = {"title": "Stand-up", "start": "2025-11-19T16:00", "timezone": ZONE}
    command = MoveOccurrence(calendar_id=calendar_id, original="2025-11-19T15:00", fields=fields)
    context = replace(scenario.context, command_id="c-9")
    brain = fold(scenario.brain, move_occurrence(command, scenario.brain, context), context)
    assert brain.calendar[calendar_id].entry.excluded == ("2025-11-19T15:00",)
    assert len(brain.calendar) == 2
