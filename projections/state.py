"""The view `state`: every object of a user as it is now, and a tombstone for each that is gone.

Answers /state, its changes since a version, and the lists of memories, notes, preferences and sessions
(state_queries.py); voice.py is the part of it about speech. A row keeps the stored event that made it what it is;
whoever answers the user opens that.
"""

from __future__ import annotations

from collections.abc import Sequence

from projections import voice
from projections.event_groups import BUDGETS, CALENDAR, TRAVEL, WISHES
from projections.view import Change, Column, Index, Insert, Key, Patch, Seen, Sweep, Table, Upsert, Values, View

# `list` is where a row stands; a tombstone stands nowhere. `ord` is its place there. `changed_version` is the stream
# version at the end of the command that changed it last. `version`, `name`, `state`: the event it is rendered from;
# `title_…`: the one that named a conversation. `reply_id`: of an action, the message that shows it.
OBJECTS = Table(
    "state_objects",
    [Column("kind", "text"), Column("id", "text")],
    [
        Column("list", "text", nullable=True),
        Column("ord", "bigint"),
        Column("changed_version", "bigint"),
        Column("version", "bigint", nullable=True),
        Column("name", "text", nullable=True),
        Column("state", "bytea", nullable=True),
        Column("conversation_ref", "text", nullable=True),
        Column("reply_id", "text", nullable=True),
        Column("title_version", "bigint", nullable=True),
        Column("title_state", "bytea", nullable=True),
    ],
    indexes=[Index(("list", "ord")), Index(("changed_version",)), Index(("reply_id",), present="reply_id")],
)

_CHANGED = OBJECTS.shape("changed_version")
_EVENT = OBJECTS.shape("changed_version", "version", "name", "state")
_MOVED = OBJECTS.shape("list", "ord", "changed_version", "version", "name", "state")
_LIST = OBJECTS.shape("changed_version", "list")
_TITLE = OBJECTS.shape("changed_version", "title_version", "title_state")
_GONE = OBJECTS.shape(
    *("changed_version", "version", "name", "state", "list"),
    *("conversation_ref", "reply_id", "title_version", "title_state"),
)

MESSAGES = "messages"
TASKS_OPEN = "tasks.open"
TASKS_DONE = "tasks.done"
MEMORIES = "memories"
NOTES = "notes"
PREFERENCES = "preferences"
SESSIONS = "sessions"
CONVERSATIONS = "conversations"
CONVERSATIONS_ARCHIVED = "conversations.archived"
ACTIONS = "actions"
PLANS = "plans"


def _row(event: Seen, list_name: str, conversation_ref: str | None = None, reply_id: str | None = None) -> Values:
    """In the order of the table's columns: this is made for most events of the log."""
    version, end = event.version, event.end_version
    return (list_name, version, end, version, event.name, event.state, conversation_ref, reply_id, None, None)


def _event(event: Seen) -> Values:
    return (event.end_version, event.version, event.name, event.state)


def _tombstone(event: Seen) -> Values:
    """`conversation_ref` goes too: a conversation of the same name may come, and be deleted, again."""
    return (event.end_version, None, None, None, None, None, None, None, None)


def _named_tombstone(event: Seen) -> Values:
    """Keeps the event, which has the id that the client chose, under the user's key."""
    return (event.end_version, event.version, event.name, event.state, None, None, None, None, None)


def _key(event: Seen, kind: str, object_id: str) -> Key:
    return event.user_id, kind, object_id


# --- conversations and sessions -------------------------------------------------------------------------------


def _conversation_started(event: Seen) -> Sequence[Change]:
    ref = event.data.conversation_ref
    return [Upsert(OBJECTS, _key(event, "conversation", ref), _row(event, CONVERSATIONS, ref))]


def _conversation_renamed(event: Seen) -> Sequence[Change]:
    key = _key(event, "conversation", event.data.conversation_ref)
    return [Patch(_TITLE, key, (event.end_version, event.version, event.state))]


def _conversation_moved(event: Seen) -> Sequence[Change]:
    list_name = CONVERSATIONS_ARCHIVED if event.name == "ConversationArchived" else CONVERSATIONS
    return [Patch(_LIST, _key(event, "conversation", event.data.conversation_ref), (event.end_version, list_name))]


def _conversation_deleted(event: Seen) -> Sequence[Change]:
    ref = event.data.conversation_ref
    return [
        Sweep(OBJECTS, event.user_id, {"conversation_ref": ref}, _GONE, _tombstone(event)),
        Patch(_GONE, _key(event, "conversation", ref), _named_tombstone(event)),
        *voice.conversation_deleted(event),
    ]


def _session_opened(event: Seen) -> Sequence[Change]:
    return [Insert(OBJECTS, _key(event, "session", event.data.session_id), _row(event, SESSIONS))]


def _session_closed(event: Seen) -> Sequence[Change]:
    return [Patch(_GONE, _key(event, "session", event.data.session_id), _tombstone(event))]


