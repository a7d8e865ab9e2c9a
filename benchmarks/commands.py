"""What a command costs the process that handles it: decide, seal, append. CPU, not time: it holds under load."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.figures import Figure
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_database
from commands.decide import Command
from commands.handle import Request
from commands.messages import PostMessage
from commands.preferences import SetPreference
from commands.write_side import WriteSide, open_write_side
from infra.ids import new_id

USERS = 32
GOAL_SECONDS = 60e-6
MESSAGES_EACH_MAX = 90  # below what may wait for a user's answers


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    make: Callable[[str, WriteSide, int], Command]
    each: int


def measure(run: Run) -> list[Figure]:
    kinds = [
        _Kind("a command of one event", _preference, run.count(600, 150)),
        _Kind("a message (two events, an answer, a work row)", _message, run.count(MESSAGES_EACH_MAX, 40)),
    ]
    with fresh_database() as database:
        found = run.wait_for(_measure(database, kinds), seconds=120)
    figures = []
    for kind, (cpu, rate) in zip(kinds, found, strict=True):
        figures.append(
            Figure(
                name=f"client CPU per command: {kind.name}",
                measured=f"{cpu * 1e6:.0f} µs",
                goal="≤ 60 µs" if kind is kinds[0] else "–",
                met=cpu <= GOAL_SECONDS if kind is kinds[0] else None,
                note=f"{USERS} users at once, {rate:,.0f} commands/s; with key, fingerprint and stored answer",
            )
        )
    return figures


async def _measure(database: Database, kinds: list[_Kind]) -> list[tuple[float, float]]:
    found = []
    async with open_write_side(database.settings, "bench") as side:
        for kind in kinds:
            users = [await side.keyring.ensure_user("bench", f"{kind.name} {number}") for number in range(USERS)]
            await asyncio.gather(*(_work(side, user, kind.make, 5) for user in users))
            began, cpu_before = time.perf_counter(), time.process_time()
            await asyncio.gather(*(_work(side, user, kind.make, kind.each) for user in users))
            elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu_before
            count = USERS * kind.each
            found.append((cpu / count, count / elapsed))
    return found


async def _work(side: WriteSide, user_id: str, make: Callable[[str, WriteSide, int], Command], count: int) -> None:
    for number in range(count):
        request = Request(key=new_id(), fingerprint=b"x" * 120)
        await side.handler.handle(user_id, make(user_id, side, number), request)


def _preference(user_id: str, side: WriteSide, number: int) -> Command:
    return SetPreference(key="colour", preference_ref="p_colour", value=f"a value of some length, {number}")


def _message(user_id: str, side: WriteSide, number: int) -> Command:
    return PostMessage(
        channel="chat", text="What is on my agenda today?", conversation_id="main", conversation_ref="c_main"
    )
