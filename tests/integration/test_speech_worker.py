"""Who has which recording in hand: claims, leases that run out, leases that are given back. With a real store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from infra.audio_store import audio_id
from infra.queries import Queries
from infra.speech_leases import SpeechLeases
from projections.voice_queries import Waiting
from tests.support.views import open_world
from workers.speech.worker import AT_ONCE_MAX, SpeechWorker

pytestmark = pytest.mark.anyio

USER = "07/11111111-2222-4333-8444-555555555555"


class Work:
    """Things to do, all at once in view; each takes until the test says that it may end."""

    def __init__(self, count: int = 1) -> None:
        self.all = [Waiting(USER, f"v_{number:032x}", 1) for number in range(count)]
        self.attempts: list[tuple[str, int]] = []
        self.may_end = asyncio.Event()
        self.again_seconds: float | None = None
        self.failure: Exception | None = None

    async def waiting(self, limit: int) -> list[Waiting]:
        return self.all[:limit]

    async def work(self, one: Waiting, attempt: int) -> float | None:
        self.attempts.append((one.id, attempt))
        await self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        return self.again_seconds


@pytest.fixture
async def queries(database_url: str) -> AsyncIterator[Queries]:
    async with open_world(database_url) as world:
        yield world.queries


def worker_of(queries: Queries, work: Work, owner: str, *, seconds: float = 30.0) -> SpeechWorker:
    leases = SpeechLeases(queries, owner=owner, seconds=seconds)
    return SpeechWorker([work], leases, poll_seconds=0.01, renew_seconds=0.05)


async def look(worker: SpeechWorker) -> None:
    await worker.look()
    await asyncio.sleep(0)


async def expire(queries: Queries) -> None:
    await queries.fetch("UPDATE speech_leases SET lease_until = clock_timestamp() - interval '1 s'")


async def test_one_of_two_workers_has_it(queries: Queries) -> None:
    work = Work()
    one, two = worker_of(queries, work, "one"), worker_of(queries, work, "two")
    await asyncio.gather(look(one), look(two))
    await look(two)
    assert len(work.attempts) == 1
    work.may_end.set()
    await asyncio.gather(one.idle(), two.idle())


async def test_a_lease_that_ran_out_is_the_next_attempt_of_another_and_the_first_lets_go(queries: Queries) -> None:
    work = Work()
    one, two = worker_of(queries, work, "one"), worker_of(queries, work, "two")
    await look(one)
    await expire(queries)
    await look(two)
    assert [attempt for _, attempt in work.attempts] == [1, 2]
    await one.renew()
    await one.idle()
    work.may_end.set()
    await two.idle()
    await look(one)
    assert len(work.attempts) == 2, "what is done is not begun again while the view lags"


async def test_renewing_keeps_it(queries: Queries) -> None:
    work = Work()
    one, two = worker_of(queries, work, "one"), worker_of(queries, work, "two")
    await look(one)
    await queries.fetch("UPDATE speech_leases SET lease_until = clock_timestamp() + interval '0.01 s'")
    await one.renew()
    await look(two)
    assert len(work.attempts) == 1
    work.may_end.set()
    await one.idle()


async def test_a_worker_that_is_told_to_end_gives_back_what_it_has_uncounted(queries: Queries) -> None:
    work = Work()
    running = asyncio.create_task(worker_of(queries, work, "one").run())
    while not work.attempts:
        await asyncio.sleep(0.005)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    two = worker_of(queries, work, "two")
    await look(two)
    assert [attempt for _, attempt in work.attempts] == [1, 1]
    work.may_end.set()
    await two.idle()


@pytest.mark.parametrize("failure", [None, RuntimeError("a mistake of ours")])
async def test_what_did_not_come_to_an_end_is_tried_again_later(queries: Queries, failure: Exception | None) -> None:
    work = Work()
    work.failure, work.again_seconds = failure, 20.0
    work.may_end.set()
    one = worker_of(queries, work, "one")
    await look(one)
    await one.idle()
    await look(one)
    assert len(work.attempts) == 1, "not before its time"
    await expire(queries)
    await look(one)
    await one.idle()
    assert [attempt for _, attempt in work.attempts] == [1, 2]


async def test_no_more_is_taken_than_can_be_held(queries: Queries) -> None:
    work = Work(AT_ONCE_MAX + 3)
    one = worker_of(queries, work, "one")
    await look(one)
    await look(one)
    assert len(work.attempts) == AT_ONCE_MAX
    work.may_end.set()
    await one.idle()


async def test_leases_of_long_ago_are_forgotten(queries: Queries) -> None:
    leases = SpeechLeases(queries, owner="one", seconds=0.0)
    assert await leases.claim(audio_id(f"v_{1:032x}")) == 1
    assert await leases.prune(older_than_seconds=60) == 0
    await queries.fetch("UPDATE speech_leases SET lease_until = clock_timestamp() - interval '2 minutes'")
    assert await leases.prune(older_than_seconds=60) == 1
