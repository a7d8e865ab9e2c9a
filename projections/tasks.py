"""The view `tasks`: a row a task, for lists with filters and paging. Deleted tasks leave none.

Beside them what comes due: the instants of reminders and of standing wishes, which the scheduler looks up across users.
"""

from __future__ import annotations

from collections.abc import Sequence

from projections.event_groups import ACTIONS, CONVERSATIONS, KEPT, LATER, MESSAGES, REMINDERS, REPLIES, SESSIONS, WISHES
from projections.view import Change, Column, Index, Insert, Key, Patch, Remove, Seen, Table, Upsert, View

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

# `kind` is `reminder`, with the id of a task, or `wish`, with the wish's name. What has fired leaves no row.
DUE = Table(
    "due_instants",
    [Column("kind", "text"), Column("id", "text")],
    [Column("at_ms", "bigint")],
    indexes=[Index(("at_ms",), across_users=True)],
)

_EVENT = ROWS.shape("changed_version", "version", "name", "state")
_MOVED = ROWS.shape("status", "ord", "changed_version", "version", "name", "state")


def _key(event: Seen) -> Key:
    return event.user_id, event.data.task_id


def _created(event: Seen) -> Sequence[Change]:
    version = event.version
    row = Insert(ROWS, _key(event), ("open", version, event.end_version, version, event.name, event.state))
    return [row] if event.data.remind_at_ms is None else [row, _reminder(event)]


def _updated(event: Seen) -> Sequence[Change]:
    row = Patch(_EVENT, _key(event), (event.end_version, event.version, event.name, event.state))
    return [row, _reminder(event)]


def _completed(event: Seen) -> Sequence[Change]:
    return [_moved(event, "done"), Remove(DUE, _due_key(event))]


def _reopened(event: Seen) -> Sequence[Change]:
    return [_moved(event, "open"), _reminder(event)]


def _moved(event: Seen, status: str) -> Change:
    version = event.version
    return Patch(_MOVED, _key(event), (status, version, event.end_version, version, event.name, event.state))


def _deleted(event: Seen) -> Sequence[Change]:
    return [Remove(ROWS, _key(event)), Remove(DUE, _due_key(event))]


# --- what comes due -------------------------------------------------------------------------------------------


def _due_key(event: Seen) -> Key:
    return event.user_id, "reminder", event.data.task_id


def _reminder(event: Seen) -> Change:
    return _due(_due_key(event), event.data.remind_at_ms)


def _wish_scheduled(event: Seen) -> Sequence[Change]:
    return [_due((event.user_id, "wish", event.data.wish), event.data.at_ms)]


def _due(key: Key, at_ms: int | None) -> Change:
    return Remove(DUE, key) if at_ms is None else Upsert(DUE, key, (at_ms,))


TASKS = View(
    name="tasks",
    version=1,
    tables=(ROWS, DUE),
    handlers={
        "TaskCreated": _created,
        "TaskUpdated": _updated,
        "TaskCompleted": _completed,
        "TaskReopened": _reopened,
        "TaskDeleted": _deleted,
        "ReminderFired": _updated,
        "WishScheduled": _wish_scheduled,
    },
    ignores=CONVERSATIONS | SESSIONS | MESSAGES | REPLIES | ACTIONS | KEPT | (LATER - REMINDERS - WISHES),
)
