"""Reminders: once for each instant at which a task is due, and messages for those alone who opted in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from commands.messages import PostMessage
from commands.preferences import SetPreference
from commands.reminders import FireReminder
from commands.replies import StartReply
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from domain import limits
from domain.events import (
    ConversationStarted,
    MessageReceived,
    ReminderFired,
    ReplyCompleted,
    ReplyRequested,
    ReplyStarted,
    TaskCreated,
    TaskUpdated,
)
from domain.values import REDACTED, Task
from tests.support.decider import NOW_MS, Scenario

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

OPT_IN = SetPreference(key="notifications", preference_ref="p_n", value={"reminders": "message"})
BERLIN = SetPreference(key="timezone", preference_ref="p_z", value="Europe/Berlin")


def utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def with_task(due: str | None, **more: object) -> tuple[Scenario, str]:
    s = Scenario().given(CreateTask(task=Task(title="Call John", due=due, **more)))  # type: ignore[arg-type]
    return s, next(iter(s.brain.tasks))


def armed(s: Scenario) -> int | None:
    (known,) = s.brain.tasks.values()
    return known.remind_at_ms


def fire(task_id: str, due_at_ms: int) -> FireReminder:
    return FireReminder(task_id=task_id, due_at_ms=due_at_ms, conversation_ref="c_main")


def by_schedule(s: Scenario, now_ms: int) -> Scenario:
    s.context = replace(s.context, now_ms=now_ms, origin="schedule")
    return s


# --- when -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "at_ms"),
    [
        ("2025-11-19T17:00", utc("2025-11-19T17:00")),
        ("2025-11-19T10:00", utc("2025-11-19T10:00")),  # this minute
        ("2025-11-18T10:01", utc("2025-11-18T10:01")),  # a little late
        ("2025-11-18T10:00", None),  # overdue when it was set: nobody's reminder
        ("2025-11-20", None),  # a day is no instant
        (None, None),
    ],
)
def test_a_task_is_reminded_of_at_the_instant_of_its_due(due: str | None, at_ms: int | None) -> None:
    s, _ = with_task(due)
    (created,) = s.events or []
    assert isinstance(created, TaskCreated)
    assert (created.remind_at_ms, armed(s)) == (at_ms, at_ms)


def test_the_instant_is_that_of_the_users_clock_and_moves_with_the_due() -> None:
    s = Scenario().given(BERLIN, CreateTask(task=Task(title="x", due="2025-11-19T17:00")))
    assert armed(s) == utc("2025-11-19T16:00")
    task_id = next(iter(s.brain.tasks))
    s.given(UpdateTask(task_id=task_id, patch={"due": "2025-11-20T08:00"}))
    assert armed(s) == utc("2025-11-20T07:00")
    s.given(UpdateTask(task_id=task_id, patch={"due": None}))
    assert armed(s) is None


def test_an_hour_that_the_spring_change_skips_is_reminded_of_after_the_gap() -> None:
    s = Scenario().at(utc("2026-03-08T00:00"))
    s.given(CreateTask(task=Task(title="x", due="2026-03-08T02:30", timezone="America/New_York")))
    assert armed(s) == utc("2026-03-08T07:30")  # 03:30 EDT


def test_an_hour_that_the_autumn_change_repeats_is_reminded_of_the_first_time_alone() -> None:
    s = Scenario().at(utc("2026-11-01T00:00"))
    s.given(CreateTask(task=Task(title="x", due="2026-11-01T01:30", timezone="America/New_York")))
    at_ms = utc("2026-11-01T05:30")  # 01:30 EDT
    assert armed(s) == at_ms
    by_schedule(s, at_ms).given(fire(next(iter(s.brain.tasks)), at_ms))
    assert armed(s) is None


def test_a_done_task_has_no_reminder_and_a_reopened_one_has_it_again() -> None:
    s, task_id = with_task("2025-11-19T17:00")
    s.given(CompleteTask(task_id=task_id))
    assert armed(s) is None
    s.given(ReopenTask(task_id=task_id))
    assert armed(s) == utc("2025-11-19T17:00")


def test_another_title_leaves_a_reminder_as_it_is_however_late_it_has_become() -> None:
    s, task_id = with_task("2025-11-19T17:00")
    s.at(NOW_MS + 3 * DAY_MS).given(UpdateTask(task_id=task_id, patch={"title": "Call Jack"}))
    assert armed(s) == utc("2025-11-19T17:00")
    by_schedule(s, NOW_MS + 3 * DAY_MS).given(fire(task_id, utc("2025-11-19T17:00")))
    s.given(UpdateTask(task_id=task_id, patch={"title": "Call Jim"}))
    assert armed(s) is None


# --- that -------------------------------------------------------------------------------------------------------------


def test_a_reminder_fires_and_tells_nobody_who_has_not_opted_in() -> None:
    s, task_id = with_task("2025-11-19T17:00")
    at_ms = utc("2025-11-19T17:00")
    (fired,) = by_schedule(s, at_ms).when(fire(task_id, at_ms)).then(ReminderFired)
    known = s.brain.tasks[task_id]
    assert isinstance(fired, ReminderFired)
    assert (fired.message_id, fired.content) == (None, known.task)
    assert (known.remind_at_ms, known.reminded_ms, known.version) == (None, at_ms, s.brain.version)
    assert known.task.status == "open"
    s.when(fire(task_id, at_ms)).then_refused("reminder_over")


@pytest.mark.parametrize(
    "value", [{}, {"reminders": "none"}, {"dailySummary": "08:00"}, {"reminders": "none", "dailySummary": None}]
)
def test_only_reminders_as_messages_opt_in_to_messages(value: dict[str, object]) -> None:
    s, task_id = with_task("2025-11-19T17:00")
    s.given(SetPreference(key="notifications", preference_ref="p_n", value=value))
    by_schedule(s, utc("2025-11-19T17:00")).when(fire(task_id, utc("2025-11-19T17:00"))).then(ReminderFired)


def test_who_opted_in_gets_a_message_with_its_answer_in_the_same_command() -> None:
    s, task_id = with_task("2025-11-19T17:00")
    at_ms = utc("2025-11-19T17:00")
    events = by_schedule(s.given(OPT_IN), at_ms).when(fire(task_id, at_ms)).events or []
    started, received, requested, claimed, completed, fired = events
    assert isinstance(started, ConversationStarted)
    assert started.main
    assert isinstance(received, MessageReceived)
    assert received.content is not REDACTED
    assert (received.content.text, received.session_id) == ("Reminder: Call John", None)
    assert isinstance(requested, ReplyRequested)
    assert requested.reply.origin == "schedule"
    assert isinstance(claimed, ReplyStarted)
    assert (claimed.tries, claimed.reserved_tokens) == (0, 0)
    assert isinstance(completed, ReplyCompleted)
    assert completed.content is not REDACTED
    assert (completed.content.text, completed.canned) == ("Reminder: Call John (17:00).", False)
    assert isinstance(fired, ReminderFired)
    assert fired.message_id == received.message_id
    assert (s.brain.queue, s.brain.replies[requested.reply.reply_id].status) == ((), "completed")
    assert s.brain.main_conversation == "c_main"


@pytest.mark.parametrize(
    ("late_ms", "when"),
    [(0, "18:00"), (HOUR_MS, "18:00"), (6 * HOUR_MS, "Wednesday 2025-11-19 18:00")],
)
def test_the_message_tells_the_hour_on_the_users_clock_and_the_day_when_it_is_over(late_ms: int, when: str) -> None:
    s = Scenario().given(BERLIN, OPT_IN, CreateTask(task=Task(title="x", due="2025-11-19T17:00", timezone="UTC")))
    at_ms = utc("2025-11-19T17:00")
    by_schedule(s, at_ms + late_ms).given(fire(next(iter(s.brain.tasks)), at_ms))
    (text,) = [event.content.text for event in s.events or [] if isinstance(event, ReplyCompleted)]  # type: ignore[union-attr]
    assert text == f"Reminder: x ({when})."


def test_the_message_leaves_waiting_replies_and_the_users_rate_alone() -> None:
    say = PostMessage(channel="chat", text="Hi", conversation_id=None, conversation_ref="c_main")
    s, task_id = with_task("2025-11-19T10:00")
    s.given(OPT_IN, say, say)
    first, second = s.brain.queue
    s.given(StartReply(reply_id=first, after_attempt=0, owner="w", lease_seconds=3, reserved_tokens=100))
    by_schedule(s, NOW_MS).given(fire(task_id, NOW_MS))
    assert s.brain.queue == (first, second)
    assert [s.brain.replies[reply_id].status for reply_id in s.brain.queue] == ["running", "queued"]
    s.context = replace(s.context, origin="user")
    s.with_limits(messages_per_minute=3).given(say)
    s.when(say).then_refused("messages_per_minute")


def test_a_task_that_went_was_done_or_was_moved_before_does_not_fire() -> None:
    at_ms = utc("2025-11-19T17:00")
    s, task_id = with_task("2025-11-19T17:00")
    s.given(UpdateTask(task_id=task_id, patch={"due": "2025-11-19T18:00"}))
    by_schedule(s, at_ms).when(fire(task_id, at_ms)).then_refused("reminder_over")
    by_schedule(s, at_ms + HOUR_MS).when(fire(task_id, at_ms + HOUR_MS)).then(ReminderFired)
    for gone in (CompleteTask(task_id=task_id), DeleteTask(task_id=task_id)):
        s, task_id = with_task("2025-11-19T17:00")
        s.given(replace(gone, task_id=task_id))
        by_schedule(s, at_ms).when(fire(task_id, at_ms)).then_refused("reminder_over")


def test_a_task_that_was_moved_away_and_back_still_fires() -> None:
    at_ms = utc("2025-11-19T17:00")
    s, task_id = with_task("2025-11-19T17:00")
    s.given(UpdateTask(task_id=task_id, patch={"due": "2025-11-19T18:00"}))
    by_schedule(s, at_ms).when(fire(task_id, at_ms)).then_refused("reminder_over")
    s.given(UpdateTask(task_id=task_id, patch={"due": "2025-11-19T17:00"}))
    s.when(fire(task_id, at_ms)).then(ReminderFired)
    s.given(UpdateTask(task_id=task_id, patch={"due": "2025-11-19T16:00"}))
    assert armed(s) is None  # over when it was set, and the user was reminded since


def test_a_reminder_does_not_fire_before_its_time_on_the_users_clock() -> None:
    at_ms = utc("2025-11-19T17:00")
    s, task_id = with_task("2025-11-19T17:00")
    by_schedule(s, at_ms - 1).when(fire(task_id, at_ms)).then_refused("not_due")
    s.context = replace(s.context, user_offset_ms=1)
    s.when(fire(task_id, at_ms)).then(ReminderFired)


def test_without_a_place_for_the_main_conversation_a_reminder_fires_without_a_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s, task_id = with_task("2025-11-19T17:00")
    s.given(OPT_IN, PostMessage(channel="chat", text="Hi", conversation_id="c", conversation_ref="c_1"))
    monkeypatch.setattr(limits, "CONVERSATIONS_MAX", 1)
    by_schedule(s, utc("2025-11-19T17:00")).when(fire(task_id, utc("2025-11-19T17:00"))).then(ReminderFired)


# --- again and again --------------------------------------------------------------------------------------------------


def test_a_recurring_task_fires_again_for_its_next_instant_done_or_not() -> None:
    s, task_id = with_task("2025-11-19T17:00", recurrence="FREQ=DAILY")
    wednesday = utc("2025-11-19T17:00")
    by_schedule(s, wednesday).when(fire(task_id, wednesday)).then(ReminderFired)
    assert (armed(s), s.brain.tasks[task_id].task.due) == (wednesday + DAY_MS, "2025-11-19T17:00")
    by_schedule(s, wednesday + DAY_MS).when(fire(task_id, wednesday + DAY_MS)).then(ReminderFired)
    s.when(CompleteTask(task_id=task_id)).then(TaskUpdated)
    assert s.brain.tasks[task_id].task.due == "2025-11-20T17:00"
    assert armed(s) == wednesday + 2 * DAY_MS  # that of the 20th has fired


def test_a_recurring_task_that_is_done_early_fires_at_its_next_instant_alone() -> None:
    s, task_id = with_task("2025-11-19T17:00", recurrence="FREQ=WEEKLY")
    s.given(CompleteTask(task_id=task_id))
    assert armed(s) == utc("2025-11-26T17:00")


def test_of_instants_that_were_missed_one_stands_for_all() -> None:
    s, task_id = with_task("2025-11-19T17:00", recurrence="FREQ=DAILY")
    by_schedule(s, utc("2025-11-23T09:00")).when(fire(task_id, utc("2025-11-19T17:00"))).then(ReminderFired)
    assert armed(s) == utc("2025-11-23T17:00")


@pytest.mark.parametrize("rule", ["FREQ=DAILY;COUNT=2", "FREQ=DAILY;UNTIL=20251120"])
def test_the_last_instant_of_a_rule_is_the_last_that_fires(rule: str) -> None:
    s, task_id = with_task("2025-11-19T17:00", recurrence=rule)
    for day in ("2025-11-19T17:00", "2025-11-20T17:00"):
        by_schedule(s, utc(day)).when(fire(task_id, utc(day))).then(ReminderFired)
    assert armed(s) is None


def test_a_recurring_reminder_keeps_its_hour_when_clocks_change() -> None:
    s = Scenario().at(utc("2026-03-07T00:00"))
    rule = Task(title="x", due="2026-03-07T09:00", timezone="America/New_York", recurrence="FREQ=DAILY")
    s.given(CreateTask(task=rule))
    first = utc("2026-03-07T14:00")
    by_schedule(s, first).given(fire(next(iter(s.brain.tasks)), first))
    assert armed(s) == utc("2026-03-08T13:00")
