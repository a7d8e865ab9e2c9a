"""Tasks and reminders: created, patched, completed, reopened, deleted. A done recurring task moves its due instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from commands.context import CommandContext
from commands.due import next_occurrence, resolve_task
from commands.preconditions import check_version
from commands.reminders import remind_at
from domain import limits
from domain.brain import Brain, TaskState
from domain.errors import Conflict, Invalid, NotFound
from domain.events import BrainEvent, TaskCompleted, TaskCreated, TaskDeleted, TaskReopened, TaskUpdated
from domain.values import Json, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTask:
    """`task` as the caller says it; its instant, and its zone where it names none, are filled in."""

    task: Task
    created_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTask:
    """`patch` holds the properties to set, by the names of `Task`; None clears."""

    task_id: str
    patch: Mapping[str, Json]
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteTask:
    """A recurring task stays open and moves to its next occurrence."""

    task_id: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenTask:
    task_id: str
    expected_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteTask:
    task_id: str
    expected_version: int | None = None


TaskChange = UpdateTask | CompleteTask | ReopenTask | DeleteTask


def create_task(command: CreateTask, brain: Brain, context: CommandContext, *, ordinal: int = 0) -> list[BrainEvent]:
    """`ordinal` tells the tasks of one command apart: how many came before this one, and need room too."""
    task = resolve_task(command.task, brain.timezone)
    check_task(task)
    _check_room(brain, 1 + ordinal)
    return [
        TaskCreated(
            task_id=context.new_id("t", ordinal),
            created_from=command.created_from,
            remind_at_ms=remind_at(task, None, context.user_now_ms),
            content=task,
        )
    ]


def change_task(command: TaskChange, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    known = brain.tasks.get(command.task_id)
    if known is None:
        raise NotFound("There is no such task.", code="task_unknown")
    check_version("task", known.version, command.expected_version)
    match command:
        case UpdateTask():
            return _update(command, known, brain, context.user_now_ms)
        case CompleteTask():
            return _complete(command, known, context.user_now_ms)
        case ReopenTask():
            if known.task.status == "open":
                return []
            _check_room(brain)
            reopened = replace(known.task, status="open")
            return [_changed(TaskReopened, command.task_id, known, reopened, context.user_now_ms)]
        case DeleteTask():
            return [TaskDeleted(task_id=command.task_id)]


def _update(command: UpdateTask, known: TaskState, brain: Brain, now_ms: int) -> list[BrainEvent]:
    patch = dict(command.patch)
    status: Literal["open", "done"] = "done" if patch.pop("status", known.task.status) == "done" else "open"
    if "tags" in patch:
        patch["tags"] = tuple(patch["tags"] or ())
    if "priority" in patch:
        patch["priority"] = patch["priority"] or "normal"
    task = resolve_task(replace(known.task, **patch), brain.timezone)
    check_task(task)
    if status == "done" and known.task.status == "open" and (following := next_occurrence(task)) is not None:
        return [_changed(TaskUpdated, command.task_id, known, following, now_ms)]
    events: list[BrainEvent] = []
    if task != known.task:
        events.append(_changed(TaskUpdated, command.task_id, known, task, now_ms))
    if status != known.task.status:
        if status == "open":
            _check_room(brain)
            reopened = replace(task, status="open")
            events.append(_changed(TaskReopened, command.task_id, known, reopened, now_ms))
        else:
            events.append(_completed(command.task_id, known, task))
    return events


def _complete(command: CompleteTask, known: TaskState, now_ms: int) -> list[BrainEvent]:
    if known.task.status == "done":
        return []
    following = next_occurrence(known.task)
    if following is not None:
        return [_changed(TaskUpdated, command.task_id, known, following, now_ms)]
    return [_completed(command.task_id, known, known.task)]


def _changed(
    kind: type[TaskUpdated] | type[TaskReopened], task_id: str, known: TaskState, task: Task, now_ms: int
) -> BrainEvent:
    return kind(
        task_id=task_id,
        created_from=known.created_from,
        created_at_ms=known.created_at_ms,
        remind_at_ms=remind_at(task, known, now_ms),
        reminded_ms=known.reminded_ms,
        content=task,
    )


def _completed(task_id: str, known: TaskState, task: Task) -> BrainEvent:
    return TaskCompleted(
        task_id=task_id,
        created_from=known.created_from,
        created_at_ms=known.created_at_ms,
        reminded_ms=known.reminded_ms,
        content=replace(task, status="done"),
    )


def _check_room(brain: Brain, new: int = 1) -> None:
    if sum(1 for state in brain.tasks.values() if state.task.status == "open") + new > limits.TASKS_OPEN_MAX:
        raise Conflict(f"At most {limits.TASKS_OPEN_MAX} open tasks. Complete or delete one first.", code="tasks_full")


def check_task(task: Task) -> None:
    """Raises `Invalid` where a property is out of bounds."""
    if not task.title.strip() or len(task.title) > limits.TITLE_CHARACTERS_MAX:
        raise Invalid(f"A task's title has 1 to {limits.TITLE_CHARACTERS_MAX} characters.", code="title_invalid")
    if len(task.tags) > limits.TAGS_MAX:
        raise Invalid(f"A task has at most {limits.TAGS_MAX} tags.", code="tags_too_many")
    if any(not tag.strip() or len(tag) > limits.TAG_CHARACTERS_MAX for tag in task.tags):
        raise Invalid(f"A tag has 1 to {limits.TAG_CHARACTERS_MAX} characters.", code="tag_invalid")
    if task.notes is not None and len(task.notes) > limits.TASK_NOTES_CHARACTERS_MAX:
        raise Invalid(f"A task's notes have at most {limits.TASK_NOTES_CHARACTERS_MAX} characters.", code="notes_long")
    if task.assignee is not None and len(task.assignee) > limits.TITLE_CHARACTERS_MAX:
        raise Invalid(f"An assignee has at most {limits.TITLE_CHARACTERS_MAX} characters.", code="assignee_invalid")
