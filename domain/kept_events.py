"""Facts about what the assistant keeps for the user: tasks, pinned memories, notes, preferences.

The rules of domain/events.py hold.
"""

from __future__ import annotations

from dataclasses import dataclass

from domain.values import Json, Memory, Redacted, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCreated:
    """`remind_at_ms`, here and below: the instant at which its reminder is to fire; None where none is."""

    task_id: str
    created_from: str | None
    remind_at_ms: int | None = None
    content: Task | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskUpdated:
    """`reminded_ms`, here and below: the instant for which its reminder fired last."""

    task_id: str
    created_from: str | None
    created_at_ms: int
    remind_at_ms: int | None = None
    reminded_ms: int | None = None
    content: Task | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCompleted:
    task_id: str
    created_from: str | None
    created_at_ms: int
    reminded_ms: int | None = None
    content: Task | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReopened:
    task_id: str
    created_from: str | None
    created_at_ms: int
    remind_at_ms: int | None = None
    reminded_ms: int | None = None
    content: Task | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDeleted:
    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPinned:
    """Pinning the same type and key again keeps the id; `content.replaced` says what stood there."""

    memory_id: str
    content: Memory | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryForgotten:
    memory_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteText:
    note_id: str
    text: str
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAdded:
    note_ref: str
    key_id: str
    content: NoteText | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteName:
    note_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDeleted:
    note_ref: str
    key_id: str
    content: NoteName | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    key: str
    value: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceSet:
    preference_ref: str
    content: Preference | Redacted
