"""What it costs to build a prompt in a long conversation: read from the stream, choose, redact, write out. Against the
same in a short one: the cost is that of what is told, not of what was ever said.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from benchmarks.figures import Figure, ms, percentile
from benchmarks.run import Run
from benchmarks.servers import fresh_database
from commands.messages import PostMessage
from commands.replies import CompleteReply, Ending, StartReply
from commands.write_side import WriteSide, open_write_side
from domain.values import ModelUsage
from infra.settings import Settings
from workers.llm.offline.model import CONTEXT_TOKENS, NAME
from workers.prompts.build import build_prompt
from workers.prompts.context import read_context

SHORT_MESSAGES = 100
WARM_UP = 20
RATIO_GOAL = 1.2
QUESTION = "What did we say about the budget of the harbour?"
ANSWER = "The harbour's budget was put off until spring, and you wanted to ask Ada for the figures of last year. " * 3


@dataclass(slots=True)
class _Cost:
    seconds: list[float] = field(default_factory=list)
    tokens: int = 0


def measure(run: Run) -> list[Figure]:
    messages, times = run.count(10_000, 1_000), run.count(200, 50)
    with fresh_database() as database:
        short, long = run.wait_for(_measure(run, database.settings, messages, times), seconds=300)
    before, after = percentile(short.seconds, 0.5), percentile(long.seconds, 0.5)
    return [
        Figure(
            name=f"building a prompt at {messages:,} messages",
            measured=f"{ms(after)} (p50)",
            against=f"at {SHORT_MESSAGES}: {ms(before)}",
            ratio=after / before,
            goal=f"≤ {RATIO_GOAL}×",
            met=after <= before * RATIO_GOAL,
            note=f"{times} times each, {long.tokens:,} tokens a prompt; read from Postgres, redacted",
        )
    ]


async def _measure(run: Run, settings: Settings, messages: int, times: int) -> tuple[_Cost, _Cost]:
    """Both in turn, so that whatever else the machine does meets both."""
    async with open_write_side(settings, "bench") as side:
        short, long = [await _talker(side, f"of {count}", count) for count in (SHORT_MESSAGES, messages)]
        run.say(f"{messages:,} messages written")
        for number in range(times + WARM_UP):
            for talker in (short, long):
                await talker.build(side, is_counted=number >= WARM_UP)
        return short.cost, long.cost


async def _talker(side: WriteSide, name: str, messages: int) -> _Talker:
    """Somebody who has said so much, and waits for one more answer."""
    user_id = await side.keyring.ensure_user("bench", name)
    await _talk(side, user_id, messages // 2)
    return _Talker(user_id, await _ask(side, user_id))


@dataclass(slots=True)
class _Talker:
    user_id: str
    reply_id: str
    cost: _Cost = field(default_factory=_Cost)

    async def build(self, side: WriteSide, *, is_counted: bool) -> None:
        brain = await side.states.load(self.user_id)
        reply = brain.replies[self.reply_id].ref
        began = time.perf_counter()
        context = await read_context(side.log, side.keyring, self.user_id, brain, reply)
        prompt = build_prompt(
            context.scene,
            model=NAME,
            context_tokens_max=CONTEXT_TOKENS,
            max_tokens=1_024,
            tools=context.asked.tools,
            now_ms=side.clock.user_now_ms(),
        )
        if is_counted:
            self.cost.seconds.append(time.perf_counter() - began)
            self.cost.tokens = prompt.tokens


async def _talk(side: WriteSide, user_id: str, turns: int) -> None:
    for _ in range(turns):
        reply_id = await _ask(side, user_id)
        claim = StartReply(reply_id=reply_id, after_attempt=0, owner="bench", lease_seconds=60, reserved_tokens=0)
        await side.handler.handle(user_id, claim)
        ending = Ending(text=ANSWER, usage=ModelUsage())
        await side.handler.handle(user_id, CompleteReply(reply_id=reply_id, attempt=1, ending=ending))


async def _ask(side: WriteSide, user_id: str) -> str:
    question = PostMessage(channel="chat", text=QUESTION, conversation_id=None, conversation_ref="c_main")
    handled = await side.handler.handle(user_id, question)
    assert handled.outcome is not None
    return handled.outcome.after.queue[0]