# --- chat -----------------------------------------------------------------------------------------------------


def _message_received(event: Seen) -> Sequence[Change]:
    data = event.data
    return [Insert(OBJECTS, _key(event, "message", data.message_id), _row(event, MESSAGES, data.conversation_ref))]


def _reply_requested(event: Seen) -> Sequence[Change]:
    reply = event.data.reply
    return [Insert(OBJECTS, _key(event, "message", reply.reply_id), _row(event, MESSAGES, reply.conversation_ref))]


def _reply_changed(event: Seen) -> Sequence[Change]:
    return [Patch(_EVENT, _key(event, "message", event.data.reply.reply_id), _event(event))]


def _reply_completed(event: Seen) -> Sequence[Change]:
    return [*_reply_changed(event), *voice.reply_completed(event)]


def _action_created(event: Seen) -> Sequence[Change]:
    data = event.data
    row = _row(event, ACTIONS, data.conversation_ref, data.reply_id)
    return [Insert(OBJECTS, _key(event, "action", data.action_id), row), _message_shows_it(event)]


def _action_resolved(event: Seen) -> Sequence[Change]:
    return [Patch(_EVENT, _key(event, "action", event.data.action_id), _event(event)), _message_shows_it(event)]


def _message_shows_it(event: Seen) -> Change:
    """A message shows its actions, so it has changed with them."""
    return Patch(_CHANGED, _key(event, "message", event.data.reply_id), (event.end_version,))


# --- tasks, memories, notes, preferences ------------------------------------------------------------------------


def _task_created(event: Seen) -> Sequence[Change]:
    return [Insert(OBJECTS, _key(event, "task", event.data.task_id), _row(event, TASKS_OPEN))]


def _task_updated(event: Seen) -> Sequence[Change]:
    return [Patch(_EVENT, _key(event, "task", event.data.task_id), _event(event))]


def _task_moved(event: Seen) -> Sequence[Change]:
    """Done tasks stand in the order in which they were completed."""
    list_name = TASKS_DONE if event.name == "TaskCompleted" else TASKS_OPEN
    return [Patch(_MOVED, _key(event, "task", event.data.task_id), (list_name, event.version, *_event(event)))]


def _task_deleted(event: Seen) -> Sequence[Change]:
    return [Patch(_GONE, _key(event, "task", event.data.task_id), _tombstone(event))]


def _memory_pinned(event: Seen) -> Sequence[Change]:
    return [Upsert(OBJECTS, _key(event, "memory", event.data.memory_id), _row(event, MEMORIES))]


def _memory_forgotten(event: Seen) -> Sequence[Change]:
    return [Patch(_GONE, _key(event, "memory", event.data.memory_id), _tombstone(event))]


def _note_added(event: Seen) -> Sequence[Change]:
    return [Upsert(OBJECTS, _key(event, "note", event.data.note_ref), _row(event, NOTES))]


def _note_deleted(event: Seen) -> Sequence[Change]:
    return [Patch(_GONE, _key(event, "note", event.data.note_ref), _named_tombstone(event))]


def _preference_set(event: Seen) -> Sequence[Change]:
    return [Upsert(OBJECTS, _key(event, "preference", event.data.preference_ref), _row(event, PREFERENCES))]


def _plan_set(event: Seen) -> Sequence[Change]:
    return [Upsert(OBJECTS, _key(event, "plan", event.data.plan_ref), _row(event, PLANS))]


STATE = View(
    name="state",
    version=1,
    tables=(OBJECTS, voice.JOBS, voice.SPOKEN),
    handlers={
        "ConversationStarted": _conversation_started,
        "ConversationRenamed": _conversation_renamed,
        "ConversationArchived": _conversation_moved,
        "ConversationRestored": _conversation_moved,
        "ConversationDeleted": _conversation_deleted,
        "SessionOpened": _session_opened,
        "SessionClosed": _session_closed,
        "MessageReceived": _message_received,
        "ReplyRequested": _reply_requested,
        "ReplyStarted": _reply_changed,
        "ReplyStopRequested": _reply_changed,
        "ReplyCompleted": _reply_completed,
        "ReplyFailed": _reply_changed,
        "ReplyStopped": _reply_changed,
        "ActionCreated": _action_created,
        "ActionResolved": _action_resolved,
        "TaskCreated": _task_created,
        "TaskUpdated": _task_updated,
        "TaskCompleted": _task_moved,
        "TaskReopened": _task_moved,
        "TaskDeleted": _task_deleted,
        "ReminderFired": _task_updated,
        "MemoryPinned": _memory_pinned,
        "MemoryForgotten": _memory_forgotten,
        "NoteAdded": _note_added,
        "NoteDeleted": _note_deleted,
        "PreferenceSet": _preference_set,
        "PlanSet": _plan_set,
        **voice.HANDLERS,
    },
    ignores=CALENDAR | WISHES | BUDGETS | TRAVEL,
)
