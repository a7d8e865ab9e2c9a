"""What a client sees: the JSON shapes of the objects, and the frames of the stream. Wire names exist here once.

A frame of a fact is a pure function of its event, so that replay and live are one code path. Text that was deleted
for good is null, with `redacted: true`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import assert_never

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
from domain.values import REDACTED, Json, Memory, ReplyRef, Task

ReplyEnd = ReplyCompleted | ReplyFailed | ReplyStopped


@dataclass(frozen=True, slots=True)
class Frame:
    """`name` is the SSE event name; `data` is one JSON object and repeats it as `type`, where a token is a `token`."""

    name: str
    data: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenChunk:
    """Entries `first_index..last_index` of an attempt: the text of `llm.token`s, or one proposed action.

    `offset` counts the Unicode code points of the attempt before `text`. `seen_version` is the stream version whose
    facts a client must have before it may see this chunk.
    """

    attempt: int
    first_index: int
    last_index: int
    offset: int
    seen_version: int
    text: str = ""
    action: Mapping[str, Json] | None = None


def utc(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- objects --------------------------------------------------------------------------------------------------


def task_json(
    task_id: str, task: Task, *, created_from: str | None, created_at_ms: int, version: int
) -> dict[str, Json]:
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
        "version": version,
    }


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
        case _:
            return _other_frame(fact)


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


def _cause(fact: Fact) -> dict[str, Json]:
    """The action and the message that led to a fact, where there were any."""
    cause: dict[str, Json] = {}
    if fact.meta.causation_id.startswith("act_"):
        cause["actionId"] = fact.meta.causation_id
    if fact.meta.correlation_id.startswith("m_"):
        cause["messageId"] = fact.meta.correlation_id
    return cause


def _task_frame(
    event: TaskCreated | TaskUpdated | TaskCompleted | TaskReopened | TaskDeleted, fact: Fact
) -> tuple[str, dict[str, Json]]:
    cause = _cause(fact)
    if isinstance(event, TaskDeleted):
        return "task.deleted", {**cause, "taskId": event.task_id}
    created_at_ms = fact.meta.at_ms if isinstance(event, TaskCreated) else event.created_at_ms
    task: Json = None
    if event.content is not REDACTED:
        task = task_json(
            event.task_id,
            event.content,
            created_from=event.created_from,
            created_at_ms=created_at_ms,
            version=fact.meta.end_version,
        )
    match event:
        case TaskCreated():
            name = "task.created"
        case TaskCompleted():
            name = "task.completed"
        case TaskUpdated() | TaskReopened():
            name = "task.updated"
    return name, {**cause, "taskId": event.task_id, "task": task}


def _other_frame(fact: Fact) -> tuple[str, dict[str, Json]]:
    event = fact.event
    end, at_ms, cause = fact.meta.end_version, fact.meta.at_ms, _cause(fact)
    match event:
        case MemoryPinned():
            memory = (
                None
                if event.content is REDACTED
                else memory_json(event.memory_id, event.content, pinned_at_ms=at_ms, version=end)
            )
            return "memory.pinned", {**cause, "memoryId": event.memory_id, "memory": memory}
        case MemoryForgotten():
            return "memory.deleted", {**cause, "memoryId": event.memory_id}
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
            return "preference.updated", {**cause, "key": event.content.key, "value": event.content.value}
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
        case ConversationStarted() | ConversationArchived() | ConversationRestored() | ConversationDeleted():
            return _conversation_frame(event)
        case _:
            raise AssertionError(f"no frame for {type(event).__name__}")


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
