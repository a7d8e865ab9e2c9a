"""Every fact that can stand in a user's stream.

An event is a frozen dataclass. Its own fields are *clear*: ids, kinds, statuses, versions, counts, instants. What a
user typed, or what was derived from it, lives in `content`, which is encrypted in the log and is `REDACTED` once its
key was destroyed. An event that changes an object carries the whole object, so that a view needs no earlier one.

Names in `EVENTS` (domain/event_types.py) are for ever: a renamed class keeps its name there. A field may be added with
a default; anything else is a new event name, or a new schema version with an upcaster in `infra/codec.py` and an old
history in `tests/replay/histories/`.

What the user keeps, plans, travels and speaks has modules of its own (kept_events, day_events, travel_events,
voice_events); all events are imported from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.day_events import (
    BudgetWarned,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    DayPlan,
    PlanSet,
    ReminderFired,
    WishScheduled,
)
from domain.kept_events import (
    MemoryForgotten,
    MemoryPinned,
    NoteAdded,
    NoteDeleted,
    NoteName,
    NoteText,
    Preference,
    PreferenceSet,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskReopened,
    TaskUpdated,
)
from domain.travel_events import (
    BookingStepTaken,
    FlightSearchStarted,
    FlightSelected,
    FlightsFound,
    FoundFlights,
    TripDetected,
    TripForgotten,
)
from domain.values import (
    ActionStatus,
    Channel,
    Json,
    Manifest,
    ModelUsage,
    Origin,
    Provenance,
    Redacted,
    ReplyRef,
)
from domain.voice_events import SpeechMade, VoiceJobEnded, VoiceJobStarted, VoiceRequest

__all__ = [
    "ActionCreated",
    "ActionPayload",
    "ActionResolved",
    "BookingStepTaken",
    "BrainEvent",
    "BudgetWarned",
    "CalendarEventAdded",
    "CalendarEventChanged",
    "CalendarEventRemoved",
    "ConversationArchived",
    "ConversationDeleted",
    "ConversationName",
    "ConversationRenamed",
    "ConversationRestored",
    "ConversationStarted",
    "ConversationTitle",
    "DayPlan",
    "Fact",
    "FlightSearchStarted",
    "FlightSelected",
    "FlightsFound",
    "FoundFlights",
    "MemoryForgotten",
    "MemoryPinned",
    "MessageReceived",
    "MessageText",
    "Meta",
    "NoteAdded",
    "NoteDeleted",
    "NoteName",
    "NoteText",
    "PlanSet",
    "Preference",
    "PreferenceSet",
    "ReminderFired",
    "ReplyCompleted",
    "ReplyFailed",
    "ReplyRequested",
    "ReplyStarted",
    "ReplyStopRequested",
    "ReplyStopped",
    "ReplyText",
    "SessionClosed",
    "SessionOpened",
    "SpeechMade",
    "TaskCompleted",
    "TaskCreated",
    "TaskDeleted",
    "TaskReopened",
    "TaskUpdated",
    "TripDetected",
    "TripForgotten",
    "UserErased",
    "VoiceJobEnded",
    "VoiceJobStarted",
    "VoiceRequest",
    "WishScheduled",
]

# --- conversations and sessions -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationName:
    conversation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationStarted:
    """`key_id` seals the text of this conversation; destroying it is how the conversation is deleted for good."""

    conversation_ref: str
    key_id: str
    main: bool
    content: ConversationName | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationTitle:
    conversation_id: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRenamed:
    conversation_ref: str
    content: ConversationTitle | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationArchived:
    conversation_ref: str
    content: ConversationName | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRestored:
    conversation_ref: str
    content: ConversationName | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationDeleted:
    conversation_ref: str
    key_id: str
    content: ConversationName | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed:
    session_id: str


# --- chat -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageText:
    conversation_id: str
    text: str
    client_message_id: str | None = None
    context_ids: tuple[str, ...] = ()
    language: str | None = None
    intent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived:
    """`note_versions` are the stream versions of the notes named in `contextIds`."""

    message_id: str
    conversation_ref: str
    session_id: str | None
    channel: Channel
    speak: bool = False
    note_versions: tuple[int, ...] = ()
    content: MessageText | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyText:
    """`text` is None until the reply has ended."""

    conversation_id: str
    text: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequested:
    reply: ReplyRef
    content: ReplyText | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStarted:
    """The claim of a worker. `attempt` is the fencing token: an append under an older one is refused.

    `tries` counts the claims that called a model; taking over only to end a reply is not one.
    """

    reply: ReplyRef
    attempt: int
    tries: int
    owner: str
    reserved_tokens: int
    content: ReplyText | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStopRequested:
    reply: ReplyRef
    content: ReplyText | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyCompleted:
    """`canned` when the text is ours and not the model's; `code` then says why (`budget_spent`)."""

    reply: ReplyRef
    attempt: int
    canned: bool = False
    code: str | None = None
    usage: ModelUsage
    manifest: Manifest | None
    content: ReplyText | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFailed:
    reply: ReplyRef
    attempt: int
    code: str
    usage: ModelUsage
    manifest: Manifest | None
    content: ReplyText | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyStopped:
    reply: ReplyRef
    attempt: int
    usage: ModelUsage
    manifest: Manifest | None
    content: ReplyText | Redacted


# --- actions: what the assistant did, or would do, for a message ------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPayload:
    conversation_id: str
    payload: Mapping[str, Json]
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionCreated:
    """An action's identity is (user message, kind, n-th of that kind): `action_id` is derived from it."""

    action_id: str
    message_id: str
    reply_id: str
    conversation_ref: str
    attempt: int
    kind: str
    ordinal: int
    status: ActionStatus
    result_id: str | None = None
    content: ActionPayload | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionResolved:
    """A proposed action was approved or rejected, or a committed one undone."""

    action_id: str
    message_id: str
    reply_id: str
    conversation_ref: str
    attempt: int
    kind: str
    ordinal: int
    status: ActionStatus
    result_id: str | None = None
    content: ActionPayload | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class UserErased:
    """The last event of a stream. Nothing can follow it."""


BrainEvent = (
    ConversationStarted
    | ConversationRenamed
    | ConversationArchived
    | ConversationRestored
    | ConversationDeleted
    | SessionOpened
    | SessionClosed
    | MessageReceived
    | ReplyRequested
    | ReplyStarted
    | ReplyStopRequested
    | ReplyCompleted
    | ReplyFailed
    | ReplyStopped
    | ActionCreated
    | ActionResolved
    | TaskCreated
    | TaskUpdated
    | TaskCompleted
    | TaskReopened
    | TaskDeleted
    | MemoryPinned
    | MemoryForgotten
    | NoteAdded
    | NoteDeleted
    | PreferenceSet
    | PlanSet
    | CalendarEventAdded
    | CalendarEventChanged
    | CalendarEventRemoved
    | ReminderFired
    | WishScheduled
    | BudgetWarned
    | TripDetected
    | TripForgotten
    | FlightSearchStarted
    | FlightsFound
    | FlightSelected
    | BookingStepTaken
    | VoiceJobStarted
    | VoiceJobEnded
    | SpeechMade
    | UserErased
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """What every event carries beside itself.

    `end_version` is the stream version at the end of the command that made the event: the version that its objects
    show. `causation_id` is the command or event that led to it, `correlation_id` the message or request at the root.
    """

    event_id: str
    command_id: str
    causation_id: str
    correlation_id: str
    origin: Origin
    at_ms: int
    end_version: int
    key_id: str | None = field(default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """An event at its place in a user's stream. Versions start at 1 and have no gaps."""

    version: int
    event: BrainEvent
    meta: Meta
