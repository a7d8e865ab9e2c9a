"""Rows of views to the JSON that clients see. The shapes themselves are in domain/shapes.py."""

from __future__ import annotations

from dataclasses import dataclass

from domain.day_shapes import plan_json
from domain.events import (
    ActionCreated,
    ActionResolved,
    ConversationDeleted,
    ConversationRenamed,
    ConversationStarted,
    Fact,
    MemoryPinned,
    MessageReceived,
    NoteAdded,
    NoteDeleted,
    PlanSet,
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
from domain.shapes import (
    action_json,
    conversation_json,
    memory_json,
    note_json,
    reply_json,
    task_event_json,
    user_message_json,
)
from domain.values import REDACTED, Json, Task

REPLY_EVENTS = (ReplyRequested, ReplyStarted, ReplyStopRequested, ReplyCompleted, ReplyFailed, ReplyStopped)
TASK_EVENTS = (TaskCreated, TaskUpdated, TaskCompleted, TaskReopened, ReminderFired)


@dataclass(frozen=True, slots=True)
class Shown:
    """An object: its id as rows have it, the version that it shows, and the event it is rendered from."""

    id: str
    version: int
    fact: Fact


def message_shape(message: Shown, actions: list[Shown]) -> dict[str, Json]:
    event = message.fact.event
    if isinstance(event, MessageReceived):
        shape = user_message_json(event, message.fact)
    else:
        assert isinstance(event, REPLY_EVENTS), f"a message cannot be shown from {type(event).__name__}"
        shape = reply_json(event, message.fact)
    return {**shape, "actions": [action_shape(action) for action in actions], "version": message.version}


def conversation_ref_of(message: Shown) -> str:
    """The keyed hash of its conversation's id."""
    event = message.fact.event
    if isinstance(event, MessageReceived):
        return event.conversation_ref
    assert isinstance(event, REPLY_EVENTS)
    return event.reply.conversation_ref


def action_shape(action: Shown) -> dict[str, Json]:
    event = action.fact.event
    assert isinstance(event, ActionCreated | ActionResolved)
    return action_json(event)


def task_of(task: Shown) -> Task | None:
    """None once it is redacted."""
    event = task.fact.event
    assert isinstance(event, TASK_EVENTS), f"a task cannot be shown from {type(event).__name__}"
    return None if event.content is REDACTED else event.content


def task_shape(task: Shown) -> dict[str, Json]:
    event = task.fact.event
    assert isinstance(event, TASK_EVENTS)
    return task_event_json(event, task.fact, version=task.version) or _redacted(task)


def memory_shape(memory: Shown) -> dict[str, Json]:
    event = memory.fact.event
    assert isinstance(event, MemoryPinned)
    if event.content is REDACTED:
        return _redacted(memory)
    return memory_json(memory.id, event.content, pinned_at_ms=memory.fact.meta.at_ms, version=memory.version)


def note_shape(note: Shown) -> dict[str, Json]:
    """A deleted note's id, which its owner may have chosen, is as unreadable as its text."""
    event = note.fact.event
    if isinstance(event, NoteDeleted):
        return {"id": None if event.content is REDACTED else event.content.note_id, "deleted": True}
    assert isinstance(event, NoteAdded)
    at_ms = note.fact.meta.at_ms
    if event.content is REDACTED:
        return {"id": None, "title": None, "text": None, "redacted": True, "version": note.version}
    content = event.content
    return note_json(content.note_id, title=content.title, text=content.text, created_at_ms=at_ms, version=note.version)


def plan_shape(plan: Shown) -> dict[str, Json]:
    event = plan.fact.event
    assert isinstance(event, PlanSet)
    if event.content is REDACTED:
        return {"date": None, "redacted": True, "version": plan.version}
    return plan_json(event.content.date, event.content.plan, version=plan.version)


def conversation_shape(conversation: Shown, title: Fact | None, *, archived: bool) -> dict[str, Json]:
    event = conversation.fact.event
    if isinstance(event, ConversationDeleted):
        return {"id": None if event.content is REDACTED else event.content.conversation_id, "deleted": True}
    assert isinstance(event, ConversationStarted)
    if event.content is REDACTED:
        return _redacted(conversation)
    return conversation_json(
        event.content.conversation_id,
        title=_title(title),
        main=event.main,
        archived=archived,
        created_at_ms=conversation.fact.meta.at_ms,
        version=conversation.version,
    )


def _title(fact: Fact | None) -> str | None:
    if fact is None:
        return None
    assert isinstance(fact.event, ConversationRenamed)
    return None if fact.event.content is REDACTED else fact.event.content.title


def _redacted(shown: Shown) -> dict[str, Json]:
    return {"id": shown.id, "redacted": True, "version": shown.version}
