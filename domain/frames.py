"""The frames of the stream. A frame of a fact is a pure function of its event: replay and live are one code path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from domain.day_frames import cause, day_frame
from domain.events import (
    ActionCreated,
    ActionResolved,
    ConversationArchived,
    ConversationDeleted,
    ConversationRenamed,
    ConversationRestored,
    ConversationStarted,
    Fact,
    MemoryForgotten,
    MemoryPinned,
    MessageReceived,
    NoteAdded,
    NoteDeleted,
    PreferenceSet,
    ReplyCompleted,
    ReplyFailed,
    ReplyRequested,
    ReplyStarted,
    ReplyStopped,
    ReplyStopRequested,
    SessionClosed,
    SessionOpened,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskReopened,
    TaskUpdated,
    UserErased,
)
from domain.shapes import (
    ReplyEnd,
    action_json,
    memory_json,
    note_json,
    reply_json,
    reply_status,
    task_event_json,
    user_message_json,
)
from domain.values import REDACTED, Json, ReplyRef

KeptEvent = MemoryPinned | MemoryForgotten | NoteAdded | NoteDeleted | PreferenceSet
OtherEvent = SessionOpened | SessionClosed | UserErased | ConversationRenamed


@dataclass(frozen=True, slots=True)
class Frame:
    """`name` is the SSE event name; `data` is one JSON object and repeats it as `type`, where a token is a `token`."""

    name: str
    data: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChunk:
    """Entries `first_index..last_index` of an attempt: the text of `llm.token`s, or one proposed action.

    `offset` counts the Unicode code points of the attempt before `text`. `seen_version` is the stream version whose
    facts a client must have before it may see this chunk. One with `progress` (`stage`, `label`, `tool`) is no entry:
    it says what is being done after the entry `last_index`, and is worth nothing later.
    """

    attempt: int
    first_index: int
    last_index: int
    offset: int
    seen_version: int
    text: str = ""
    action: Mapping[str, Json] | None = None
    progress: Mapping[str, str] | None = None


# --- frames of facts ------------------------------------------------------------------------------------------


def frame_of(fact: Fact) -> Frame | None:
    """What clients are told of a fact; None for those that only the inside needs."""
    framed = _frame(fact)
    if framed is None:
        return None
    name, data = framed
    return Frame(name, {"type": name, **data, "version": fact.version})


def _frame(fact: Fact) -> tuple[str, dict[str, Json]] | None:
    event = fact.event
    match event:
        case MessageReceived():
            message = user_message_json(event, fact)
            return "message.created", {"messageId": event.message_id, **_without(message, "id", "actions")}
        case ReplyRequested():
            message = reply_json(event, fact)
            return "message.created", {"messageId": event.reply.reply_id, **_without(message, "id", "actions")}
        case ReplyStarted():
            if event.attempt == 1:
                return None
            return "llm.restarted", {**_reply_ids(event.reply, event), "attempt": event.attempt}
        case ReplyStopRequested():
            return None
        case ReplyCompleted() | ReplyFailed() | ReplyStopped():
            return _reply_end(event, fact)
        case ActionCreated() | ActionResolved():
            name = "action.created" if isinstance(event, ActionCreated) else "action.updated"
            ids = {"messageId": event.reply_id, "inReplyTo": event.message_id}
            return name, {**ids, "actionId": event.action_id, "action": action_json(event)}
        case TaskCreated() | TaskUpdated() | TaskCompleted() | TaskReopened() | TaskDeleted():
            return _task_frame(event, fact)
        case MemoryPinned() | MemoryForgotten() | NoteAdded() | NoteDeleted() | PreferenceSet():
            return _kept_frame(event, fact)
        case SessionOpened() | SessionClosed() | UserErased() | ConversationRenamed():
            return _other_frame(event)
        case ConversationStarted() | ConversationArchived() | ConversationRestored() | ConversationDeleted():
            return _conversation_frame(event)
        case _:
            return day_frame(event, fact)


def _without(shape: dict[str, Json], *keys: str) -> dict[str, Json]:
    return {key: value for key, value in shape.items() if key not in keys}


def _reply_ids(ref: ReplyRef, event: ReplyStarted | ReplyEnd) -> dict[str, Json]:
    conversation_id = None if event.content is REDACTED else event.content.conversation_id
    return {"messageId": ref.reply_id, "inReplyTo": ref.message_id, "conversationId": conversation_id}


def _reply_end(event: ReplyEnd, fact: Fact) -> tuple[str, dict[str, Json]]:
    name = f"message.{reply_status(event)}"
    message = _without(reply_json(event, fact), "id", "actions")
    usage = {"inputTokens": event.usage.input_tokens, "outputTokens": event.usage.output_tokens}
    ids: dict[str, Json] = {"messageId": event.reply.reply_id, "event": "done", "attempt": event.attempt}
    return name, {**ids, **message, "usage": usage}


def _task_frame(
    event: TaskCreated | TaskUpdated | TaskCompleted | TaskReopened | TaskDeleted, fact: Fact
) -> tuple[str, dict[str, Json]]:
    why = cause(fact)
    if isinstance(event, TaskDeleted):
        return "task.deleted", {**why, "taskId": event.task_id}
    match event:
        case TaskCreated():
            name = "task.created"
        case TaskCompleted():
            name = "task.completed"
        case TaskUpdated() | TaskReopened():
            name = "task.updated"
    task = task_event_json(event, fact, version=fact.meta.end_version)
    return name, {**why, "taskId": event.task_id, "task": task}


def _kept_frame(event: KeptEvent, fact: Fact) -> tuple[str, dict[str, Json]]:
    end, at_ms, why = fact.meta.end_version, fact.meta.at_ms, cause(fact)
    match event:
        case MemoryPinned():
            memory = (
                None
                if event.content is REDACTED
                else memory_json(event.memory_id, event.content, pinned_at_ms=at_ms, version=end)
            )
            return "memory.pinned", {**why, "memoryId": event.memory_id, "memory": memory}
        case MemoryForgotten():
            return "memory.deleted", {**why, "memoryId": event.memory_id}
        case NoteAdded():
            if event.content is REDACTED:
                return "note.created", {"note": None, "redacted": True}
            content = event.content
            note = note_json(content.note_id, title=content.title, text=content.text, created_at_ms=at_ms, version=end)
            return "note.created", {"noteId": content.note_id, "note": note}
        case NoteDeleted():
            return "note.deleted", {"noteId": None if event.content is REDACTED else event.content.note_id}
        case PreferenceSet():
            if event.content is REDACTED:
                return "preference.updated", {"key": None, "value": None, "redacted": True}
            return "preference.updated", {**why, "key": event.content.key, "value": event.content.value}


def _other_frame(event: OtherEvent) -> tuple[str, dict[str, Json]]:
    match event:
        case SessionOpened():
            return "session.opened", {"sessionId": event.session_id}
        case SessionClosed():
            return "session.closed", {"sessionId": event.session_id}
        case UserErased():
            return "user.erased", {}
        case ConversationRenamed():
            title = None if event.content is REDACTED else event.content.title
            conversation_id = None if event.content is REDACTED else event.content.conversation_id
            return "conversation.updated", {"conversationId": conversation_id, "title": title}


def _conversation_frame(
    event: ConversationStarted | ConversationArchived | ConversationRestored | ConversationDeleted,
) -> tuple[str, dict[str, Json]]:
    ids: dict[str, Json] = {"conversationId": None if event.content is REDACTED else event.content.conversation_id}
    match event:
        case ConversationStarted():
            return "conversation.created", {**ids, "main": event.main}
        case ConversationArchived():
            return "conversation.updated", {**ids, "archived": True}
        case ConversationRestored():
            return "conversation.updated", {**ids, "archived": False}
        case ConversationDeleted():
            return "conversation.deleted", ids
        case _:
            assert_never(event)


# --- frames of a running reply --------------------------------------------------------------------------------


def token_frame(ref: ReplyRef, conversation_id: str | None, chunk: TokenChunk) -> Frame:
    """`llm.token`, or `llm.action` for a proposed action. `version` is the last fact that preceded it."""
    ids: dict[str, Json] = {
        "messageId": ref.reply_id,
        "inReplyTo": ref.message_id,
        "conversationId": conversation_id,
        "attempt": chunk.attempt,
        "index": chunk.last_index,
        "offset": chunk.offset,
        "version": chunk.seen_version,
    }
    if chunk.action is not None:
        return Frame("llm.action", {"type": "llm.action", **dict(chunk.action), **ids})
    return Frame("llm.token", {"type": "token", "token": chunk.text, "role": "assistant", **ids})
