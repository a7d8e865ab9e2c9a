"""P5: whoever sends the same thing, however often, to whichever process, gets the same bytes, and it happens once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support import checkers
from tests.support.chaos_client import ChaosClient
from tests.support.history import Op
from tests.support.world import World

pytestmark = pytest.mark.chaos

USERS = 4
KILLED_SHARE = 0.2  # of the races: an API process dies in the middle of them


def request(number: int, kind: str, word: str) -> tuple[str, str, str, Any]:
    """What, method, path and body."""
    if kind == "message":
        return "message", "POST", "/message", {"channel": "chat", "text": f"{word} {number}"}
    return "create_task", "POST", "/tasks", {"task": {"title": f"{word} {number}"}}


async def race(world: World, senders: list[ChaosClient], number: int, kind: str) -> Op:
    """All at once, and an API process dies under some of them; the one answer that they all got."""
    key = f"race-{number}"
    what, method, path, body = request(number, kind, "once")
    sending = [world.spawn(sender.insist(what, method, path, body, key=key)) for sender in senders]
    if world.rng.random() < KILLED_SHARE:
        await asyncio.sleep(0.03 * world.rng.random())
        await world.rng.choice(world.cluster.named("api")).kill()
    answers = await asyncio.gather(*sending)
    told = {(op.status, op.text, op.version) for op in answers}
    assert len(told) == 1, f"race {number} gave {len(told)} answers: {told}"
    assert answers[0].is_acknowledged, answers[0]
    other = request(number, kind, "another")[3]
    refused = await asyncio.gather(*(sender.insist("other", method, path, other, key=key) for sender in senders[:2]))
    assert {op.status for op in refused} == {422}, refused
    return answers[0]


async def test_the_same_key_is_one_event_and_one_answer_whoever_sends_it(world: World) -> None:
    users = {
        f"u{number}": [world.client(f"u{number}", f"c{each}") for each in range(world.count(50, least=20))]
        for number in range(USERS)
    }
    numbers = range(world.count(200))
    first: list[Op] = []
    for number in numbers:
        kind = world.rng.choice(["create_task", "message"])
        first.append(await race(world, users[f"u{number % USERS}"], number, kind))
    # The same again, from processes that have never seen any of it.
    await asyncio.gather(*(member.kill() for member in world.cluster.named("api")))
    await world.cluster.all_ready()
    for op, number in zip(first, numbers, strict=True):
        method, path = "POST", "/message" if op.what == "message" else "/tasks"
        again = await users[f"u{number % USERS}"][0].insist(op.what, method, path, op.sent, key=op.key)
        assert (again.status, again.text, again.version) == (op.status, op.text, op.version)
    problems: list[str] = []
    async with world.ledger() as ledger:
        for user in users:
            facts = await world.settled(ledger, user)
            ops = [op for op in world.history.ops if op.client.startswith(f"{user}.")]
            problems += checkers.acknowledged_once(ops, facts)
            problems += checkers.texts_once(ops, facts)
    assert not problems, "\n".join(problems)
