"""One call of the model, written into a reply's token stream: text as it comes, and actions committed on the way.

An action is proposed, committed under the attempt, and only then confirmed, by our words and from the facts. Where the
user asked for one and the stream brought none that can be read, the model is asked once more; then the rules decide,
or nothing is done. Owns no decision about what follows when the call fails.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from commands.actions import RunAction
from commands.context import action_id
from commands.deeds import BadArguments, NotUnderstood, Proposal, Setting, read_arguments, read_call
from domain.brain import Brain, Reply
from domain.events import ActionCreated, Fact
from domain.limits import ACTIONS_PER_MESSAGE_MAX
from domain.ports import ModelError, ModelEvent, ModelFinished, ModelRequest, TextDelta, ToolCall, ToolSpec
from domain.values import REDACTED, Json, ModelUsage
from infra.keys import UserKeys
from infra.telemetry import counter, get_logger
from workers.confirmations import NOT_OFFERED, TOO_MANY_ACTIONS, confirmation
from workers.context import Context, question_text, read_action
from workers.dates import language_of, with_dates
from workers.desk import Desk, Interruption, commit
from workers.extraction import (
    Unreadable,
    calls_by_rule,
    extracted_calls,
    extraction_request,
    extraction_schema,
    repair_request,
    repair_schema,
)
from workers.intents import wants_action
from workers.llm.tokens import estimate_prompt_tokens, estimate_tokens
from workers.prompts import Prompt
from workers.redaction import hide, restore_in_json
from workers.restoring import restored
from workers.salvage import salvaged, unquoted
from workers.token_stream import TokenStream

logger = get_logger("workers.answer")

GUARD_SECONDS = 5.0  # beyond the model's own deadline, should its client fail to keep it
CHARACTERS_PER_TOKEN_MAX = 64  # a model that ignores its limit is cut off
CHARACTERS_MAX = 190_000  # of the model's, with room left for our own words
DELTAS_A_TURN = 64  # between two turns of the event loop, should the model never wait for anything
SECOND_LOOK_SECONDS_MAX = 30.0  # the answer is there already, and somebody waits for its end

QUESTIONS = counter("microcos_worker_second_looks", "Second questions to the model.", ("kind", "outcome"))


@dataclass(frozen=True, slots=True)
class _Garbled:
    """A call of a tool that was offered, whose arguments cannot be read."""

    call: ToolCall
    ordinal: int
    reason: BadArguments


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
        self._garbled: list[_Garbled] = []
        self._has_offered = False  # a call of a tool that was offered
        self._has_other = False
        self._language: str | None = None  # of the message, as its client named it
        self._deeds: set[bytes] = set()  # what was done for the message, by this attempt and those before

    @property
    def output_sha256(self) -> str:
        """SHA-256, hex, of what was received, with the user's real values: the texts, and of each call its name and
        arguments."""
        return self._hash.hexdigest()

    def estimated_usage(self, prompt: Prompt, text: str) -> ModelUsage:
        return ModelUsage(input_tokens=prompt.tokens, output_tokens=estimate_tokens(text), estimated=True)

    async def write(self, context: Context, prompt: Prompt) -> None:
        """Raises `ModelError`, `Stopped`, `Lost`, or `StaleAttempt` where an action came too late."""
        self._language = language_of(context.scene)
        for facts in context.done.values():
            self._stream.write_paragraph(confirmation(facts))
            self._deeds.add(_deed_done(facts))
        seconds = self._desk.settings.llm_deadline_seconds + GUARD_SECONDS
        deadline = asyncio.get_running_loop().time() + seconds
        characters_max = min(CHARACTERS_MAX, prompt.request.max_tokens * CHARACTERS_PER_TOKEN_MAX)
        offered = {tool.name: tool for tool in prompt.request.tools}
        heard = restored(self._desk.model.stream(prompt.request), prompt.placeholders)
        events = salvaged(heard, unquoted(offered, prompt.request.messages))
        async with aclosing(events):
            while (call := await self._text_until_call(events, deadline, characters_max)) is not None:
                await self._act(call, offered, prompt.request.now_ms)
        if not self._stream.characters and not self._calls:
            raise ModelError("bad_answer", "the model said nothing", retryable=True)
        done_before = len(self._deeds)
        if self._garbled:
            await self._repair(prompt, offered, deadline)
        elif not self._has_offered and not context.done:
            await self._extract(question_text(context.scene), prompt, offered, deadline)
        if self._has_other and len(self._deeds) == done_before:
            self._stream.write_paragraph(NOT_OFFERED)

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

    async def _act(self, call: ToolCall, offered: Mapping[str, ToolSpec], now_ms: int) -> None:
        self._calls += 1
        if self._calls > ACTIONS_PER_MESSAGE_MAX:
            if self._calls == ACTIONS_PER_MESSAGE_MAX + 1:
                self._stream.write_paragraph(TOO_MANY_ACTIONS)
            return
        # Calls that lead to nothing are counted too, so that a second attempt counts alike.
        self._ordinals[call.name] += 1
        if call.name not in offered:
            logger.info("answer.call_not_offered")
            self._has_other = True
            return
        self._has_offered = True
        await self._do(call, self._ordinals[call.name], now_ms)

    async def _do(self, call: ToolCall, ordinal: int, now_ms: int) -> None:
        identity = action_id(self._keys.user_id, self._reply.ref.message_id, call.name, ordinal)
        if identity in self.brain.actions:
            return  # done by an earlier attempt, and confirmed at the start of this one
        try:
            setting = await with_dates(call, self._setting(now_ms), self._language)
            proposal = read_call(call, setting)
        except BadArguments as reason:
            self._garbled.append(_Garbled(call, ordinal, reason))
            return
        except NotUnderstood as refusal:
            logger.info("answer.call_not_understood", tool=call.name)
            self._stream.write_paragraph(refusal.sentence)
            return
        deed = _deed(proposal.kind, proposal.payload)
        if deed in self._deeds:
            logger.info("answer.call_repeated", tool=call.name)
            return  # called and written out as well, or said in other words by another attempt
        self._stream.propose({"action": proposal.kind, "actionId": identity, "payload": dict(proposal.payload)})
        facts = await self._commit(proposal, ordinal, identity)
        self._deeds.add(deed)
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
        return Setting.at(now_ms, self.brain, message_id, lambda key: self._keys.ref("preference", key), self._language)

    # --- the second look --------------------------------------------------------------------------------------

    async def _repair(self, prompt: Prompt, offered: Mapping[str, ToolSpec], deadline: float) -> None:
        """Ask for the arguments of the first garbled call again. What stays garbled is dropped, and that is said."""
        first, now_ms = self._garbled[0], prompt.request.now_ms
        tool = offered[first.call.name]
        problem = hide(first.reason.problem, prompt.placeholders)
        request = repair_request(prompt.request, tool, problem, self._tokens_left(prompt))
        text = await self._ask("repair", request, repair_schema(tool), deadline, prompt.placeholders)
        if text is not None:
            del self._garbled[0]
            await self._do(ToolCall(first.call.call_id, tool.name, text), first.ordinal, now_ms)
        for garbled in self._garbled:
            logger.info("answer.call_not_understood", tool=garbled.call.name)
            self._stream.write_paragraph(garbled.reason.sentence)

    async def _extract(self, said: str, prompt: Prompt, offered: Mapping[str, ToolSpec], deadline: float) -> None:
        """Ask what the user's own words ask for, and only then; where that brings nothing, go by the rules."""
        wanted = wants_action(said)
        tools = [tool for name, tool in offered.items() if name in wanted]
        if not tools:
            return
        calls: list[ToolCall] = []
        request = extraction_request(prompt.request, tools, self._tokens_left(prompt))
        text = await self._ask("extraction", request, extraction_schema(tools), deadline, prompt.placeholders)
        if text is not None:
            try:
                calls = [call for call in extracted_calls(text, tools) if _is_readable(call)]
            except Unreadable:
                logger.info("answer.extraction_unreadable")
        for call in calls or calls_by_rule(said, tools):
            await self._act(call, offered, prompt.request.now_ms)

    async def _ask(
        self,
        kind: str,
        request: ModelRequest | None,
        schema: Mapping[str, Json],
        deadline: float,
        placeholders: Mapping[str, str],
    ) -> str | None:
        """The model's answer, with the user's real values; None where there is none, or no room for the question. The
        reply goes on without it."""
        if request is None or self.usage is None:
            QUESTIONS.labels(kind, "no_room").inc()
            return None
        spent = ModelUsage(input_tokens=estimate_prompt_tokens(request), estimated=True)
        seconds = min(SECOND_LOOK_SECONDS_MAX, deadline - asyncio.get_running_loop().time())
        try:
            async with self._interruption.possible(max(0.0, seconds)):
                answer = await self._desk.model.complete_json(request, schema)
            spent = answer.usage
        except (ModelError, TimeoutError) as error:
            code = error.code if isinstance(error, ModelError) else "timeout"
            logger.warning("answer.second_look_failed", kind=kind, code=code)
            QUESTIONS.labels(kind, code).inc()
            return None
        finally:
            self.usage = self.usage + spent
        QUESTIONS.labels(kind, "answered").inc()
        self._hash.update(answer.text.encode("utf-8", "surrogatepass"))
        return restore_in_json(answer.text, placeholders)

    def _tokens_left(self, prompt: Prompt) -> int:
        """Of what the claim reserved for the answer: the budget of a day is never overdrawn by a second question."""
        used = 0 if self.usage is None else self.usage.total_tokens
        return prompt.tokens + prompt.request.max_tokens - used


def _deed(kind: str, payload: Mapping[str, Json]) -> bytes:
    return msgspec.json.encode([kind, payload], order="sorted")


def _deed_done(facts: Sequence[Fact]) -> bytes:
    action = facts[-1].event
    if not isinstance(action, ActionCreated) or action.content is REDACTED:
        return b""
    return _deed(action.kind, action.content.payload)


def _is_readable(call: ToolCall) -> bool:
    try:
        read_arguments(call)
    except NotUnderstood:
        return False
    return True
