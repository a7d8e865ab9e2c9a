"""Group commit: all commands that wait go to the append function in one call, on one connection of this process.

Owns the answer to "did it happen?". A call whose connection is lost is sent again unchanged, and what the first one
stored is recognised as ours; when that cannot be found out in time, the outcome is unknown and the caller hears so.
Reads nothing else and decides nothing about commands: the SQL function does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import psycopg
from psycopg import AsyncConnection

from domain.ports import Append, Appended, AppendRefused, Duplicate, Verdict
from infra import failpoints
from infra.event_log import binary_arrays
from infra.event_log.append_call import APPEND, append_parameters, verdict_of
from infra.queries import STORE_FAILURES, shut, unavailable

Connect = Callable[[], Awaitable[AsyncConnection[Any]]]

BATCH_COMMANDS_MAX = 256
BATCH_BYTES_MAX = 4_000_000
SILENCE_SECONDS = 1.0  # a call that takes longer makes us ask whether the server lives at all
# Of the patience with an absent server: after the second part nobody waits for more than one more try to connect.
CONNECT_PART, ABSENT_PART = 0.4, 0.6
RESEND_SECONDS_MAX = 10.0
BACKOFF_SECONDS = 0.05

OWN_EVENTS = (
    "SELECT topic, state, notification_id FROM log0_events WHERE originator_id = %s"
    " AND originator_version > %s AND originator_version <= %s ORDER BY originator_version"
)


class Pending:
    """A command on its way, and who waits for it."""

    __slots__ = ("append", "asked_at", "future", "size")

    def __init__(self, append: Append, future: asyncio.Future[Verdict], asked_at: float) -> None:
        self.append = append
        self.future = future
        self.asked_at = asked_at
        self.size = sum(len(event.state) for event in append.events)

    def settle(self, verdict: Verdict) -> None:
        if not self.future.done():
            self.future.set_result(verdict)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class LogWriter:
    """`connect` makes a connection in autocommit with its timeouts set; `committed` hears each new last position.
    Where the server is away, everybody hears it after `wait_seconds`."""

    def __init__(self, connect: Connect, committed: Callable[[int], None], *, wait_seconds: float) -> None:
        self._connect = connect
        self._committed = committed
        self._connect_seconds = CONNECT_PART * wait_seconds
        self._absent_seconds = ABSENT_PART * wait_seconds
        self._queue: deque[Pending] = deque()
        self._in_flight: list[Pending] = []
        self._wake = asyncio.Event()
        self._connection: AsyncConnection[Any] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def start(self) -> None:
        self._spawn(self._run())

    async def aclose(self) -> None:
        """Ends the writer; commands that still wait get `Unavailable`."""
        self._closed = True
        for pending in (*self._in_flight, *self._queue):
            pending.fail(unavailable("The server is stopping. Send the same command again."))
        if self._connection is not None:
            shut(self._connection)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._drop_connection()

    def append(self, append: Append) -> asyncio.Future[Verdict]:
        """Resolves to the verdict, or to `Unavailable`."""
        loop = asyncio.get_running_loop()
        pending = Pending(append, loop.create_future(), loop.time())
        if self._closed or not self._tasks:
            pending.fail(unavailable("The server is stopping. Send the same command again."))
        else:
            self._queue.append(pending)
            self._wake.set()
        return pending.future

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            batch = self._gather()
            if not batch:
                self._wake.clear()
                continue
            self._in_flight = batch
            try:
                await self._write(batch, unknown=False)
            except Exception as error:
                # A mistake of ours must reach those who wait, and must not end the writer for all others.
                for pending in batch:
                    pending.fail(error)
            self._in_flight = []

    def _gather(self) -> list[Pending]:
        batch: list[Pending] = []
        later: list[Pending] = []
        users: set[str] = set()
        size = 0
        while self._queue and len(batch) < BATCH_COMMANDS_MAX and size < BATCH_BYTES_MAX:
            pending = self._queue.popleft()
            if pending.future.done():
                continue
            if pending.append.user_id in users:
                # The function judges each command against what is committed, so a user's next one waits its turn.
                later.append(pending)
                continue
            users.add(pending.append.user_id)
            size += pending.size
            batch.append(pending)
        self._queue.extendleft(reversed(later))
        return batch

    async def _write(self, batch: list[Pending], *, unknown: bool) -> None:
        """Until each of the batch has its verdict or its error. `unknown`: an earlier call may have stored it."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + RESEND_SECONDS_MAX
        while not all(pending.future.done() for pending in batch):
            try:
                connection = self._connection or await self._reconnect()
            except STORE_FAILURES as error:
                self._fail_overdue(batch, unknown, error)
                await asyncio.sleep(BACKOFF_SECONDS)
                continue
            try:
                await self._call(connection, batch, unknown)
            except STORE_FAILURES as error:
                if connection.broken or not isinstance(error, psycopg.Error):
                    unknown = True
                    await self._drop_connection()
                if not unknown or loop.time() > give_up_at:
                    _fail(batch, unknown, error)
                await asyncio.sleep(BACKOFF_SECONDS)
            except Exception as error:
                # One of them holds what cannot be stored; the others shall not pay for it.
                if len(batch) == 1:
                    batch[0].fail(error)
                for pending in batch:
                    await self._write([pending], unknown=unknown)

    async def _call(self, connection: AsyncConnection[Any], batch: list[Pending], unknown: bool) -> None:
        parameters = append_parameters([pending.append for pending in batch])
        timer = asyncio.get_running_loop().call_later(SILENCE_SECONDS, self._suspect, connection, batch)
        try:
            await failpoints.reach("append.before")
            cursor = connection.cursor(binary=True)
            await cursor.execute(APPEND, parameters, prepare=True)
            rows = {row[0]: row for row in await cursor.fetchall()}
            await failpoints.reach("append.after")
            verdicts = [verdict_of(rows[pending.append.user_id]) for pending in batch]
            if unknown:
                verdicts = [
                    await _recognise(connection, pending.append, verdict)
                    for pending, verdict in zip(batch, verdicts, strict=True)
                ]
        finally:
            timer.cancel()
        last = 0
        for pending, verdict in zip(batch, verdicts, strict=True):
            pending.settle(verdict)
            if isinstance(verdict, Appended) and verdict.position > last:
                last = verdict.position
        if last:
            self._committed(last)

    async def _reconnect(self) -> AsyncConnection[Any]:
        async with asyncio.timeout(self._connect_seconds):
            connection = await self._connect()
        binary_arrays.accept(connection)
        self._connection = connection
        return connection

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    def _suspect(self, connection: AsyncConnection[Any], batch: list[Pending]) -> None:
        self._spawn(self._probe(connection, batch))

    async def _probe(self, connection: AsyncConnection[Any], batch: list[Pending]) -> None:
        """The call is silent: a server that answers others is merely slow, any other one is gone."""
        try:
            async with asyncio.timeout(self._connect_seconds):
                other = await self._connect()
            await other.close()
        except STORE_FAILURES as error:
            if connection is self._connection:
                self._fail_overdue(batch, True, error)
                shut(connection)
            return
        if connection is not self._connection or all(pending.future.done() for pending in batch):
            return
        loop = asyncio.get_running_loop()
        if loop.time() - batch[0].asked_at > RESEND_SECONDS_MAX:
            shut(connection)
        else:
            loop.call_later(SILENCE_SECONDS, self._suspect, connection, batch)

    def _fail_overdue(self, batch: list[Pending], unknown: bool, error: BaseException) -> None:
        """The server cannot be reached: whoever has waited for long enough hears it."""
        since = asyncio.get_running_loop().time() - self._absent_seconds
        _fail([pending for pending in batch if pending.asked_at <= since], unknown, error)
        _fail([pending for pending in self._queue if pending.asked_at <= since], False, error)


