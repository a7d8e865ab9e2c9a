"""What the assistant does for a message: one action at a time, under the attempt of the reply that proposed it.

An action that was committed under a dead attempt stands: running it again changes nothing, for its identity is
(user message, kind, n-th of that kind).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from commands.context import CommandContext, action_id
from commands.memory import ForgetMemory, PinMemory, forget_memory, pin_memory
from commands.preferences import SetPreference, set_preference
from commands.tasks import CompleteTask, CreateTask, DeleteTask, UpdateTask, change_task, create_task
from domain import limits
from domain.brain import Brain
from domain.errors import DomainError, StaleAttempt
from domain.events import (
    ActionCreated,
    ActionPayload,
    BrainEvent,
    MemoryForgotten,
    MemoryPinned,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskUpdated,
)
from domain.values import ActionStatus, Json

Deed = CreateTask | UpdateTask | CompleteTask | DeleteTask | PinMemory | ForgetMemory | SetPreference


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAction:
    """`deed` is the command that does it, `payload` what the model said, as the card shows it."""

    reply_id: str
    attempt: int
    kind: str
    ordinal: int
    payload: Mapping[str, Json]
    deed: Deed


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


def _do(deed: Deed, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    match deed:
        case CreateTask():
            return create_task(deed, brain, context)
        case UpdateTask() | CompleteTask() | DeleteTask():
            return change_task(deed, brain, context)
        case PinMemory():
            return pin_memory(deed, brain, context)
        case ForgetMemory():
            return forget_memory(deed, brain, context)
        case SetPreference():
            return set_preference(deed, brain, context)


def _result_id(events: list[BrainEvent]) -> str | None:
    """The id of what was made or changed; a preference has none but its key, which the user chose: it stays sealed."""
    for event in events:
        match event:
            case TaskCreated() | TaskUpdated() | TaskCompleted() | TaskDeleted():
                return event.task_id
            case MemoryPinned() | MemoryForgotten():
                return event.memory_id
            case _:
                continue
    return None
