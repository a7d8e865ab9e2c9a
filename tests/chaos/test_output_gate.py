"""P4: nobody outside sees what is not committed, though connections to Postgres are cut around COMMIT."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.support import checkers
from tests.support.chaos_client import ChaosClient, Follower, cursor_of
from tests.support.ledger import Ledger
from tests.support.postgres_proxy import PostgresProxy, postgres_proxy
from tests.support.published import heard
from tests.support.waiting import eventually, eventually_true
from tests.support.world import World

pytestmark = pytest.mark.chaos

PROXIED = "api-9"
USERS = ("ann", "ben", "cleo", "dan")
BYTES_MAX = 3_000  # an append and its answer are about that long
# A COMMIT whose answer was cut off still runs.
APPENDS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'microcos-append' AND state <> 'idle'"


async def work(client: ChaosClient, is_over: asyncio.Event) -> None:
    """Half of what is lost is not sent again: nobody knows whether it happened."""
    number = 0
    while not is_over.is_set():
        number += 1
        title = f"{client.name} {number}"
        if client.rng.random() < 0.5:
            await client.create_task(title)
        else:
            await client.send("create_task", "POST", "/tasks", {"task": {"title": title}}, key=client.new_key())


async def cut(world: World, proxy: PostgresProxy, count: int) -> None:
    """Each cut falls on a connection that was made, and used, after the last one."""
    for _ in range(count):
        connections, known = proxy.connections, world.history.acknowledgements
        proxy.cut_after(world.rng.randrange(BYTES_MAX), world.rng.choice(("up", "down")))
        await eventually(
            lambda connections=connections, known=known: (
                proxy.connections > connections and world.history.acknowledgements > known
            ),
            "a new connection and an answer over it",
        )


async def test_nothing_is_seen_that_is_not_committed(world: World) -> None:
    is_over = asyncio.Event()
    async with (
        postgres_proxy(world.cluster.settings.database_url) as proxy,
        heard(world.cluster.settings.nats_url) as published,
    ):
        settings = replace(world.cluster.settings, database_url=proxy.url)
        member = world.cluster.add_role(PROXIED, settings=settings)
        try:
            await member.until_ready()
            followers = await watch(world)
            workers = [
                world.spawn(work(world.client(user, f"c{n}", urls=[world.cluster.url(PROXIED)]), is_over))
                for user in USERS
                for n in range(2)
            ]
            await cut(world, proxy, world.count(200))
            is_over.set()
            await asyncio.gather(*workers)
            await judge(world, followers, published)
        finally:
            is_over.set()
            await world.cluster.remove(PROXIED)


async def watch(world: World) -> list[tuple[str, Follower]]:
    """Each user is followed at the process whose connections are cut, and at the others."""
    followers = []
    for user in USERS:
        client = world.client(user, "s")
        session = await client.session()
        for urls in ([world.cluster.url(PROXIED)], world.cluster.urls):
            followers.append((user, world.follow(client, session.body["sessionId"], cursor_of(session), urls=urls)))
    return followers


async def nothing_is_appended(ledger: Ledger) -> bool:
    return await ledger.fetch(APPENDS) == [(0,)]


async def judge(world: World, followers: list[tuple[str, Follower]], published: list[tuple[str, int, str]]) -> None:
    problems: list[str] = []
    async with world.ledger() as ledger:
        await eventually_true(lambda: nothing_is_appended(ledger), "the end of all appends")
        for user, follower in followers:
            facts = await ledger.facts(world.sub(user))
            ops = [op for op in world.history.ops if op.client.startswith(f"{user}.")]
            await follower.until_version(facts[-1].version)
            problems += checkers.acknowledged_once(ops, facts)
            problems += checkers.texts_once(ops, facts)
            problems += checkers.stream_is_exact(follower, facts)
        stored = {(row.user_id, row.version, row.event_id) for row in await ledger.rows()}
        problems += [f"{event} was published and never committed" for event in published if event not in stored]
    lost = sum(not op.is_known for op in world.history.ops)
    print(f"{len(world.history.ops)} requests, of {lost} nobody knows; {len(published)} events heard")
    assert not problems, "\n".join(problems)
