"""Conversations: started by a first message, renamed, archived, restored, deleted for good."""

from __future__ import annotations

from dataclasses import dataclass

from commands.context import CommandContext
from domain import limits
from domain.brain import Brain, Conversation
from domain.errors import Conflict, Invalid, NotFound
from domain.events import (
    BrainEvent,
    ConversationArchived,
    ConversationDeleted,
    ConversationName,
    ConversationRenamed,
    ConversationRestored,
    ConversationStarted,
    ConversationTitle,
    ReplyStopped,
    ReplyText,
)
from domain.values import ModelUsage

MAIN_CONVERSATION_ID = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeConversation:
    """A merge patch: None leaves a property as it is."""

    conversation_ref: str
    title: str | None = None
    archived: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteConversation:
    conversation_ref: str


def start_conversation(ref: str, conversation_id: str, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    if len(brain.conversations) >= limits.CONVERSATIONS_MAX:
        raise Conflict(
            f"At most {limits.CONVERSATIONS_MAX} conversations. Delete one that you no longer need.",
            code="conversations_full",
        )
    return [
        ConversationStarted(
            conversation_ref=ref,
            key_id=context.new_key_id(),
            main=conversation_id == MAIN_CONVERSATION_ID,
            content=ConversationName(conversation_id=conversation_id),
        )
    ]


def _known_conversation(brain: Brain, ref: str) -> Conversation:
    conversation = brain.conversations.get(ref)
    if conversation is None:
        raise NotFound("There is no such conversation.", code="conversation_unknown")
    return conversation


def change_conversation(command: ChangeConversation, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """The title is not in the state (it is under a destroyable key), so naming it the same again is an event too."""
    known = _known_conversation(brain, command.conversation_ref)
    events: list[BrainEvent] = []
    if command.title is not None:
        title = command.title.strip()
        if not title or len(title) > limits.TITLE_CHARACTERS_MAX:
            raise Invalid(f"A title has 1 to {limits.TITLE_CHARACTERS_MAX} characters.", code="title_invalid")
        content = ConversationTitle(conversation_id=known.conversation_id, title=title)
        events.append(ConversationRenamed(conversation_ref=command.conversation_ref, content=content))
    name = ConversationName(conversation_id=known.conversation_id)
    if command.archived is True and not known.archived:
        events.append(ConversationArchived(conversation_ref=command.conversation_ref, content=name))
    if command.archived is False and known.archived:
        events.append(ConversationRestored(conversation_ref=command.conversation_ref, content=name))
    return events


def delete_conversation(command: DeleteConversation, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Its waiting and running replies end in the same command; its key is destroyed after the commit, by a sweep."""
    known = _known_conversation(brain, command.conversation_ref)
    events: list[BrainEvent] = [
        stopped_for_good(brain, reply_id)
        for reply_id in brain.queue
        if brain.replies[reply_id].ref.conversation_ref == command.conversation_ref
    ]
    events.append(
        ConversationDeleted(
            conversation_ref=command.conversation_ref,
            key_id=known.key_id,
            content=ConversationName(conversation_id=known.conversation_id),
        )
    )
    return events


def stopped_for_good(brain: Brain, reply_id: str) -> ReplyStopped:
    """The end of a waiting or running reply whose text nobody will read."""
    reply = brain.replies[reply_id]
    name = brain.conversations[reply.ref.conversation_ref].conversation_id
    nothing = ReplyText(conversation_id=name, text="")
    return ReplyStopped(reply=reply.ref, attempt=reply.attempt, usage=ModelUsage(), manifest=None, content=nothing)
