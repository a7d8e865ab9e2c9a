"""The view `tasks`: a row a task, for lists with filters and paging. Deleted tasks leave none."""

from __future__ import annotations

from collections.abc import Sequence

from projections.event_groups import LATER
from projections.view import Change, Column, Index, Insert, Key, Patch, Remove, Seen, Table, View

# `ord` is the place in the stream at which the task got its status.
ROWS = Table(
    "tasks",
    [Column("id", "text")],
    [
        Column("status", "text"),
        Column("ord", "bigint"),
        Column("changed_version", "bigint"),
        Column("version", "bigint"),
        Column("name", "text"),
        Column("state", "bytea"),
    ],
    indexes=[Index(("status", "ord"))],
)


_EVENT = ROWS.shape("changed_version", "version", "name", "state")
_MOVED = ROWS.shape("status", "ord", "changed_version", "version", "name", "state")


def _key(event: Seen) -> Key:
    return event.user_id, event.data.task_id


def _created(event: Seen) -> Sequence[Change]:
    version = event.version
    return [Insert(ROWS, _key(event), ("open", version, event.end_version, version, event.name, event.state))]


def _updated(event: Seen) -> Sequence[Change]:
    return [Patch(_EVENT, _key(event), (event.end_version, event.version, event.name, event.state))]


def _moved(event: Seen) -> Sequence[Change]:
    status, version = "done" if event.name == "TaskCompleted" else "open", event.version
    return [Patch(_MOVED, _key(event), (status, version, event.end_version, version, event.name, event.state))]


def _deleted(event: Seen) -> Sequence[Change]:
    return [Remove(ROWS, _key(event))]


TASKS = View(
    name="tasks",
    version=1,
    tables=(ROWS,),
    handlers={
        "TaskCreated": _created,
        "TaskUpdated": _updated,
        "TaskCompleted": _moved,
        "TaskReopened": _moved,
        "TaskDeleted": _deleted,
    },
    ignores=frozenset(
        {
            *("ConversationStarted", "ConversationRenamed", "ConversationArchived", "ConversationRestored"),
            *("ConversationDeleted", "SessionOpened", "SessionClosed", "MessageReceived", "ReplyRequested"),
            *("ReplyStarted", "ReplyStopRequested", "ReplyCompleted", "ReplyFailed", "ReplyStopped"),
            *("ActionCreated", "ActionResolved", "MemoryPinned", "MemoryForgotten", "NoteAdded", "NoteDeleted"),
            "PreferenceSet",
        }
    )
    | LATER,
)
