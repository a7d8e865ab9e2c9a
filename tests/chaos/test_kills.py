"""P1, with P6, P8 and P9 judged on the way: everybody is killed, again and again, while people work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from time import monotonic, time

import pytest

from domain.events import Fact, MessageReceived
from domain.shapes import ReplyEnd
from tests.support import checkers
from tests.support.chaos_client import ChaosClient, Follower
from tests.support.cluster import Member
from tests.support.published import heard, until_complete
from tests.support.waiting import eventually
from tests.support.world import World

pytestmark = pytest.mark.chaos

USERS = ("ann", "ben", "cleo", "dan")
CLIENTS_A_USER = 2
KINDS = ("api", "worker", "relay", "projections", "nats", "postgres")
PAUSE_SECONDS = 0.15  # between two requests of a client: people type


async def work(client: ChaosClient, is_over: asyncio.Event) -> None:
    """Tasks and messages, each with a text of its own, each insisted on."""
    number = 0
    while not is_over.is_set():
        number += 1
        if client.rng.random() < 0.7:
            await client.create_task(f"{client.name} task {number}")
        else:
            await client.say(f"{client.name} says {number}")
        await asyncio.sleep(PAUSE_SECONDS * client.rng.random())


async def kill_everybody(world: World, followers: Iterable[Follower], strikes: int) -> None:
    """Each strike hits one kind of process for certain and any other by chance, in mid-reply."""
    kinds = [kind for _ in range(-(-strikes // len(KINDS))) for kind in world.rng.sample(KINDS, len(KINDS))]
    for kind in kinds[:strikes]:
        known = world.history.acknowledgements
        await eventually(
            lambda known=known: (
                world.history.acknowledgements > known and any(follower.reducer.speaking for follower in followers)
            ),
            "an answer and a reply that is being written after a strike",
            seconds=180,
            told=world.cluster.log,
        )
        await asyncio.sleep(world.rng.uniform(0.0, 1.5))
        victims = [world.rng.choice(world.cluster.named(kind))]
        victims += [member for member in world.cluster.members.values() if world.rng.random() < 0.15]
        await asyncio.gather(*(strike(world, member) for member in dict.fromkeys(victims)))


async def strike(world: World, member: Member) -> None:
    """Most are killed. A frozen worker may call its model for an attempt that is over, so that is judged elsewhere."""
    if member.name.startswith("worker") or not member.is_ready or world.rng.random() < 0.75:
        await member.kill()
    else:
        member.freeze()
        await asyncio.sleep(world.rng.uniform(0.2, 2.0))
        member.thaw()


async def test_what_was_acknowledged_survives_the_death_of_everybody(world: World) -> None:
    is_over = asyncio.Event()
    clients = [world.client(user, f"c{number}") for user in USERS for number in range(CLIENTS_A_USER)]
    followers = {user: await world.newcomer(user) for user in USERS}
    async with heard(world.cluster.settings.nats_url) as published:
        workers = [world.spawn(work(client, is_over)) for client in clients]
        await kill_everybody(world, followers.values(), world.count(20, least=len(KINDS)))
        await world.cluster.all_ready()
        is_over.set()
        await asyncio.gather(*workers)
        await judge(world, followers, published)


async def judge(world: World, followers: dict[str, Follower], published: list[tuple[str, int, str]]) -> None:
    problems: list[str] = []
    calls = await world.model.counts()
    async with world.ledger() as ledger:
        for user, follower in followers.items():
            facts = await world.settled(ledger, user)
            ops = [op for op in world.history.ops if op.client.startswith(f"{user}.")]
            await follower.until_version(facts[-1].version)
            problems += checkers.acknowledged_once(ops, facts)
            problems += checkers.texts_once(ops, facts)
            problems += checkers.replies_end_once(facts)
            problems += checkers.attempts_are_fenced(facts)
            problems += checkers.model_calls_are_counted(facts, calls)
            problems += checkers.stream_is_exact(follower, facts)
            problems += await calls_after_the_end(world, facts)
        rows = await ledger.rows()
        stored = {(row.user_id, row.version, row.event_id) for row in rows}
        problems += [f"{event} was published and never committed" for event in published if event not in stored]
    acknowledged = world.history.acknowledged()
    print(f"{len(acknowledged)} acknowledged of {len(world.history.ops)}, {len(published)} events heard")
    assert not problems, "\n".join(problems)
    await until_complete(world.cluster.settings.nats_url, [row.position for row in rows])


async def calls_after_the_end(world: World, facts: list[Fact]) -> list[str]:
    """Nobody was frozen here, so a call after the end would be a worker's mistake."""
    wall_less_monotonic = time() - monotonic()
    texts = {
        fact.event.message_id: fact.event.content.text for fact in facts if isinstance(fact.event, MessageReceived)
    }
    ended_at = {
        texts[fact.event.reply.message_id]: fact.meta.at_ms / 1000 - wall_less_monotonic
        for fact in facts
        if isinstance(fact.event, ReplyEnd)
    }
    return [
        f"the model was called for {call['key']!r} after its end"
        for call in await world.model.calls()
        if call["key"] in ended_at and call["started_us"] / 1e6 > ended_at[call["key"]]
    ]
