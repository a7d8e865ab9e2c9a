"""What the assistant does for a message: one action at a time, under the attempt of the reply that proposed it.

An action that was committed under a dead attempt stands: running it again changes nothing, for its identity is
(user message, kind, n-th of that kind).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from commands.calendar import (
    MoveOccurrence,
    RemoveCalendarEvent,
    SetCalendarEvent,
    move_occurrence,
    remove_calendar_event,
    set_calendar_event,
)
from commands.context import CommandContext, action_id
from commands.memory import ForgetMemory, PinMemory, forget_memory, pin_memory
from commands.notes import AddNote, DeleteNote, add_note, delete_note
from commands.plans import SetPlan, set_plan
from commands.preferences import SetPreference, set_preference
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask, change_task, create_task
from commands.travel import KeepFlights, SelectFlight, keep_flights, select_flight
from domain import limits
from domain.brain import ActionRecord, Brain
from domain.errors import Conflict, DomainError, NotFound, StaleAttempt
from domain.events import (
    ActionCreated,
    ActionPayload,
    ActionResolved,
    BrainEvent,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    FlightSelected,
    FlightsFound,
    MemoryForgotten,
    MemoryPinned,
    NoteAdded,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskReopened,
    TaskUpdated,
)
from domain.values import REDACTED, ActionStatus, Json

TaskDeed = CreateTask | UpdateTask | CompleteTask | ReopenTask | DeleteTask
KeptDeed = PinMemory | ForgetMemory | AddNote | DeleteNote | SetPreference | SetPlan
CalendarDeed = SetCalendarEvent | MoveOccurrence | RemoveCalendarEvent
TravelDeed = KeepFlights | SelectFlight
Deed = TaskDeed | KeptDeed | CalendarDeed | TravelDeed


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAction:
    """`deed` is the command that does it, `payload` what the model said, as the card shows it. One that `waits` is
    put forward and not done: `ApproveAction` does it."""

    reply_id: str
    attempt: int
    kind: str
    ordinal: int
    payload: Mapping[str, Json]
    deed: Deed
    waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveAction:
    """`payload` is the proposed action's own, and `deed` what it comes to now; None where it did not wait when that
    was worked out."""

    action_id: str
    payload: Mapping[str, Json]
    deed: Deed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectAction:
    action_id: str
    payload: Mapping[str, Json]


def run_action(command: RunAction, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """The deed's events and the action; only the action, refused, where the deed is refused; nothing when done."""
    reply = brain.replies.get(command.reply_id)
    if reply is None or reply.attempt != command.attempt or reply.status != "running":
        raise StaleAttempt("No action can commit: the attempt is over or was asked to stop.")
    message_id = reply.ref.message_id
    identity = action_id(context.user_id, message_id, command.kind, command.ordinal)
    if identity in brain.actions:
        return []
    status: ActionStatus = "committed"
    reason: str | None = None
    events: list[BrainEvent] = []
    if sum(1 for known in brain.actions.values() if known.message_id == message_id) >= limits.ACTIONS_PER_MESSAGE_MAX:
        status, reason = "refused", f"At most {limits.ACTIONS_PER_MESSAGE_MAX} actions a message."
    elif command.waits:
        status = "proposed"
    else:
        try:
            events = _do(command.deed, brain, context)
        except DomainError as error:
            status, reason = "refused", error.detail
    conversation = brain.conversations[reply.ref.conversation_ref]
    created = ActionCreated(
        action_id=identity,
        message_id=message_id,
        reply_id=command.reply_id,
        conversation_ref=reply.ref.conversation_ref,
        attempt=command.attempt,
        kind=command.kind,
        ordinal=command.ordinal,
        status=status,
        result_id=_result_id(events),
        content=ActionPayload(
            conversation_id=conversation.conversation_id, payload=dict(command.payload), reason=reason
        ),
    )
    return [*events, created]


def resolve_action(command: ApproveAction | RejectAction, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    return _approve(command, brain, context) if isinstance(command, ApproveAction) else _reject(command, brain)


def _approve(command: ApproveAction, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """The deed's events and the action's new status; nothing when it is done. What refuses the deed is raised, and
    the action goes on waiting."""
    known = _waiting(brain, command.action_id, "committed")
    if known is None:
        return []
    if command.deed is None:
        raise Conflict("This action changed meanwhile. Send it again.", code="action_changed")
    events = _do(command.deed, brain, context)
    return [*events, _resolved(command.action_id, known, "committed", _result_id(events), command.payload, brain)]


def _reject(command: RejectAction, brain: Brain) -> list[BrainEvent]:
    known = _waiting(brain, command.action_id, "refused")
    if known is None:
        return []
    return [_resolved(command.action_id, known, "refused", None, command.payload, brain)]


def _waiting(brain: Brain, action_id: str, wanted: ActionStatus) -> ActionRecord | None:
    """The action, if it waits; None when it has become what is `wanted` already. Raises `NotFound` or `Conflict`."""
    known = brain.actions.get(action_id)
    if known is None:
        raise NotFound("There is no such action.", code="action_unknown")
    if known.status == wanted:
        return None
    if known.status != "proposed":
        raise Conflict(f"This action does not wait any more: it is {known.status}.", code="action_resolved")
    return known


def _resolved(
    action_id: str,
    known: ActionRecord,
    status: ActionStatus,
    result_id: str | None,
    payload: Mapping[str, Json],
    brain: Brain,
) -> ActionResolved:
    conversation = brain.conversations[known.conversation_ref]
    return ActionResolved(
        action_id=action_id,
        message_id=known.message_id,
        reply_id=known.reply_id,
        conversation_ref=known.conversation_ref,
        attempt=known.attempt,
        kind=known.kind,
        ordinal=known.ordinal,
        status=status,
        result_id=result_id,
        content=ActionPayload(conversation_id=conversation.conversation_id, payload=dict(payload)),
    )


def _do(deed: Deed, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    match deed:
        case CreateTask():
            return create_task(deed, brain, context)
        case UpdateTask() | CompleteTask() | ReopenTask() | DeleteTask():
            return change_task(deed, brain, context)
        case PinMemory():
            return pin_memory(deed, brain, context)
        case ForgetMemory():
            return forget_memory(deed, brain, context)
        case AddNote():
            return add_note(deed, brain, context)
        case DeleteNote():
            return delete_note(deed, brain, context)
        case SetPreference():
            return set_preference(deed, brain, context)
        case SetPlan():
            return set_plan(deed, brain, context)
        case SetCalendarEvent():
            return set_calendar_event(deed, brain, context)
        case MoveOccurrence():
            return move_occurrence(deed, brain, context)
        case RemoveCalendarEvent():
            return remove_calendar_event(deed, brain, context)
        case KeepFlights():
            return keep_flights(deed, brain, context)
        case SelectFlight():
            return select_flight(deed, brain, context)


def _result_id(events: list[BrainEvent]) -> str | None:
    """The id of what was made or changed; of a preference or a plan it is a key that stays sealed."""
    for event in events:
        match event:
            case TaskCreated() | TaskUpdated() | TaskCompleted() | TaskReopened() | TaskDeleted():
                return event.task_id
            case MemoryPinned() | MemoryForgotten():
                return event.memory_id
            case NoteAdded():
                # We made this id ourselves, so it says nothing; one that a client chose stays sealed.
                return None if event.content is REDACTED else event.content.note_id
            case CalendarEventAdded() | CalendarEventChanged() | CalendarEventRemoved():
                return event.calendar_id
            case FlightsFound() | FlightSelected():
                return event.workflow_id
            case _:
                continue
    return None
