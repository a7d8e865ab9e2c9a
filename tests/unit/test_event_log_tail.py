"""The shared reader of the log's tail, with reads that return when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest
from psycopg import AsyncConnection, OperationalError

from domain.ports import StoredEvent
from infra.event_log.tail import LogTail
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

Page = list[StoredEvent]


class SlowLog:
    """Each read sees the log as it is when it is asked, and answers when it is released."""

    def __init__(self) -> None:
        self.head = 0
        self.held: dict[int, asyncio.Event] = {}  # by the position that is read after
        self.waiting: set[int] = set()
        self.reads: list[int] = []

    async def read(self, after: int, limit: int) -> Page:
        page = [StoredEvent(n, "00/user", n, "SessionOpened", b"{}") for n in range(after + 1, self.head + 1)]
        self.reads.append(after)
        if after in self.held:
            self.waiting.add(after)
            await self.held.pop(after).wait()
        return page[:limit]

    async def last_position(self) -> int:
        return self.head

    async def listen(self) -> AsyncConnection[object]:
        raise OperationalError("there is no server")

    def hold(self, after: int) -> asyncio.Event:
        """The next read after this position waits for the event."""
        return self.held.setdefault(after, asyncio.Event())


async def positions(pages: AsyncGenerator[Page, None], count: int) -> list[int]:
    got: list[int] = []
    while len(got) < count:
        got += [event.position for event in await anext(pages)]
    return got


async def test_a_follower_that_joins_between_two_reads_of_the_shared_reader_skips_nothing() -> None:
    """Its own last read was slow; when it joins as the only one, the shared reader is already further on."""
    log = SlowLog()
    tail = LogTail(log.read, log.last_position, log.listen, poll_seconds=60.0)
    log.head = 5
    async with aclosing(tail.pages(0)) as other, aclosing(tail.pages(5)) as joining:
        assert await positions(other, 5) == [1, 2, 3, 4, 5]
        following = asyncio.ensure_future(positions(other, 5))
        await until(lambda: log.reads == [0, 5, 5])  # it has joined, and the shared reader has looked once

        joins = log.hold(5)
        joined = asyncio.ensure_future(positions(joining, 1))
        await until(lambda: log.waiting == {5})
        log.head = 10
        further = log.hold(10)
        tail.poke()
        assert await following == [6, 7, 8, 9, 10]
        log.head = 12
        tail.poke()
        await until(lambda: log.waiting == {5, 10})
        await other.aclose()

        joins.set()
        await until(lambda: bool(tail._followers))
        further.set()
        assert (await joined)[0] == 6
    await tail.aclose()


async def test_a_follower_that_was_overtaken_while_it_read_reads_again_at_once() -> None:
    log = SlowLog()
    tail = LogTail(log.read, log.last_position, log.listen, poll_seconds=60.0)
    log.head = 5
    async with aclosing(tail.pages(0)) as other, aclosing(tail.pages(5)) as joining:
        assert await positions(other, 5) == [1, 2, 3, 4, 5]
        following = asyncio.ensure_future(positions(other, 1))
        await until(lambda: log.reads == [0, 5, 5])  # it has joined, and the shared reader has looked once
        joins = log.hold(5)
        joined = asyncio.ensure_future(positions(joining, 1))
        await until(lambda: log.waiting == {5})
        log.head = 6
        tail.poke()
        assert await following == [6]
        joins.set()
        async with asyncio.timeout(30):  # half the time after which it would look by itself
            assert await joined == [6]
    await tail.aclose()


@pytest.mark.parametrize(("gather_seconds", "pages"), [(0.0, [[1], [2]]), (0.5, [[1, 2]])])
async def test_commits_within_the_time_to_gather_are_one_read(gather_seconds: float, pages: list[list[int]]) -> None:
    log = SlowLog()
    tail = LogTail(log.read, log.last_position, log.listen, poll_seconds=60.0, gather_seconds=gather_seconds)
    async with aclosing(tail.pages(0)) as following:
        first = asyncio.ensure_future(anext(following))
        await until(lambda: len(log.reads) == 2)  # it has joined, and the shared reader has looked once
        log.head = 1
        tail.poke()
        for _ in range(10):
            await asyncio.sleep(0)  # turns of the loop, in which an eager reader would have read
        log.head = 2
        tail.poke()
        found = [[event.position for event in await first]]
        while found[-1][-1] < 2:
            found.append([event.position for event in await anext(following)])
        assert found == pages
    await tail.aclose()
