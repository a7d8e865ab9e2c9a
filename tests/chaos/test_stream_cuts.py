"""P9, P11: a stream that is cut anywhere, and followed from anywhere, tells everything once and in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from tests.support import checkers
from tests.support.chaos_client import ChaosClient, Follower, cursor_of
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.world import World

pytestmark = pytest.mark.chaos

BYTES_MAX = 6_000  # of a connection before it is cut: some events, or not even the head
READERS_AT_ONCE = 10


async def proxies_of(world: World, stack: AsyncExitStack) -> list[TcpProxy]:
    """A network of a client's own in front of each API process."""
    addresses = [urlsplit(url) for url in world.cluster.urls]
    return [
        await stack.enter_async_context(tcp_proxy(address.hostname or "", address.port or 0)) for address in addresses
    ]


async def test_a_stream_that_is_cut_at_any_byte_goes_on_exactly_there(world: World) -> None:
    wanted = world.count(300)
    users = [f"u{number}" for number in range(6)]
    async with AsyncExitStack() as stack:
        followers = {user: await cut_follower(world, stack, user) for user in users}
        round_number = 0
        while sum(follower.connections for follower in followers.values()) < wanted:
            round_number += 1
            await asyncio.gather(*(ask(world, user, followers[user], round_number) for user in users))
        problems: list[str] = []
        async with world.ledger() as ledger:
            for user, follower in followers.items():
                facts = await world.settled(ledger, user)
                await follower.until_version(facts[-1].version)
                problems += checkers.stream_is_exact(follower, facts)
                # Nothing was lost, so there was no reason to begin anew.
                problems += [f"{user} was reset {follower.reducer.resets} times"] * bool(follower.reducer.resets)
                await follower.close()
    print(f"{sum(follower.connections for follower in followers.values())} cuts in {round_number} rounds")
    assert not problems, "\n".join(problems)


async def cut_follower(world: World, stack: AsyncExitStack, user: str) -> Follower:
    client = world.client(user)
    first = await client.say(f"{user} is here")
    proxies = await proxies_of(world, stack)
    follower = Follower(
        client, first.body["sessionId"], world.http, urls=[f"http://127.0.0.1:{proxy.port}" for proxy in proxies]
    )

    def cut_soon(number: int) -> None:
        proxies[number % len(proxies)].cut_after(client.rng.randint(1, BYTES_MAX), "down")

    follower.before_connection = cut_soon
    world.followers.append(follower.start(cursor_of(first)))
    return follower


async def ask(world: World, user: str, follower: Follower, number: int) -> None:
    op = await world.client(user, str(number)).say(f"{user} asks {number}")
    await follower.until_ended(op.body["replyId"])


async def test_a_reader_that_resumes_while_others_write_misses_nothing(world: World) -> None:
    witness = await world.newcomer("writer")
    is_over = asyncio.Event()
    writers = [world.spawn(write(world.client("writer", f"w{number}"), is_over)) for number in range(8)]
    tickets = asyncio.Semaphore(READERS_AT_ONCE)
    readers = await asyncio.gather(*(read_on(world, witness, tickets, number) for number in range(world.count(500))))
    is_over.set()
    await asyncio.gather(*writers)
    problems: list[str] = []
    async with world.ledger() as ledger:
        facts = await world.settled(ledger, "writer")
        await witness.until_version(facts[-1].version)
        problems += checkers.stream_is_exact(witness, facts)
        for reader in readers:
            problems += checkers.stream_is_exact(reader, facts[: reader.version])
    print(f"{len(facts)} events, {len(readers)} readers")
    assert not problems, "\n".join(problems)


async def write(client: ChaosClient, is_over: asyncio.Event) -> None:
    number = 0
    while not is_over.is_set():
        number += 1
        op = await client.insist("preference", "PUT", f"/preferences/{client.name}", {"value": number})
        assert op.is_acknowledged, op


async def read_on(world: World, witness: Follower, tickets: asyncio.Semaphore, number: int) -> Follower:
    """A reader that comes in at a random moment, after a random place."""
    async with tickets:
        await asyncio.sleep(0.05 * world.rng.random())
        client = world.client("writer", f"r{number}")
        client.urls = world.rng.sample(client.urls, len(client.urls))
        reader = world.follow(client, witness.session_id, world.rng.choice(witness.cursors[-200:]))
        # Well past the moment at which it was attached to the live stream.
        await reader.until_version(witness.version + 20)
        await reader.close()
        return reader
