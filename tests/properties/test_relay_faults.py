"""The relay against a stream that fails in every way it can, by seed: each event once, in the order of the log."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from infra.clock import ManualClock
from infra.leases import Leaders
from infra.memory import MemoryDatabase, MemoryEventLog, MemoryLeaders
from infra.memory_bus import MemoryFactStream
from infra.nats.fact_stream import StreamEnd
from infra.settings import Settings
from tests.support.facts import NOW_MS, append_sessions
from tests.support.waiting import until
from workers import relay as relay_module
from workers.relay import Relay

pytestmark = pytest.mark.anyio

USERS = ("00/one", "17/two", "63/three")
FAILURES = ("away", "timeout", "moved", "refused", "no_stream")
SETTINGS = Settings(leader_renew_seconds=0.05, leader_lease_seconds=0.2)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(relay_module, "END_CHECK_SECONDS", 0.005)
    monkeypatch.setattr(relay_module, "CHUNK_EVENTS", 7)


class AlwaysLeads:
    """What a process believes that was frozen past its lease."""

    async def acquire(self, role: str, lease_seconds: float) -> int | None:
        return 1

    async def resign(self, role: str) -> None:
        pass


class Outbox:
    """A log, the stream that it is published to, and the relays that do it."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW_MS)
        self.database = MemoryDatabase(self.clock.monotonic)
        self.log = MemoryEventLog(self.database)
        self.stream = MemoryFactStream()
        self.versions = dict.fromkeys(USERS, 0)
        self.relays: list[asyncio.Task[None]] = []

    async def append(self, user_id: str, count: int, *, at_ms: int = NOW_MS) -> None:
        self.versions[user_id] = await append_sessions(self.log, user_id, self.versions[user_id], count, at_ms=at_ms)

    def start_relay(self, leaders: Leaders | None = None) -> asyncio.Task[None]:
        relay = Relay(self.log, self.stream, leaders or AlwaysLeads(), self.clock, SETTINGS)
        task = asyncio.create_task(relay.run())
        self.relays.append(task)
        return task

    async def stop_relays(self) -> None:
        relays, self.relays = self.relays, []
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    def published(self) -> list[int]:
        return [int(message.headers["ce-globalpos"]) for message in self.stream.messages]

    async def all_positions(self) -> list[int]:
        return [event.position for event in await self.log.read_log(after=0)]

    async def until_published(self) -> None:
        positions = await self.all_positions()
        await until(lambda: self.published() == positions)


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_fails_each_event_is_there_once_and_in_order(seed: int) -> None:
    chance, outbox = random.Random(seed), Outbox()

    harms: list[Callable[[], object]] = [
        lambda: outbox.stream.fail_next(chance.choice(FAILURES), stored=chance.randint(0, 7)),
        lambda: outbox.stream.roll_back(chance.randint(1, 40)),
        lambda: outbox.stream.roll_back(10_000),
        outbox.stream.interrupt,
        outbox.start_relay,
        lambda: outbox.relays[0].cancel(),
    ]
    outbox.start_relay()
    for _ in range(60):
        await outbox.append(chance.choice(USERS), chance.randint(1, 20))
        if chance.random() < 0.5:
            chance.choice(harms)()
        for _ in range(chance.randint(0, 30)):
            await asyncio.sleep(0)
    outbox.start_relay()
    outbox.stream.interrupt()
    await outbox.until_published()
    await outbox.stop_relays()


async def test_a_quiet_stream_that_lost_its_end_is_filled_again() -> None:
    """No event comes after it whose publishing would fail, and the connection never broke."""
    outbox = Outbox()
    await outbox.append(USERS[0], 30)
    outbox.start_relay()
    await outbox.until_published()
    outbox.stream.roll_back(10, noticed=False)
    await outbox.until_published()
    await outbox.stop_relays()


async def test_purged_events_come_back_although_the_server_remembers_their_ids() -> None:
    outbox = Outbox()
    await outbox.append(USERS[0], 30)
    outbox.start_relay()
    await outbox.until_published()
    outbox.stream.purge()
    outbox.stream.interrupt()
    await outbox.until_published()
    await outbox.append(USERS[1], 30)
    await outbox.until_published()
    await outbox.stop_relays()


async def test_an_empty_stream_gets_the_events_of_the_retention_time_only() -> None:
    outbox = Outbox()
    old_ms = NOW_MS - SETTINGS.event_retention_seconds * 1000 - 1
    await outbox.append(USERS[0], 10, at_ms=old_ms)
    await outbox.append(USERS[0], 10)
    outbox.start_relay()
    await until(lambda: len(outbox.stream.messages) >= 10)
    assert outbox.published() == (await outbox.all_positions())[10:]
    await outbox.stop_relays()


async def test_a_stream_of_the_logs_former_life_is_followed_by_the_retention_time_of_this_one() -> None:
    """After a restore the positions of both lives mean different events; subscribers tell them apart by `ce-id`."""
    outbox = Outbox()
    await outbox.append(USERS[0], 10)
    outbox.start_relay()
    await outbox.until_published()
    await outbox.stop_relays()
    former = list(outbox.stream.messages)
    outbox.database.generation = "another"
    await outbox.append(USERS[0], 5)
    outbox.start_relay()
    await until(lambda: len(outbox.stream.messages) == 25)
    assert outbox.stream.messages[:10] == former
    assert outbox.published()[10:] == await outbox.all_positions()
    await outbox.stop_relays()


async def test_a_stream_that_is_ahead_of_the_log_is_not_written_to() -> None:
    """A log restored without a new generation would give the same ids to other events."""
    outbox = Outbox()
    await outbox.append(USERS[0], 10)
    outbox.start_relay()
    await outbox.until_published()
    await outbox.stop_relays()
    restored = Outbox()
    await restored.append(USERS[1], 5)
    restored.stream = outbox.stream
    ends = 0

    async def count_ends() -> StreamEnd:
        nonlocal ends
        ends += 1
        return await MemoryFactStream.end(outbox.stream)

    outbox.stream.end = count_ends  # type: ignore[method-assign]
    restored.start_relay()
    await until(lambda: ends > 5)
    assert len(outbox.stream.messages) == 10
    await restored.stop_relays()


async def test_one_leads_and_the_other_takes_over_when_it_is_gone() -> None:
    outbox = Outbox()
    first = outbox.start_relay(MemoryLeaders(outbox.database, "first"))
    await outbox.append(USERS[0], 5)
    await outbox.until_published()
    second = outbox.start_relay(MemoryLeaders(outbox.database, "second"))
    await outbox.append(USERS[0], 5)
    await outbox.until_published()
    assert outbox.database.leaders["relay"][0] == "first"
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await outbox.append(USERS[0], 5)
    await outbox.until_published()
    assert outbox.database.leaders["relay"][0] == "second"
    assert not second.done()
    await outbox.stop_relays()


async def test_a_relay_that_lost_its_leadership_stands_by() -> None:
    outbox = Outbox()
    outbox.start_relay(MemoryLeaders(outbox.database, "first"))
    await outbox.append(USERS[0], 5)
    await outbox.until_published()
    outbox.database.leaders["relay"] = ("another", 9, outbox.clock.monotonic() + 3_600)
    await until(lambda: relay_module.LEADS._value.get() == 0)
    await outbox.append(USERS[0], 5)
    outbox.database.leaders["relay"] = ("another", 9, outbox.clock.monotonic())
    await outbox.until_published()
    await outbox.stop_relays()
