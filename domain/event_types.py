"""The table of all events: stable names, aggregates, key scopes and schema versions. Storage and bus rest on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from domain.events import (
    ActionCreated,
    ActionResolved,
    BookingStepTaken,
    BrainEvent,
    BudgetWarned,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    ConversationArchived,
    ConversationDeleted,
    ConversationRenamed,
    ConversationRestored,
    ConversationStarted,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    MemoryForgotten,
    MemoryPinned,
    MessageReceived,
    NoteAdded,
    NoteDeleted,
    PlanSet,
    PreferenceSet,
    ReminderFired,
    ReplyCompleted,
    ReplyFailed,
    ReplyRequested,
    ReplyStarted,
    ReplyStopped,
    ReplyStopRequested,
    SessionClosed,
    SessionOpened,
    SpeechMade,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskReopened,
    TaskUpdated,
    TripDetected,
    TripForgotten,
    UserErased,
    VoiceJobEnded,
    VoiceJobStarted,
    WishScheduled,
)

KeyScope = Literal["user", "conversation", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """How a kind of event is stored and published: NATS subject `evt.v1.<user>.<aggregate>.<name>`."""

    cls: type[BrainEvent]
    aggregate: str
    scope: KeyScope = "user"
    schema: int = 1


EVENTS: Mapping[str, EventType] = {
    "ConversationStarted": EventType(cls=ConversationStarted, aggregate="conversation"),
    "ConversationRenamed": EventType(cls=ConversationRenamed, aggregate="conversation", scope="conversation"),
    "ConversationArchived": EventType(cls=ConversationArchived, aggregate="conversation", scope="conversation"),
    "ConversationRestored": EventType(cls=ConversationRestored, aggregate="conversation", scope="conversation"),
    "ConversationDeleted": EventType(cls=ConversationDeleted, aggregate="conversation"),
    "SessionOpened": EventType(cls=SessionOpened, aggregate="session"),
    "SessionClosed": EventType(cls=SessionClosed, aggregate="session"),
    "MessageReceived": EventType(cls=MessageReceived, aggregate="message", scope="conversation"),
    "ReplyRequested": EventType(cls=ReplyRequested, aggregate="reply", scope="conversation"),
    "ReplyStarted": EventType(cls=ReplyStarted, aggregate="reply", scope="conversation"),
    "ReplyStopRequested": EventType(cls=ReplyStopRequested, aggregate="reply", scope="conversation"),
    "ReplyCompleted": EventType(cls=ReplyCompleted, aggregate="reply", scope="conversation"),
    "ReplyFailed": EventType(cls=ReplyFailed, aggregate="reply", scope="conversation"),
    "ReplyStopped": EventType(cls=ReplyStopped, aggregate="reply", scope="conversation"),
    "ActionCreated": EventType(cls=ActionCreated, aggregate="action", scope="conversation"),
    "ActionResolved": EventType(cls=ActionResolved, aggregate="action", scope="conversation"),
    "TaskCreated": EventType(cls=TaskCreated, aggregate="task"),
    "TaskUpdated": EventType(cls=TaskUpdated, aggregate="task"),
    "TaskCompleted": EventType(cls=TaskCompleted, aggregate="task"),
    "TaskReopened": EventType(cls=TaskReopened, aggregate="task"),
    "TaskDeleted": EventType(cls=TaskDeleted, aggregate="task"),
    "MemoryPinned": EventType(cls=MemoryPinned, aggregate="memory"),
    "MemoryForgotten": EventType(cls=MemoryForgotten, aggregate="memory"),
    "NoteAdded": EventType(cls=NoteAdded, aggregate="note", scope="note"),
    "NoteDeleted": EventType(cls=NoteDeleted, aggregate="note"),
    "PreferenceSet": EventType(cls=PreferenceSet, aggregate="preference"),
    "PlanSet": EventType(cls=PlanSet, aggregate="plan"),
    "CalendarEventAdded": EventType(cls=CalendarEventAdded, aggregate="calendar"),
    "CalendarEventChanged": EventType(cls=CalendarEventChanged, aggregate="calendar"),
    "CalendarEventRemoved": EventType(cls=CalendarEventRemoved, aggregate="calendar"),
    "ReminderFired": EventType(cls=ReminderFired, aggregate="task"),
    "WishScheduled": EventType(cls=WishScheduled, aggregate="wish"),
    "BudgetWarned": EventType(cls=BudgetWarned, aggregate="usage"),
    "TripDetected": EventType(cls=TripDetected, aggregate="travel"),
    "TripForgotten": EventType(cls=TripForgotten, aggregate="travel"),
    "FlightSearchStarted": EventType(cls=FlightSearchStarted, aggregate="travel"),
    "FlightsFound": EventType(cls=FlightsFound, aggregate="travel"),
    "FlightSelected": EventType(cls=FlightSelected, aggregate="travel"),
    "BookingStepTaken": EventType(cls=BookingStepTaken, aggregate="travel"),
    "VoiceJobStarted": EventType(cls=VoiceJobStarted, aggregate="voice"),
    "VoiceJobEnded": EventType(cls=VoiceJobEnded, aggregate="voice"),
    "SpeechMade": EventType(cls=SpeechMade, aggregate="voice"),
    "UserErased": EventType(cls=UserErased, aggregate="user"),
}

EVENT_NAMES: Mapping[type[BrainEvent], str] = {kind.cls: name for name, kind in EVENTS.items()}
