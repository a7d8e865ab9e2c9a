"""Following the log: one reader a process, shared by all who follow it, with LISTEN as a hint and a poll as the rule.

Rests on position order being commit order (the append function sees to it): whatever is read after a position is all
that there will ever be up to the last one read. A follower that is behind, or too slow, reads for itself until it
has caught up; nobody waits for it and nothing is skipped.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from psycopg import AsyncConnection

from domain.errors import Unavailable
from domain.ports import StoredEvent
from infra import failpoints
from infra.ids import jitter
from infra.queries import STORE_FAILURES

T = TypeVar("T")
Page = list[StoredEvent]

PAGE_EVENTS_MAX = 5_000
PAGES_WAITING_MAX = 16  # a follower that has more than these to take goes and reads for itself
COALESCE_SECONDS = 0.005
READS_AT_ONCE_MAX = 4  # so that a message, its claim and its end, each close behind the other, need not wait
RETRY_SECONDS = 0.2


class _Follower:
    """Pages that one consumer has still to take."""

    def __init__(self) -> None:
        self._pages: deque[Page] = deque()
        self._ready = asyncio.Event()
        self.attached = False
        self.error: BaseException | None = None

    def offer(self, page: Page) -> None:
        if len(self._pages) >= PAGES_WAITING_MAX:
            self._pages.clear()
            self.attached = False
        else:
            self._pages.append(page)
        self._ready.set()

    def fail(self, error: BaseException) -> None:
        self.error = error
        self._ready.set()

    async def take(self) -> Page:
        """The next page; [] when it fell behind and was let go."""
        while not self._pages and self.attached and self.error is None:
            self._ready.clear()
            await self._ready.wait()
        if self.error is not None:
            raise self.error
        return self._pages.popleft() if self._pages else []


class LogTail:
    """`read(after, limit)` gives a page and may raise `Unavailable`; `listen()` makes a connection of its own."""

    def __init__(
        self,
        read: Callable[[int, int], Awaitable[Page]],
        last_position: Callable[[], Awaitable[int]],
        listen: Callable[[], Awaitable[AsyncConnection[Any]]],
        *,
        poll_seconds: float,
        gather_seconds: float = 0.0,
    ) -> None:
        """`gather_seconds`: how long commits may gather after the first before they are read together."""
        self._read = read
        self._last_position = last_position
        self._listen = listen
        self._poll_seconds = poll_seconds
        self._gather_seconds = gather_seconds
        self._followers: set[_Follower] = set()
        self._position = 0
        self._read_at: deque[float] = deque([0.0] * READS_AT_ONCE_MAX, READS_AT_ONCE_MAX)
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    async def aclose(self) -> None:
        """Ends every follower's iteration with `Unavailable`."""
        self._closed = True
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for follower in self._followers:
            follower.fail(Unavailable("The log is closed."))

    def poke(self, position: int | None = None) -> None:
        """Something was committed, up to `position` where that is known."""
        if position is None or position > self._position:
            self._wake.set()

    async def pages(self, after: int | None) -> AsyncGenerator[Page, None]:
        self._start()
        position = await self._patiently(self._last_position) if after is None else after
        follower = _Follower()
        try:
            while True:
                if follower.attached:
                    page = [event for event in await follower.take() if event.position > position]
                else:
                    page = await self._catch_up(follower, position)
                if page:
                    position = page[-1].position
                    yield page
        finally:
            self._followers.discard(follower)

    async def _catch_up(self, follower: _Follower, position: int) -> Page:
        ahead = self._position > position
        page = await self._patiently(lambda: self._read(position, PAGE_EVENTS_MAX))
        if page:
            return page
        self._followers.discard(follower)
        if not self._followers:
            self._position = position
        if position >= self._position:
            follower.attached = True
            self._followers.add(follower)
            self._wake.set()
        elif ahead:
            # The shared reader was sent to a place that this log has not reached, so the two cannot meet yet.
            await asyncio.sleep(self._poll_seconds)
        return page

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except Unavailable:
                if self._closed:
                    raise
                await asyncio.sleep(jitter(RETRY_SECONDS))

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._hear())]

    async def _follow(self) -> None:
        try:
            while True:
                await self._next_wake()
                while self._followers:
                    after = self._position
                    page = await self._patiently(partial(self._read, after, PAGE_EVENTS_MAX))
                    if self._position != after:
                        continue  # somebody who joined meanwhile set it back: this page is not the next one for them
                    if page:
                        self._position = page[-1].position
                        self._hand_out(page)
                    if len(page) < PAGE_EVENTS_MAX:
                        break
                self._read_at.append(asyncio.get_running_loop().time())
        except Exception as error:
            # A mistake of ours must reach those who wait, or they would wait for ever.
            for follower in self._followers:
                follower.fail(error)
            raise

    def _hand_out(self, page: Page) -> None:
        for follower in list(self._followers):
            follower.offer(page)
            if not follower.attached:
                self._followers.discard(follower)

    async def _next_wake(self) -> None:
        """Where nothing gathers, at once after a quiet time; under load, one in so many milliseconds, several commits
        share one read."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._poll_seconds):
                await self._wake.wait()
        early = self._read_at[0] + READS_AT_ONCE_MAX * COALESCE_SECONDS - asyncio.get_running_loop().time()
        wait_seconds = max(early, self._gather_seconds)
        if wait_seconds > 0:
            await asyncio.sleep(wait_seconds)
        self._wake.clear()

    async def _hear(self) -> None:
        while True:
            try:
                connection = await self._listen()
                async with connection:
                    await connection.execute("LISTEN log0")
                    await failpoints.reach("tail.listen")
                    self._wake.set()
                    async for notify in connection.notifies():
                        self.poke(int(notify.payload) if notify.payload.isdigit() else None)
            except STORE_FAILURES:
                pass
            await asyncio.sleep(jitter(RETRY_SECONDS))
