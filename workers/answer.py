"""One call of the model, written into a reply's token stream: text as it comes, and actions committed on the way.

Where the user asked for an action and the stream brought none that can be read, the model is asked once more; then the
rules decide, or nothing is done. Turns with steps of their own are in turns/. Owns no decision about what follows when
the call fails.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from commands.arguments import BadArguments, NotUnderstood, read_arguments
from commands.each_hour import calls_for_each_hour
from domain.brain import Brain, Reply
from domain.limits import ACTIONS_PER_MESSAGE_MAX
from domain.ports import ModelError, ModelEvent, ModelFinished, TextDelta, ToolCall, ToolSpec
from domain.values import ModelUsage
from infra.keys.keyring import UserKeys
from infra.telemetry import get_logger
from workers.acting import Acting
from workers.confirmations import NOT_OFFERED, TOO_MANY_ACTIONS
from workers.desk import Desk, Interruption
from workers.extraction import (
    Unreadable,
    calls_by_rule,
    extracted_calls,
    extraction_request,
    extraction_schema,
    repair_request,
    repair_schema,
)
from workers.llm.tokens import estimate_tokens
from workers.privacy.instructions import sentences_of, withheld
from workers.privacy.redaction import hide
from workers.privacy.restoring import restored
from workers.prompts.build import DONE_RULE, PLANNER, REDACTED_RULE, RULES, Prompt
from workers.prompts.context import Context, question_text
from workers.questions import Heard, Questions
from workers.salvage import salvaged, unquoted
from workers.token_stream import TokenStream
from workers.turns.flights import FIND_FLIGHTS, find_flights
from workers.turns.plan import write_plan
from workers.turns.turn import Turn

logger = get_logger("workers.answer")

GUARD_SECONDS = 5.0  # beyond the model's own deadline, should its client fail to keep it
CHARACTERS_PER_TOKEN_MAX = 64  # a model that ignores its limit is cut off
CHARACTERS_MAX = 110_000  # of the model's, with room left for our own words
DELTAS_A_TURN = 64  # between two turns of the event loop, should the model never wait for anything
INSTRUCTIONS = sentences_of((RULES, DONE_RULE, REDACTED_RULE, PLANNER))


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
        self.claimed_version = brain.version
        self.heard = Heard()
        self.workflow_ids: tuple[str, ...] = ()  # of the flights that were found
        self._desk = desk
        self._acting = Acting(desk, keys, reply, brain, stream, interruption)
        self._stream = stream
        self._interruption = interruption
        self._deltas = 0
        self._calls = 0
        self._ordinals: Counter[str] = Counter()
        self._garbled: list[_Garbled] = []
        self._has_offered = False  # a call of a tool that was offered
        self._has_other = False

    @property
    def brain(self) -> Brain:
        return self._acting.brain

    def estimated_usage(self, prompt: Prompt, text: str) -> ModelUsage:
        return ModelUsage(input_tokens=prompt.tokens, output_tokens=estimate_tokens(text), estimated=True)

    async def write(self, context: Context, prompt: Prompt) -> None:
        """Raises `ModelError`, `Stopped`, `Lost`, or `StaleAttempt` where an action came too late."""
        acting = self._acting
        acting.language = context.scene.language
        acting.words = f"{context.asked.words}\n{context.spoken}"
        acting.message = question_text(context.scene)
        acting.notes = context.notes
        acting.tell_done(context.done.values())
        seconds = self._desk.settings.llm_deadline_seconds + GUARD_SECONDS
        turn = Turn(
            desk=self._desk,
            context=context,
            prompt=prompt,
            acting=acting,
            questions=Questions(self._desk.model, prompt, self.heard, self._interruption),
            stream=self._stream,
            interruption=self._interruption,
            deadline=asyncio.get_running_loop().time() + seconds,
        )
        if context.asked.intent == "plan":
            if not context.done:
                await write_plan(turn)
            return
        await self._converse(turn)

    async def _converse(self, turn: Turn) -> None:
        prompt, context, deadline = turn.prompt, turn.context, turn.deadline
        characters_max = min(CHARACTERS_MAX, prompt.request.max_tokens * CHARACTERS_PER_TOKEN_MAX)
        offered = {tool.name: tool for tool in prompt.request.tools}
        heard = restored(self._desk.model.stream(prompt.request), prompt.placeholders)
        events = salvaged(withheld(heard, INSTRUCTIONS), unquoted(offered, prompt.request.messages))
        async with aclosing(events):
            while (call := await self._text_until_call(events, deadline, characters_max)) is not None:
                await self._act(call, offered, turn)
        if not self._stream.characters and not self._calls:
            raise ModelError("bad_answer", "the model said nothing", retryable=True)
        done_before = self._acting.done
        if self._garbled:
            await self._repair(turn, offered)
        elif not self._has_offered and not context.done:
            await self._extract(turn, offered)
        if self._has_other and self._acting.done == done_before:
            self._stream.write_paragraph(NOT_OFFERED)

    async def _text_until_call(
        self, events: AsyncGenerator[ModelEvent, None], deadline: float, characters_max: int
    ) -> ToolCall | None:
        """None at the end. Only here can a stop cut in: no command is under way."""
        left_seconds = max(0.0, deadline - asyncio.get_running_loop().time())
        try:
            async with self._interruption.possible(left_seconds):
                async for event in events:
                    self.heard.is_anything = True
                    if isinstance(event, TextDelta):
                        self.heard.add(event.text)
                        self._stream.write(event.text[: max(0, characters_max + 1 - self._stream.characters)])
                        self._deltas += 1
                        if self._deltas % DELTAS_A_TURN == 0:
                            await asyncio.sleep(0)
                        if self._stream.characters > characters_max:
                            logger.warning("answer.cut_off", count=self._stream.characters)
                            return None
                    elif isinstance(event, ToolCall):
                        self.heard.add(f"{event.name}{event.arguments}")
                        return event
                    elif isinstance(event, ModelFinished):
                        self.heard.usage = event.usage
        except TimeoutError:
            raise ModelError("timeout", "the model took longer than its deadline", retryable=True) from None
        return None

    async def _act(self, call: ToolCall, offered: Mapping[str, ToolSpec], turn: Turn) -> None:
        for each in calls_for_each_hour(call):
            await self._act_once(each, offered, turn)

    async def _act_once(self, call: ToolCall, offered: Mapping[str, ToolSpec], turn: Turn) -> None:
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
        await self._do(call, self._ordinals[call.name], turn)

    async def _do(self, call: ToolCall, ordinal: int, turn: Turn) -> None:
        try:
            if call.name == FIND_FLIGHTS:
                self.workflow_ids += await find_flights(call, ordinal, turn)
            else:
                await self._acting.run(call, ordinal, turn.now_ms)
        except BadArguments as reason:
            self._garbled.append(_Garbled(call, ordinal, reason))
        except NotUnderstood as refusal:
            logger.info("answer.call_not_understood", tool=call.name)
            self._stream.write_paragraph(refusal.sentence)

    # --- the second look --------------------------------------------------------------------------------------

    async def _repair(self, turn: Turn, offered: Mapping[str, ToolSpec]) -> None:
        """Ask for the arguments of the first garbled call again. What stays garbled is dropped, and that is said."""
        first, prompt = self._garbled[0], turn.prompt
        tool = offered[first.call.name]
        problem = hide(first.reason.problem, prompt.placeholders)
        request = repair_request(prompt.request, tool, problem, self._tokens_left(turn))
        text = await turn.questions.ask("repair", request, repair_schema(tool), turn.deadline)
        if text is not None:
            del self._garbled[0]
            await self._do(ToolCall(first.call.call_id, tool.name, text), first.ordinal, turn)
        for garbled in self._garbled:
            logger.info("answer.call_not_understood", tool=garbled.call.name)
            self._stream.write_paragraph(garbled.reason.sentence)

    async def _extract(self, turn: Turn, offered: Mapping[str, ToolSpec]) -> None:
        """Ask what the user's own words ask for, and only then; where that brings nothing, go by the rules."""
        tools = [tool for name, tool in offered.items() if name in turn.asked.wanted]
        if not tools:
            return
        calls: list[ToolCall] = []
        request = extraction_request(turn.prompt.request, tools, self._tokens_left(turn))
        text = await turn.questions.ask("extraction", request, extraction_schema(tools), turn.deadline)
        if text is not None:
            try:
                calls = [call for call in extracted_calls(text, tools) if _is_readable(call)]
            except Unreadable:
                logger.info("answer.extraction_unreadable")
        for call in calls or calls_by_rule(turn.asked.words, tools):
            await self._act(call, offered, turn)

    def _tokens_left(self, turn: Turn) -> int:
        """Nothing where the model did not tell what it used: then nobody knows what is left."""
        return 0 if self.heard.usage is None else turn.questions.tokens_left


def _is_readable(call: ToolCall) -> bool:
    try:
        read_arguments(call)
    except NotUnderstood:
        return False
    return True
