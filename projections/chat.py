"""The view `chat`: conversations, and all their messages with their actions, archived ones too.

Rows of a deleted conversation are gone for good. Answers the list of conversations and paging back through history
(chat_queries.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from projections.event_groups import KEPT, LATER, SESSIONS, TASKS
from projections.view import Change, Column, Index, Insert, Key, Patch, Seen, Sweep, Table, View

# `last_version` is the place of the newest message in the stream: the list is in that order.
CONVERSATIONS = Table(
    "chat_conversations",
    [Column("conversation_ref", "text")],
    [
        Column("archived", "boolean"),
        Column("message_count", "bigint", sums=True),
        Column("last_version", "bigint"),
        Column("last_at_ms", "bigint"),
        Column("changed_version", "bigint"),
        Column("version", "bigint"),
        Column("name", "text"),
        Column("state", "bytea"),
        Column("title_version", "bigint", nullable=True),
        Column("title_state", "bytea", nullable=True),
    ],
    indexes=[Index(("last_version",))],
)

# `ord` is the place in the stream at which the message came, or the reply was asked for.
MESSAGES = Table(
    "chat_messages",
    [Column("id", "text")],
    [
        Column("conversation_ref", "text"),
        Column("ord", "bigint"),
        Column("superseded_by", "text", nullable=True),
        Column("changed_version", "bigint"),
        Column("version", "bigint"),
        Column("name", "text"),
        Column("state", "bytea"),
    ],
    indexes=[Index(("conversation_ref", "ord"))],
)

ACTIONS = Table(
    "chat_actions",
    [Column("id", "text")],
    [
        Column("conversation_ref", "text"),
        Column("reply_id", "text"),
        Column("ord", "bigint"),
        Column("version", "bigint"),
        Column("name", "text"),
        Column("state", "bytea"),
    ],
    indexes=[Index(("reply_id", "ord"))],
)


_TITLE = CONVERSATIONS.shape("changed_version", "title_version", "title_state")
_ARCHIVED = CONVERSATIONS.shape("changed_version", "archived")
_ACTIVITY = CONVERSATIONS.shape("message_count", "last_version", "last_at_ms")
_MESSAGE_EVENT = MESSAGES.shape("changed_version", "version", "name", "state")
_MESSAGE_CHANGED = MESSAGES.shape("changed_version")
_SUPERSEDED = MESSAGES.shape("superseded_by")
_ACTION_EVENT = ACTIONS.shape("version", "name", "state")


# --- conversations --------------------------------------------------------------------------------------------


def _conversation(event: Seen) -> Key:
    return event.user_id, event.data.conversation_ref


def _conversation_started(event: Seen) -> Sequence[Change]:
    row = CONVERSATIONS.row(
        archived=False,
        message_count=0,
        last_version=event.version,
        last_at_ms=event.at_ms,
        changed_version=event.end_version,
        version=event.version,
        name=event.name,
        state=event.state,
    )
    return [Insert(CONVERSATIONS, _conversation(event), row)]


def _conversation_renamed(event: Seen) -> Sequence[Change]:
    return [Patch(_TITLE, _conversation(event), (event.end_version, event.version, event.state))]


def _conversation_archived(event: Seen) -> Sequence[Change]:
    return [Patch(_ARCHIVED, _conversation(event), (event.end_version, event.name == "ConversationArchived"))]


def _conversation_deleted(event: Seen) -> Sequence[Change]:
    where = {"conversation_ref": event.data.conversation_ref}
    return [Sweep(table, event.user_id, where) for table in CHAT.tables]


# --- messages and actions ---------------------------------------------------------------------------------------


def _came(event: Seen, message_id: str, conversation_ref: str) -> list[Change]:
    version = event.version
    row = (conversation_ref, version, None, event.end_version, version, event.name, event.state)
    return [
        Insert(MESSAGES, (event.user_id, message_id), row),
        Patch(_ACTIVITY, (event.user_id, conversation_ref), (1, version, event.at_ms)),
    ]


def _message_received(event: Seen) -> Sequence[Change]:
    return _came(event, event.data.message_id, event.data.conversation_ref)


def _reply_requested(event: Seen) -> Sequence[Change]:
    reply = event.data.reply
    changes = _came(event, reply.reply_id, reply.conversation_ref)
    if reply.supersedes is not None:
        changes.append(Patch(_SUPERSEDED, (event.user_id, reply.supersedes), (reply.reply_id,)))
    return changes


def _reply_changed(event: Seen) -> Sequence[Change]:
    values = (event.end_version, event.version, event.name, event.state)
    return [Patch(_MESSAGE_EVENT, (event.user_id, event.data.reply.reply_id), values)]


def _action_created(event: Seen) -> Sequence[Change]:
    data = event.data
    row = (data.conversation_ref, data.reply_id, event.version, event.version, event.name, event.state)
    return [Insert(ACTIONS, (event.user_id, data.action_id), row), _message_shows_it(event)]


def _action_resolved(event: Seen) -> Sequence[Change]:
    values = (event.version, event.name, event.state)
    return [Patch(_ACTION_EVENT, (event.user_id, event.data.action_id), values), _message_shows_it(event)]


def _message_shows_it(event: Seen) -> Change:
    return Patch(_MESSAGE_CHANGED, (event.user_id, event.data.reply_id), (event.end_version,))


CHAT = View(
    name="chat",
    version=1,
    tables=(CONVERSATIONS, MESSAGES, ACTIONS),
    handlers={
        "ConversationStarted": _conversation_started,
        "ConversationRenamed": _conversation_renamed,
        "ConversationArchived": _conversation_archived,
        "ConversationRestored": _conversation_archived,
        "ConversationDeleted": _conversation_deleted,
        "MessageReceived": _message_received,
        "ReplyRequested": _reply_requested,
        "ReplyStarted": _reply_changed,
        "ReplyStopRequested": _reply_changed,
        "ReplyCompleted": _reply_changed,
        "ReplyFailed": _reply_changed,
        "ReplyStopped": _reply_changed,
        "ActionCreated": _action_created,
        "ActionResolved": _action_resolved,
    },
    ignores=SESSIONS | TASKS | KEPT | LATER,
)
