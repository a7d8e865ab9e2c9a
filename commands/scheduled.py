"""Messages that come by themselves, in the main conversation: nobody sent them, so no session and no rate is theirs."""

from __future__ import annotations

from commands.context import CommandContext
from commands.conversations import MAIN_CONVERSATION_ID, start_conversation
from domain import limits
from domain.brain import Brain
from domain.events import BrainEvent, MessageReceived, MessageText, ReplyRequested, ReplyText
from domain.values import ReplyRef


def has_place(brain: Brain, conversation_ref: str) -> bool:
    """Whether the main conversation, which has this keyed hash, is there or can be made."""
    return conversation_ref in brain.conversations or len(brain.conversations) < limits.CONVERSATIONS_MAX


def scheduled_message(
    text: str, conversation_ref: str, brain: Brain, context: CommandContext, *, intent: str | None = None
) -> tuple[list[BrainEvent], ReplyRef]:
    """The events that post it and ask for its reply, and that reply. Check `has_place` first."""
    events: list[BrainEvent] = []
    if conversation_ref not in brain.conversations:
        events += start_conversation(conversation_ref, MAIN_CONVERSATION_ID, brain, context)
    reply = ReplyRef(
        reply_id=context.new_id("m", 1),
        message_id=context.new_id("m", 0),
        message_version=brain.version + len(events) + 1,
        conversation_ref=conversation_ref,
        requested_at_ms=context.now_ms,
        origin="schedule",
    )
    received = MessageReceived(
        message_id=reply.message_id,
        conversation_ref=conversation_ref,
        session_id=None,
        channel="chat",
        content=MessageText(conversation_id=MAIN_CONVERSATION_ID, text=text, intent=intent),
    )
    requested = ReplyRequested(reply=reply, content=ReplyText(conversation_id=MAIN_CONVERSATION_ID))
    return [*events, received, requested], reply
