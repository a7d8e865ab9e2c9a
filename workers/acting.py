"""The actions of one attempt: each proposed, committed under it, and only then confirmed, by our words and from facts.

Owns what was done for the message, by this attempt and those before. Must not decide which calls come to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import msgspec

from commands.arguments import AddNoteArguments, read_arguments
from commands.context import action_id
from commands.deeds import read_call
from commands.setting import Proposal, Setting
from domain.brain import Brain, Reply
from domain.events import ActionCreated, Fact
from domain.ports import ToolCall
from domain.values import REDACTED, Json
from infra.keys.keyring import UserKeys
from infra.telemetry import get_logger
from workers.confirmations import confirmation
from workers.desk import Desk, Interruption, commit
from workers.prompts.context import read_action
from workers.token_stream import TokenStream
from workers.understanding.dates import with_dates
from workers.understanding.grounding import NOT_ASKED, is_spoken_of
from workers.understanding.notes import kept_notes

logger = get_logger("workers.acting")


class Acting:
    """`brain` is the state after the claim, and after each action the state that it left."""

    def __init__(
        self,
        desk: Desk,
        keys: UserKeys,
        reply: Reply,
        brain: Brain,
        stream: TokenStream,
        interruption: Interruption,
    ) -> None:
        self.brain = brain
        self.keys = keys
        self.reply = reply
        self.language: str | None = None  # of the message, as its client named it
        self.words = ""  # in which what is done must have been spoken of
        self.message = ""  # all of it: a note may be what the user pasted
        self.notes: Sequence[Fact] | None = None  # the user's, where the message may name one
        self._desk = desk
        self._stream = stream
        self._interruption = interruption
        self._deeds: set[bytes] = set()

    @property
    def done(self) -> int:
        return len(self._deeds)

    def identity(self, kind: str, ordinal: int) -> str:
        return action_id(self.keys.user_id, self.reply.ref.message_id, kind, ordinal)

    def tell_done(self, actions: Iterable[Sequence[Fact]]) -> None:
        """Confirm again what attempts before this one did."""
        for facts in actions:
            self._stream.write_lines(confirmation(facts))
            self._deeds.add(_deed_done(facts))

    async def run(self, call: ToolCall, ordinal: int, now_ms: int) -> None:
        """Raises `NotUnderstood` where the call comes to nothing."""
        if self.identity(call.name, ordinal) in self.brain.actions:
            return  # done by an earlier attempt, and confirmed at the start of this one
        setting = await with_dates(call, self.setting(now_ms), self.language)
        proposal = read_call(call, setting)
        arguments = read_arguments(call)
        words = f"{self.words}\n{self.message}" if isinstance(arguments, AddNoteArguments) else self.words
        if not is_spoken_of(arguments, proposal.payload, words):
            logger.warning("answer.call_not_asked_for", tool=call.name)
            self._stream.write_paragraph(NOT_ASKED)
            return
        await self.commit(proposal, ordinal)

    async def commit(self, proposal: Proposal, ordinal: int) -> None:
        """Propose, commit and confirm; nothing where the same was done already."""
        deed = _deed(proposal.kind, proposal.payload)
        if deed in self._deeds:
            logger.info("answer.call_repeated", tool=proposal.kind)
            return  # called and written out as well, or said in other words by another attempt
        identity = self.identity(proposal.kind, ordinal)
        self._stream.propose({"action": proposal.kind, "actionId": identity, "payload": dict(proposal.payload)})
        facts = await self._commit(proposal, ordinal, identity)
        self._deeds.add(deed)
        self._stream.saw(self.brain.version)
        self._stream.write_lines(confirmation(facts))

    async def _commit(self, proposal: Proposal, ordinal: int, identity: str) -> Sequence[Fact]:
        user_id, attempt = self.keys.user_id, self.reply.attempt
        command = proposal.command(reply_id=self.reply.ref.reply_id, attempt=attempt, ordinal=ordinal)
        committed = await commit(
            self._desk,
            user_id,
            command,
            key=f"{self.reply.ref.reply_id}:{attempt}:{identity}",
            message_id=self.reply.ref.message_id,
            causation_id=identity,
            interruption=self._interruption,
        )
        self.brain = committed.brain
        if committed.facts:
            return committed.facts
        facts = await read_action(self._desk.log, self._desk.keyring, user_id, self.brain, identity)
        if facts is None:
            raise AssertionError("an action that was committed just now is not in the stream")
        return facts

    def setting(self, now_ms: int) -> Setting:
        setting = Setting.at(now_ms, self.brain, self.reply.ref.message_id, self.keys.ref, self.language)
        return setting if self.notes is None else replace(setting, notes=kept_notes(self.notes, self.brain.timezone))


def _deed(kind: str, payload: Mapping[str, Json]) -> bytes:
    return msgspec.json.encode([kind, payload], order="sorted")


def _deed_done(facts: Sequence[Fact]) -> bytes:
    action = facts[-1].event
    if not isinstance(action, ActionCreated) or action.content is REDACTED:
        return b""
    return _deed(action.kind, action.content.payload)