def _fail(batch: Sequence[Pending], unknown: bool, error: BaseException) -> None:
    for pending in batch:
        if unknown:
            failure = unavailable("The outcome is unknown. Send the same command again, with the same key.")
        else:
            failure = unavailable("The store is away and nothing was written. Send the same command again.")
        failure.__cause__ = error
        pending.fail(failure)


async def _recognise(connection: AsyncConnection[Any], append: Append, verdict: Verdict) -> Verdict:
    """After a call was sent again: is what stands in the way what the first one stored?

    Events are told by their bytes, which hold a random id; an answer by its own, sealed under a random nonce.
    """
    if isinstance(verdict, Appended) or (isinstance(verdict, AppendRefused) and verdict.reason != "erased"):
        return verdict
    end = append.expected_version + len(append.events)
    if not append.events:
        own = isinstance(verdict, Duplicate) and append.answer is not None and verdict.answer == append.answer
        return Appended(end, 0) if own else verdict
    cursor = connection.cursor(binary=True)
    await cursor.execute(OWN_EVENTS, (append.user_id, append.expected_version, end))
    rows = await cursor.fetchall()
    if [(row[0], row[1]) for row in rows] == [(event.name, event.state) for event in append.events]:
        return Appended(end, rows[-1][2])
    return verdict
