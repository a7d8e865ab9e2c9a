"""The JSON shapes of the objects that a client sees. Wire names exist here once.

Text that was deleted for good is null, with `redacted: true`. Plans, calendar, trips and voice jobs: day_shapes.py.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from domain.brain import TaskState
from domain.events import (
    ActionCreated,
    ActionResolved,
    Fact,
    MessageReceived,
    ReminderFired,
    ReplyCompleted,
    ReplyFailed,
    ReplyRequested,
    ReplyStarted,
    ReplyStopped,
    ReplyStopRequested,
    TaskCompleted,
    TaskCreated,
    TaskReopened,
    TaskUpdated,
)
from domain.values import REDACTED, Json, Memory, Task

ReplyEnd = ReplyCompleted | ReplyFailed | ReplyStopped
TaskShown = TaskCreated | TaskUpdated | TaskCompleted | TaskReopened | ReminderFired


def utc(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def task_json(
    task_id: str,
    task: Task,
    *,
    created_from: str | None,
    created_at_ms: int,
    reminded_ms: int | None,
    version: int,
) -> dict[str, Json]:
    """`remindedAt` is the due instant of the last reminder that fired: a client shows a task as due by it."""
    return {
        "id": task_id,
        "title": task.title,
        "due": task.due,
        "timezone": task.timezone,
        "dueAt": None if task.due_at_ms is None else utc(task.due_at_ms),
        "recurrence": task.recurrence,
        "tags": list(task.tags),
        "status": task.status,
        "priority": task.priority,
        "notes": task.notes,
        "assignee": task.assignee,
        "createdFrom": created_from,
        "createdAt": utc(created_at_ms),
        "remindedAt": None if reminded_ms is None else utc(reminded_ms),
        "version": version,
    }


def task_state_json(task_id: str, state: TaskState) -> dict[str, Json]:
    """A task as the state has it."""
    return task_json(
        task_id,
        state.task,
        created_from=state.created_from,
        created_at_ms=state.created_at_ms,
        reminded_ms=state.reminded_ms,
        version=state.version,
    )


def task_event_json(event: TaskShown, fact: Fact, *, version: int) -> dict[str, Json] | None:
    """A task as `fact`, whose event it is, left it; None once its text is deleted for good."""
    if event.content is REDACTED:
        return None
    match event:
        case TaskCreated():
            created_at_ms, reminded_ms = fact.meta.at_ms, None
        case ReminderFired():
            created_at_ms, reminded_ms = event.created_at_ms, event.due_at_ms
        case _:
            created_at_ms, reminded_ms = event.created_at_ms, event.reminded_ms
    return task_json(
        event.task_id,
        event.content,
        created_from=event.created_from,
        created_at_ms=created_at_ms,
        reminded_ms=reminded_ms,
        version=version,
    )


def memory_json(memory_id: str, memory: Memory, *, pinned_at_ms: int, version: int) -> dict[str, Json]:
    replaced = memory.replaced
    return {
        "id": memory_id,
        "type": memory.type,
        "key": memory.key,
        "value": memory.value,
        "messageId": memory.message_id,
        "replaced": None
        if replaced is None
        else {"value": replaced.value, "version": replaced.version, "messageId": replaced.message_id},
        "pinnedAt": utc(pinned_at_ms),
        "version": version,
    }


def note_json(
    note_id: str, *, title: str | None, text: str | None, created_at_ms: int, version: int
) -> dict[str, Json]:
    return {"id": note_id, "title": title, "text": text, "createdAt": utc(created_at_ms), "version": version}


def session_json(session_id: str, *, opened_at_ms: int, version: int) -> dict[str, Json]:
    return {"sessionId": session_id, "openedAt": utc(opened_at_ms), "version": version}


def conversation_json(
    conversation_id: str,
    *,
    title: str | None,
    main: bool,
    archived: bool,
    created_at_ms: int,
    version: int,
) -> dict[str, Json]:
    return {
        "id": conversation_id,
        "title": title,
        "main": main,
        "archived": archived,
        "createdAt": utc(created_at_ms),
        "version": version,
    }


def action_json(event: ActionCreated | ActionResolved) -> dict[str, Json]:
    content = event.content
    shape: dict[str, Json] = {
        "id": event.action_id,
        "kind": event.kind,
        "status": event.status,
        "payload": None if content is REDACTED else dict(content.payload),
    }
    if event.result_id is not None:
        shape["resultId"] = event.result_id
    if content is not REDACTED and content.reason is not None:
        shape["reason"] = content.reason
    return shape


def user_message_json(event: MessageReceived, fact: Fact) -> dict[str, Json]:
    content = event.content
    shape: dict[str, Json] = {
        "id": event.message_id,
        "role": "user",
        "text": None if content is REDACTED else content.text,
        "status": "accepted",
        "conversationId": None if content is REDACTED else content.conversation_id,
        "channel": event.channel,
        "origin": fact.meta.origin,
        "actions": [],
        "createdAt": utc(fact.meta.at_ms),
        "version": fact.meta.end_version,
    }
    if content is REDACTED:
        shape["redacted"] = True
    elif content.client_message_id is not None:
        shape["clientMessageId"] = content.client_message_id
    return shape


def reply_json(event: ReplyRequested | ReplyStarted | ReplyStopRequested | ReplyEnd, fact: Fact) -> dict[str, Json]:
    """The assistant's message as this event leaves it; `actions` are added by who knows them."""
    content = event.content
    ref = event.reply
    shape: dict[str, Json] = {
        "id": ref.reply_id,
        "role": "assistant",
        "text": None if content is REDACTED else content.text or "",
        "status": reply_status(event),
        "conversationId": None if content is REDACTED else content.conversation_id,
        "inReplyTo": ref.message_id,
        "channel": ref.channel,
        "origin": ref.origin,
        "actions": [],
        "createdAt": utc(ref.requested_at_ms),
        "version": fact.meta.end_version,
    }
    if ref.supersedes is not None:
        shape["supersedes"] = ref.supersedes
    if content is REDACTED:
        shape["redacted"] = True
    if isinstance(event, ReplyFailed) or (isinstance(event, ReplyCompleted) and event.canned):
        shape["canned"] = True
        shape["code"] = event.code
    return shape


def reply_status(event: ReplyRequested | ReplyStarted | ReplyStopRequested | ReplyEnd) -> str:
    match event:
        case ReplyRequested():
            return "queued"
        case ReplyStarted() | ReplyStopRequested():
            return "streaming"
        case ReplyCompleted():
            return "completed"
        case ReplyFailed():
            return "failed"
        case ReplyStopped():
            return "stopped"
        case _:
            assert_never(event)
