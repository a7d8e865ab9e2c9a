"""One call of the model, written into a reply's token stream: text as it comes, and actions committed on the way.

An action is proposed, committed under the attempt, and only then confirmed, by our words and from the facts. Owns no
decision about what follows when the call fails.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import cast

from commands.actions import RunAction
from commands.context import action_id
from commands.deeds import NotUnderstood, Proposal, Setting, read_call
from domain.brain import Brain, Reply
from domain.events import Fact
from domain.limits import ACTIONS_PER_MESSAGE_MAX
from domain.ports import ModelError, ModelEvent, ModelFinished, TextDelta, ToolCall
from domain.values import ModelUsage
from infra.keys import UserKeys
from infra.telemetry import get_logger
from workers.confirmations import TOO_MANY_ACTIONS, confirmation
from workers.context import Context, read_action
from workers.desk import Desk, Interruption, commit
from workers.llm.tokens import estimate_tokens
from workers.prompts import Prompt
from workers.token_stream import TokenStream

logger = get_logger("workers.answer")

GUARD_SECONDS = 5.0  # beyond the model's own deadline, should its client fail to keep it
CHARACTERS_PER_TOKEN_MAX = 64  # a model that ignores its limit is cut off
CHARACTERS_MAX = 190_000  # of the model's, with room left for our own words
DELTAS_A_TURN = 64  # between two turns of the event loop, should the model never wait for anything


class Answer:
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
        self.claimed_version = brain.version
        self.usage: ModelUsage | None = None  # as the model counted it, at the end
        self.was_heard = False
        self._desk = desk
        self._keys = keys
        self._reply = reply
        self._stream = stream
        self._interruption = interruption
        self._hash = hashlib.sha256()
        self._deltas = 0
        self._calls = 0
        self._ordinals: Counter[str] = Counter()

    @property
    def output_sha256(self) -> str:
        """SHA-256, hex, of what was received: the texts, and of each call its name and arguments."""
        return self._hash.hexdigest()

    def estimated_usage(self, prompt: Prompt, text: str) -> ModelUsage:
        return ModelUsage(input_tokens=prompt.tokens, output_tokens=estimate_tokens(text), estimated=True)

    async def write(self, context: Context, prompt: Prompt) -> None:
        """Raises `ModelError`, `Stopped`, `Lost`, or `StaleAttempt` where an action came too late."""
        for facts in context.done.values():
            self._stream.write_paragraph(confirmation(facts))
        seconds = self._desk.settings.llm_deadline_seconds + GUARD_SECONDS
        deadline = asyncio.get_running_loop().time() + seconds
        characters_max = min(CHARACTERS_MAX, prompt.request.max_tokens * CHARACTERS_PER_TOKEN_MAX)
        events = cast(AsyncGenerator[ModelEvent, None], self._desk.model.stream(prompt.request))
        offered = {tool.name for tool in prompt.request.tools}
        async with aclosing(events):
            while (call := await self._text_until_call(events, deadline, characters_max)) is not None:
                await self._act(call, offered, prompt.request.now_ms)
        if not self._stream.characters:
            raise ModelError("bad_answer", "the model said nothing", retryable=True)

    async def _text_until_call(
        self, events: AsyncGenerator[ModelEvent, None], deadline: float, characters_max: int
    ) -> ToolCall | None:
        """None at the end. Only here can a stop cut in: no command is under way."""
        left_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            async with self._interruption.possible(left_seconds):
                async for event in events:
                    self.was_heard = True
                    if isinstance(event, TextDelta):
                        self._hash.update(event.text.encode("utf-8", "surrogatepass"))
                        self._stream.write(event.text)
                        self._deltas += 1
                        if self._deltas % DELTAS_A_TURN == 0:
                            await asyncio.sleep(0)
                        if self._stream.characters > characters_max:
                            logger.warning("answer.cut_off", count=self._stream.characters)
                            return None
                    elif isinstance(event, ToolCall):
                        self._hash.update(f"{event.name}{event.arguments}".encode("utf-8", "surrogatepass"))
                        return event
                    elif isinstance(event, ModelFinished):
                        self.usage = event.usage
        except TimeoutError:
            raise ModelError("timeout", "the model took longer than its deadline", retryable=True) from None
        return None

    async def _act(self, call: ToolCall, offered: set[str], now_ms: int) -> None:
        self._calls += 1
        if self._calls > ACTIONS_PER_MESSAGE_MAX:
            if self._calls == ACTIONS_PER_MESSAGE_MAX + 1:
                self._stream.write_paragraph(TOO_MANY_ACTIONS)
            return
        # Calls that lead to nothing are counted too, so that a second attempt counts alike.
        self._ordinals[call.name] += 1
        ordinal = self._ordinals[call.name]
        message_id = self._reply.ref.message_id
        identity = action_id(self._keys.user_id, message_id, call.name, ordinal)
        if identity in self.brain.actions:
            return  # done by an earlier attempt, and confirmed at the start of this one
        try:
            if call.name not in offered:
                raise NotUnderstood("I may not do that here, so nothing was done.")
            proposal = read_call(call, self._setting(now_ms))
        except NotUnderstood as refusal:
            logger.info("answer.call_not_understood", tool=call.name if call.name in offered else "unknown")
            self._stream.write_paragraph(refusal.sentence)
            return
        self._stream.propose({"action": proposal.kind, "actionId": identity, "payload": dict(proposal.payload)})
        facts = await self._commit(proposal, ordinal, identity)
        self._stream.saw(self.brain.version)
        self._stream.write_paragraph(confirmation(facts))

    async def _commit(self, proposal: Proposal, ordinal: int, identity: str) -> Sequence[Fact]:
        user_id, attempt = self._keys.user_id, self._reply.attempt
        command = RunAction(
            reply_id=self._reply.ref.reply_id,
            attempt=attempt,
            kind=proposal.kind,
            ordinal=ordinal,
            payload=proposal.payload,
            deed=proposal.deed,
        )
        committed = await commit(
            self._desk,
            user_id,
            command,
            key=f"{self._reply.ref.reply_id}:{attempt}:{identity}",
            message_id=self._reply.ref.message_id,
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

    def _setting(self, now_ms: int) -> Setting:
        message_id = self._reply.ref.message_id
        return Setting.at(now_ms, self.brain, message_id, lambda key: self._keys.ref("preference", key))
