"""Chat: a message is received and its reply asked for; a reply is stopped or asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from commands.budgets import warn_of_messages
from commands.context import CommandContext
from commands.conversations import MAIN_CONVERSATION_ID, start_conversation
from commands.sessions import open_session
from domain import limits
from domain.brain import Brain, Reply
from domain.errors import Conflict, Invalid, NotFound, TooMany
from domain.events import (
    BrainEvent,
    MessageReceived,
    MessageText,
    ReplyRequested,
    ReplyStopped,
    ReplyStopRequested,
    ReplyText,
)
from domain.text import clean
from domain.values import Channel, ModelUsage, ReplyRef


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMessage:
    """`conversation_id` None means the main conversation; `conversation_ref` is its keyed hash, given in both cases.

    `context_ids` are the ids that the client named, each with the note ref that it would have.
    """

    channel: Channel
    text: str
    conversation_id: str | None
    conversation_ref: str
    context_ids: Sequence[tuple[str, str]] = ()
    client_message_id: str | None = None
    session_id: str | None = None
    language: str | None = None
    intent: str | None = None
    speak: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StopReply:
    """`id` of the reply, or of the message that it answers."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegenerateReply:
    """`id` of the reply, or of the message that it answers."""

    id: str


def post_message(command: PostMessage, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    check_text(command.text)
    check_rate(brain, context)
    return message_events(command, brain, context)


def check_text(text: str) -> None:
    """Raises `Invalid`."""
    if not clean(text).strip():
        raise Invalid("The message has no text. Write something and send it again.", code="text_empty")
    if len(text) > limits.MESSAGE_CHARACTERS_MAX:
        raise Invalid(
            f"A message has at most {limits.MESSAGE_CHARACTERS_MAX} characters. Send a longer text as a note.",
            code="text_too_long",
        )


def message_events(command: PostMessage, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """What the message leads to, once its text and the rate have been checked."""
    note_versions = _note_versions(command, brain)
    events: list[BrainEvent] = []
    session_id = command.session_id
    if session_id is None:
        session_id = list(brain.sessions)[-1] if brain.sessions else None
        if session_id is None:
            events += open_session(brain, session_id := context.new_id("s"))
    elif session_id not in brain.sessions:
        raise NotFound("There is no such session. Open one with POST /api/v1/sessions.", code="session_unknown")
    conversation_id = command.conversation_id or MAIN_CONVERSATION_ID
    if command.conversation_ref not in brain.conversations:
        events += start_conversation(command.conversation_ref, conversation_id, brain, context)
    message_id, reply_id = context.new_id("m", 0), context.new_id("m", 1)
    message_version = brain.version + len(events) + 1
    speak = command.speak or brain.preference("speak") is True
    events.append(
        MessageReceived(
            message_id=message_id,
            conversation_ref=command.conversation_ref,
            session_id=session_id,
            channel=command.channel,
            speak=speak,
            note_versions=note_versions,
            content=MessageText(
                conversation_id=conversation_id,
                text=command.text,
                client_message_id=command.client_message_id,
                context_ids=tuple(dict.fromkeys(given for given, _ in command.context_ids)),
                language=command.language,
                intent=command.intent,
            ),
        )
    )
    reply = ReplyRef(
        reply_id=reply_id,
        message_id=message_id,
        message_version=message_version,
        conversation_ref=command.conversation_ref,
        channel=command.channel,
        requested_at_ms=context.now_ms,
        origin="schedule" if context.origin == "schedule" else "user",
        speak=speak,
    )
    events.append(ReplyRequested(reply=reply, content=ReplyText(conversation_id=conversation_id)))
    return [*events, *warn_of_messages(brain, context)]


def check_rate(brain: Brain, context: CommandContext) -> None:
    """Raises `TooMany`."""
    if len(brain.queue) > limits.REPLIES_WAITING_MAX:
        raise TooMany(
            f"{limits.REPLIES_WAITING_MAX} messages already wait for an answer. Wait for one to end, or stop it.",
            code="replies_waiting",
            retry_after_seconds=5,
        )
    per_minute = context.limits.messages_per_minute
    if context.ahead_ms > limits.RATE_WINDOW_MS:
        return  # until the clock has caught up all that is said has one time: nobody can tell how much in a minute
    if per_minute and brain.messages_within(limits.RATE_WINDOW_MS, context.now_ms) >= per_minute:
        oldest_ms = brain.accepted_at_ms[-per_minute]
        wait_seconds = max(1.0, (oldest_ms + limits.RATE_WINDOW_MS - context.now_ms) / 1000)
        raise TooMany(
            f"At most {per_minute} messages in 60 seconds. Wait a little and send it again.",
            code="messages_per_minute",
            retry_after_seconds=wait_seconds,
        )


def _note_versions(command: PostMessage, brain: Brain) -> tuple[int, ...]:
    versions: dict[int, None] = {}
    for given, note_ref in command.context_ids:
        note = brain.notes.get(note_ref)
        if note is not None:
            versions[note.event_version] = None
        elif given not in brain.tasks and given not in brain.memories:
            raise NotFound(
                "contextIds names something that does not exist. Use the ids of your notes, tasks or memories.",
                code="context_unknown",
            )
    return tuple(versions)


def _known_reply(brain: Brain, given: str) -> Reply:
    reply = brain.find_reply(given)
    if reply is None:
        raise NotFound("There is no such message.", code="message_unknown")
    return reply


def stop_reply(command: StopReply, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """Not started: stopped at once. Running: the worker ends it. Ended or already stopping: nothing happens."""
    reply = _known_reply(brain, command.id)
    content = ReplyText(conversation_id=brain.conversations[reply.ref.conversation_ref].conversation_id)
    if reply.status == "queued":
        stopped = ReplyText(conversation_id=content.conversation_id, text="")
        return [ReplyStopped(reply=reply.ref, attempt=0, usage=ModelUsage(), manifest=None, content=stopped)]
    if reply.status == "running":
        return [ReplyStopRequested(reply=reply.ref, content=content)]
    return []


def regenerate_reply(command: RegenerateReply, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    reply = _known_reply(brain, command.id)
    if not reply.ended:
        raise Conflict("This reply is still being written. Stop it first, or wait for its end.", code="reply_running")
    if brain.reply_of.get(reply.ref.message_id) != reply.ref.reply_id:
        raise Conflict("This reply was regenerated already. Use the id of the newest one.", code="reply_superseded")
    check_rate(brain, context)
    conversation = brain.conversations[reply.ref.conversation_ref]
    # The answer leads to a stream, so there has to be a session to stream to.
    events = [] if brain.sessions else open_session(brain, context.new_id("s"))
    again = ReplyRef(
        reply_id=context.new_id("m", 1),
        message_id=reply.ref.message_id,
        message_version=reply.ref.message_version,
        conversation_ref=reply.ref.conversation_ref,
        channel=reply.ref.channel,
        supersedes=reply.ref.reply_id,
        requested_at_ms=context.now_ms,
        origin=reply.ref.origin,
        speak=reply.ref.speak,
    )
    return [*events, ReplyRequested(reply=again, content=ReplyText(conversation_id=conversation.conversation_id))]
