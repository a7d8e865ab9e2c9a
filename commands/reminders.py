"""Reminders: when a task's reminder is to fire, and that it fires: once for each instant, whoever asks how often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice

from commands.context import CommandContext
from commands.conversations import MAIN_CONVERSATION_ID
from commands.due import YEAR_MAX, resolve_due, with_weekday
from commands.preference_values import wants_reminders
from commands.scheduled import has_place, scheduled_message
from domain import limits
from domain.brain import Brain, TaskState
from domain.errors import Conflict
from domain.events import BrainEvent, ReminderFired, ReplyCompleted, ReplyStarted, ReplyText
from domain.local_times import local_moment
from domain.recurrence import YEARS_LOOKED_AT, named_days, parse_rule
from domain.values import Json, ModelUsage, ReplyRef, Task

OWNER = "schedule"  # of the claims of replies that are ended here; no worker has this name


@dataclass(frozen=True, slots=True, kw_only=True)
class FireReminder:
    """`conversation_ref` is the keyed hash of the main conversation's id."""

    task_id: str
    due_at_ms: int
    conversation_ref: str


# --- when ---------------------------------------------------------------------------------------------------------


def remind_at(task: Task, known: TaskState | None, now_ms: int) -> int | None:
    """The instant at which `task`, as it is going to be, is to be reminded of; `known` is how it was, `now_ms` the
    users' clock. A whole day is no instant. What is due as before keeps its reminder, and its having none.
    """
    if task.status != "open":
        return None
    if known is not None and known.task.status == "open" and _due(known.task) == _due(task):
        return known.remind_at_ms
    after_ms = now_ms - limits.REMINDER_LATE_MAX_MS
    if known is not None and known.reminded_ms is not None:
        after_ms = max(after_ms, known.reminded_ms)
    return _first_after(task, after_ms)


def _due(task: Task) -> tuple[Json, ...]:
    return task.due, task.due_at_ms, task.timezone, task.recurrence


def _first_after(task: Task, after_ms: int) -> int | None:
    """The task's due, or the first of those that its recurrence names, that comes after an instant."""
    if task.due is None or "T" not in task.due or task.due_at_ms is None:
        return None
    if task.due_at_ms > after_ms or task.recurrence is None or task.timezone is None:
        return task.due_at_ms if task.due_at_ms > after_ms else None
    time = task.due[10:]
    for day in _days(task.recurrence, date.fromisoformat(task.due[:10]), local_moment(after_ms, task.timezone).date()):
        _, at_ms = resolve_due(day.isoformat() + time, task.timezone)
        if at_ms > after_ms:
            return at_ms
    return None


def _days(recurrence: str, first: date, near: date) -> Iterator[date]:
    """The days of a rule in order, from a day before `near` on, or from the first where they have to be counted."""
    rule = parse_rule(recurrence)
    last = date(min(max(first, near).year + YEARS_LOOKED_AT, YEAR_MAX), 12, 31)
    until = last if rule.until is None else min(last, rule.until)
    if rule.count is not None:
        return islice(named_days(rule, first, since=first, until=until), rule.count)
    return named_days(rule, first, since=max(first, near - timedelta(days=1)), until=until)


# --- that ---------------------------------------------------------------------------------------------------------


def fire_reminder(command: FireReminder, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """That it fired; for who wished for messages also the message, with its reply. No model is asked for that.

    Refused when the task is gone, done or moved, or the reminder has fired: an empty decision would stand for ever
    under its key, and the task may come to be due at that instant again.
    """
    known = brain.tasks.get(command.task_id)
    if known is None or known.remind_at_ms != command.due_at_ms:
        raise Conflict("This reminder has fired, or its task has changed.", code="reminder_over")
    now_ms = context.user_now_ms
    if command.due_at_ms > now_ms:
        raise Conflict("This reminder is not due yet.", code="not_due")
    events: list[BrainEvent] = []
    message_id = None
    has_opted_in = wants_reminders(brain.preference("notifications"))
    if has_opted_in and has_place(brain, command.conversation_ref):
        events, reply = scheduled_message(
            f"Reminder: {known.task.title}", command.conversation_ref, brain, context, intent="reminder"
        )
        text = f"Reminder: {known.task.title} ({_when(command.due_at_ms, brain.timezone, now_ms)})."
        events += _answered(reply, text)
        message_id = reply.message_id
    fired = ReminderFired(
        task_id=command.task_id,
        due_at_ms=command.due_at_ms,
        # Of those that were missed while nothing ran, the one that fires now stands for all.
        remind_at_ms=_first_after(known.task, max(now_ms, command.due_at_ms)),
        message_id=message_id,
        created_from=known.created_from,
        created_at_ms=known.created_at_ms,
        content=known.task,
    )
    return [*events, fired]


def _answered(reply: ReplyRef, text: str) -> list[BrainEvent]:
    """Claimed and ended in one go, so that no worker ever sees it wait."""
    begun = ReplyText(conversation_id=MAIN_CONVERSATION_ID)
    ended = ReplyText(conversation_id=MAIN_CONVERSATION_ID, text=text)
    return [
        ReplyStarted(reply=reply, attempt=1, tries=0, owner=OWNER, reserved_tokens=0, content=begun),
        ReplyCompleted(reply=reply, attempt=1, usage=ModelUsage(), manifest=None, content=ended),
    ]


def _when(at_ms: int, zone: str, now_ms: int) -> str:
    """The hour on the user's clock, with its day when that is not today."""
    due = local_moment(at_ms, zone)
    if due.date() == local_moment(now_ms, zone).date():
        return due.strftime("%H:%M")
    return with_weekday(due.strftime("%Y-%m-%dT%H:%M"))
