"""`Brain`: everything a decision may rest on, folded from one user's stream by domain/evolve.py.

Immutable; every collection has a cap from domain/limits.py. It holds no message text, note text or conversation
title: those are sealed under keys that can be destroyed, and must not survive here. Snapshots are a stored `Brain`;
change a field and raise `BRAIN_SCHEMA`, then old snapshots are left aside and the stream is folded again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from domain import limits
from domain.travel import Offer, RankedOffer, Trip
from domain.values import (
    ActionStatus,
    BookingStep,
    Budget,
    CalendarEntry,
    CalendarSource,
    Json,
    Memory,
    Plan,
    ReplyRef,
    StepStatus,
    Task,
    Wish,
)

BRAIN_SCHEMA = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    key_id: str
    conversation_id: str
    main: bool
    archived: bool = False
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`stopping`: a stop was asked for and the running worker has not ended it yet."""

    ref: ReplyRef
    status: Literal["queued", "running", "stopping", "completed", "failed", "stopped"] = "queued"
    attempt: int = 0
    tries: int = 0
    owner: str = ""
    reserved_tokens: int = 0
    version: int

    @property
    def ended(self) -> bool:
        return self.status in ("completed", "failed", "stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextEntry:
    """Where the text of a message lies in the stream. Entries sort as a reader sees them: question, answer."""

    turn: int
    role: Literal["user", "assistant"]
    id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    message_id: str
    reply_id: str
    conversation_ref: str
    attempt: int
    kind: str
    ordinal: int
    status: ActionStatus
    result_id: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """`remind_at_ms` is the instant at which its reminder is to fire, None where none is; `reminded_ms` the one for
    which it fired last."""

    task: Task
    created_from: str | None
    created_at_ms: int
    version: int
    remind_at_ms: int | None = None
    reminded_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryState:
    memory: Memory
    pinned_at_ms: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteState:
    """`event_version` is where its text lies in the stream."""

    key_id: str
    event_version: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceState:
    key: str
    value: Json
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    opened_at_ms: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """`basis` is a hash of what it rests on; None for a plan that the user wrote."""

    date: str
    plan: Plan
    basis: str | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarState:
    entry: CalendarEntry
    source: CalendarSource
    created_from: str | None
    created_at_ms: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TripState:
    trip: Trip
    workflow_id: str
    calendar_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowState:
    """Flights that were found, from the best down, the one selected, how far its booking is, and the tasks it made."""

    travel_event_id: str | None
    destination: str
    departure_date: str
    offers: tuple[RankedOffer, ...]
    selected: Offer | None = None
    steps: Mapping[BookingStep, StepStatus] = field(default_factory=dict)
    task_ids: tuple[str, ...] = ()
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceJobState:
    status: Literal["running", "completed", "failed"]
    message_id: str | None = None
    code: str | None = None
    speak: bool = False
    started_at_ms: int
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Brain:
    """The state of one user. `usage_tokens` were settled, and `usage_searches` made, on `usage_day` (days since 1970,
    UTC). `warned` says for each budget in which window the user was told that it is nearly spent."""

    version: int = 0
    last_at_ms: int = 0
    erased: bool = False
    conversations: Mapping[str, Conversation] = field(default_factory=dict)
    main_conversation: str | None = None
    context: Mapping[str, tuple[ContextEntry, ...]] = field(default_factory=dict)
    sessions: Mapping[str, SessionState] = field(default_factory=dict)
    replies: Mapping[str, Reply] = field(default_factory=dict)
    reply_of: Mapping[str, str] = field(default_factory=dict)
    queue: tuple[str, ...] = ()
    accepted_at_ms: tuple[int, ...] = ()
    actions: Mapping[str, ActionRecord] = field(default_factory=dict)
    tasks: Mapping[str, TaskState] = field(default_factory=dict)
    memories: Mapping[str, MemoryState] = field(default_factory=dict)
    notes: Mapping[str, NoteState] = field(default_factory=dict)
    preferences: Mapping[str, PreferenceState] = field(default_factory=dict)
    usage_day: int = 0
    usage_tokens: int = 0
    usage_searches: int = 0
    warned: Mapping[Budget, int] = field(default_factory=dict)
    plans: Mapping[str, PlanState] = field(default_factory=dict)
    calendar: Mapping[str, CalendarState] = field(default_factory=dict)
    trips: Mapping[str, TripState] = field(default_factory=dict)
    workflows: Mapping[str, WorkflowState] = field(default_factory=dict)
    searches: tuple[str, ...] = ()
    voice_jobs: Mapping[str, VoiceJobState] = field(default_factory=dict)
    wishes: Mapping[Wish, int] = field(default_factory=dict)

    def preference(self, key: str) -> Json:
        for state in self.preferences.values():
            if state.key == key:
                return state.value
        return None

    @property
    def timezone(self) -> str:
        zone = self.preference("timezone")
        return zone if isinstance(zone, str) else "UTC"

    def tokens_spent(self, now_ms: int) -> int:
        """Tokens of today (UTC), settled and reserved."""
        settled = self.usage_tokens if self.usage_day == now_ms // limits.DAY_MS else 0
        return settled + sum(self.replies[reply_id].reserved_tokens for reply_id in self.queue)

    def searches_made(self, now_ms: int) -> int:
        """Flight searches of today (UTC)."""
        return self.usage_searches if self.usage_day == now_ms // limits.DAY_MS else 0

    def plan_of(self, date: str) -> PlanState | None:
        return next((state for state in self.plans.values() if state.date == date), None)

    def messages_within(self, window_ms: int, now_ms: int) -> int:
        """Times never go back within a stream, so those within the window are the last."""
        return len(self.accepted_at_ms) - bisect_right(self.accepted_at_ms, now_ms - window_ms)

    def find_reply(self, message_or_reply_id: str) -> Reply | None:
        """The reply with this id, or the newest reply to the message with this id."""
        return self.replies.get(self.reply_of.get(message_or_reply_id, message_or_reply_id))


EMPTY_BRAIN = Brain()
