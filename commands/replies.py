"""A reply's life, as its worker writes it: claimed, completed, failed, stopped. The attempt is the fencing token:
a worker whose attempt is over is refused here, against a state that the append proves fresh.
"""

from __future__ import annotations

from dataclasses import dataclass

from commands.budgets import warn_of_tokens
from commands.context import CommandContext
from domain.brain import Brain, Reply
from domain.errors import Invalid, NotFound, StaleAttempt
from domain.events import (
    BrainEvent,
    ReplyCompleted,
    ReplyFailed,
    ReplyStarted,
    ReplyStopped,
    ReplyText,
)
from domain.values import Manifest, ModelUsage, Provenance

# What a model may write in one reply; the worker cuts it before. Its event fits into a message of NATS, however the
# text is escaped: one that does not would keep all after it from other services.
REPLY_CHARACTERS_MAX = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StartReply:
    """The claim of the user's next reply. `after_attempt` is the attempt that the claimer saw last."""

    reply_id: str
    after_attempt: int
    owner: str
    lease_seconds: float
    reserved_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    text: str
    usage: ModelUsage
    manifest: Manifest | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteReply:
    """`canned` when the text is ours and not the model's, with the `code` that says why."""

    reply_id: str
    attempt: int
    ending: Ending
    canned: bool = False
    code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailReply:
    reply_id: str
    attempt: int
    ending: Ending
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndReplyByTakeover:
    """The end of a reply by somebody who did not stream it: reaper, `complete-llm`, or a stop whose worker died.

    Takes the next attempt and ends it in one command, so that clients see a restart and then the whole text.
    `after_attempt` None takes over whatever attempt runs; else only that one.
    """

    reply_id: str
    after_attempt: int | None
    owner: str
    ending: Ending
    failed_code: str | None = None


def _running(brain: Brain, reply_id: str, attempt: int) -> Reply:
    reply = brain.replies.get(reply_id)
    if reply is None or reply.ended or reply.attempt != attempt:
        raise StaleAttempt("This attempt is over: the reply has ended or another worker has it.")
    return reply


def start_reply(command: StartReply, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    if not brain.queue or brain.queue[0] != command.reply_id:
        raise StaleAttempt("This reply is not the user's next one.")
    reply = _running(brain, command.reply_id, command.after_attempt)
    if reply.status == "stopping":
        raise StaleAttempt("A stop was asked for: the reply is to be ended, not started.")
    return [
        ReplyStarted(
            reply=reply.ref,
            attempt=reply.attempt + 1,
            tries=reply.tries + 1,
            owner=command.owner,
            reserved_tokens=command.reserved_tokens,
            content=_content(brain, reply, None, None),
        )
    ]


def complete_reply(command: CompleteReply, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    """A reply that was asked to stop ends as stopped, with the text that was published."""
    reply = _running(brain, command.reply_id, command.attempt)
    ending = command.ending
    content = _content(brain, reply, ending.text, ending.provenance)
    warned = warn_of_tokens(brain, context, reply, ending.usage, is_spent=command.code == "budget_spent")
    if reply.status == "stopping":
        return [
            *warned,
            ReplyStopped(
                reply=reply.ref,
                attempt=command.attempt,
                usage=ending.usage,
                manifest=ending.manifest,
                content=content,
            ),
        ]
    return [
        *warned,
        ReplyCompleted(
            reply=reply.ref,
            attempt=command.attempt,
            canned=command.canned,
            code=command.code,
            usage=ending.usage,
            manifest=ending.manifest,
            content=content,
        ),
    ]


def fail_reply(command: FailReply, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    reply = _running(brain, command.reply_id, command.attempt)
    if reply.status == "stopping":
        return complete_reply(
            CompleteReply(reply_id=command.reply_id, attempt=command.attempt, ending=command.ending), brain, context
        )
    return [
        *warn_of_tokens(brain, context, reply, command.ending.usage),
        ReplyFailed(
            reply=reply.ref,
            attempt=command.attempt,
            code=command.code,
            usage=command.ending.usage,
            manifest=command.ending.manifest,
            content=_content(brain, reply, command.ending.text, command.ending.provenance),
        ),
    ]


def end_reply_by_takeover(command: EndReplyByTakeover, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    reply = brain.replies.get(command.reply_id)
    if reply is None:
        raise NotFound("There is no such reply.", code="message_unknown")
    if reply.ended:
        raise StaleAttempt("The reply has ended.")
    if command.after_attempt is not None and reply.attempt != command.after_attempt:
        raise StaleAttempt("Another worker has this reply.")
    if len(command.ending.text) > REPLY_CHARACTERS_MAX:
        raise Invalid(f"A reply has at most {REPLY_CHARACTERS_MAX} characters.", code="text_too_long")
    attempt = reply.attempt + 1
    started = ReplyStarted(
        reply=reply.ref,
        attempt=attempt,
        tries=reply.tries,
        owner=command.owner,
        reserved_tokens=0,
        content=_content(brain, reply, None, None),
    )
    content = _content(brain, reply, command.ending.text, command.ending.provenance)
    usage, manifest = command.ending.usage, command.ending.manifest
    begun = [started, *warn_of_tokens(brain, context, reply, usage)]
    if reply.status == "stopping":
        return [
            *begun,
            ReplyStopped(reply=reply.ref, attempt=attempt, usage=usage, manifest=manifest, content=content),
        ]
    if command.failed_code is not None:
        failed = ReplyFailed(
            reply=reply.ref,
            attempt=attempt,
            code=command.failed_code,
            usage=usage,
            manifest=manifest,
            content=content,
        )
        return [*begun, failed]
    completed = ReplyCompleted(reply=reply.ref, attempt=attempt, usage=usage, manifest=manifest, content=content)
    return [*begun, completed]


def _content(brain: Brain, reply: Reply, text: str | None, provenance: Provenance | None) -> ReplyText:
    conversation = brain.conversations[reply.ref.conversation_ref]
    return ReplyText(conversation_id=conversation.conversation_id, text=text, provenance=provenance)
