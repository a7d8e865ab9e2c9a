"""P12, P13: NATS is a cache. Away, everything goes on from Postgres; wiped, nothing is lost and nobody is needed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from tests.support import checkers
from tests.support.chaos_client import ChaosClient, Follower
from tests.support.published import until_complete
from tests.support.waiting import eventually_true
from tests.support.world import World

pytestmark = pytest.mark.chaos

USERS = ("ann", "ben", "cleo")
AWAY_SECONDS = 10.0
PAUSE_SECONDS = 0.2


async def chat(client: ChaosClient, follower: Follower, is_over: asyncio.Event) -> None:
    """A message, its answer, a task, a look at the state; again."""
    number = 0
    while not is_over.is_set():
        number += 1
        said = await client.say(f"{client.name} says {number}")
        await follower.until_ended(said.body["replyId"])
        task = await client.create_task(f"{client.name} task {number}")
        await client.insist("read", "GET", f"/state?min_version={task.version}")
        await asyncio.sleep(PAUSE_SECONDS * client.rng.random())


@asynccontextmanager
async def chatting(world: World) -> AsyncIterator[dict[str, Follower]]:
    is_over = asyncio.Event()
    followers = {user: await world.newcomer(user) for user in USERS}
    chats = [world.spawn(chat(world.client(user), follower, is_over)) for user, follower in followers.items()]
    yield followers
    is_over.set()
    await asyncio.gather(*chats)


async def judge(world: World, followers: dict[str, Follower]) -> None:
    problems: list[str] = []
    async with world.ledger() as ledger:
        for user, follower in followers.items():
            facts = await world.settled(ledger, user)
            ops = [op for op in world.history.ops if op.client.split(".")[0] == user]
            await follower.until_version(facts[-1].version)
            problems += checkers.acknowledged_once(ops, facts)
            problems += checkers.texts_once(ops, facts)
            problems += checkers.replies_end_once(facts)
            problems += checkers.attempts_are_fenced(facts)
            problems += checkers.stream_is_exact(follower, facts)
        positions = [row.position for row in await ledger.rows()]
    assert not problems, "\n".join(problems)
    await until_complete(world.cluster.settings.nats_url, positions)


async def test_without_nats_commands_reads_replies_and_streams_go_on(world: World) -> None:
    nats = world.cluster.members["nats"]
    async with chatting(world) as followers:
        await nats.hold_down()
        began, ended = monotonic(), {user: len(follower.reducer.ended) for user, follower in followers.items()}
        await asyncio.sleep(AWAY_SECONDS * (1 if world.share < 1 else 3))
        await eventually_true(lambda: has_gone_on(followers, ended), "answers that clients saw end without NATS")
        answered = {user: len(follower.reducer.ended) - ended[user] for user, follower in followers.items()}
        over = monotonic()
        nats.release()
        await nats.until_ready()
    meanwhile = [op for op in world.history.ops if began <= op.called_at and (op.returned_at or over) <= over]
    failed = [op for op in meanwhile if op.status is not None and op.status >= 500]
    print(f"{len(meanwhile)} requests and {answered} replies without NATS")
    assert not failed, failed
    await judge(world, followers)


async def test_a_wiped_nats_loses_nothing(world: World) -> None:
    async with chatting(world) as followers:
        for _ in range(world.count(5)):
            await asyncio.sleep(world.rng.uniform(0.2, 1.5))
            # Who publishes sleeps through it, and wakes up beside another who has taken its place.
            relay = world.cluster.last_leader("relay")
            await relay.until_ready()
            relay.freeze()
            await world.cluster.wipe_nats()
            seen = {user: len(follower.reducer.ended) for user, follower in followers.items()}
            # Everybody gets at least one answer from the new one.
            await eventually_true(
                lambda seen=seen: has_gone_on(followers, seen), "answers after the wipe", every_seconds=0.05
            )
            relay.thaw()
    await judge(world, followers)


async def has_gone_on(followers: dict[str, Follower], seen: dict[str, int]) -> bool:
    return all(len(follower.reducer.ended) > seen[user] + 1 for user, follower in followers.items())
