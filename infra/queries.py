"""Single statements on a pool, with one deadline and one meaning for every failure: `Unavailable`.

A frozen server answers nothing and refuses nothing, so time is what ends a wait: at the deadline the connection's
socket is shut, which wakes whoever reads from it (a cancelled query would first try to tell the server, and hang).
Every statement given to `fetch` must be safe to run twice: it is sent again when its connection breaks.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, LiteralString

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import PoolClosed, PoolTimeout

from domain.errors import Unavailable
from infra.postgres import Pool

Row = tuple[Any, ...]
Parameters = Sequence[object] | Mapping[str, object]

RETRY_AFTER_SECONDS = 1.0
IS_MIGRATED = "SELECT to_regclass('alembic_version') IS NOT NULL"

# What the server, the network or the pool may do to a good statement. The rest is our own mistake and is not caught.
STORE_FAILURES = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,
    psycopg.errors.TransactionTimeout,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.InFailedSqlTransaction,
    PoolTimeout,
    PoolClosed,
    OSError,
)


def unavailable(detail: str = "The store is away. Try again in a moment.") -> Unavailable:
    return Unavailable(detail, retry_after_seconds=RETRY_AFTER_SECONDS)


def shut(connection: AsyncConnection[Any]) -> None:
    """End a connection from outside: whoever waits on it gets `OperationalError` at once."""
    # A second descriptor of the same socket, so that closing ours leaves libpq's own alone.
    with suppress(OSError, psycopg.OperationalError), _twin(connection.fileno()) as twin:
        twin.shutdown(socket.SHUT_RDWR)


def _twin(descriptor: int) -> socket.socket:
    return socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)


@contextmanager
def shut_after(connection: AsyncConnection[Any], seconds: float) -> Iterator[None]:
    """Whoever still waits on it then gets `OperationalError`: a server or a network that fell silent ends no wait."""
    with _until(connection, asyncio.get_running_loop().time() + seconds):
        yield


@contextmanager
def _until(connection: AsyncConnection[Any], deadline: float) -> Iterator[None]:
    timer = asyncio.get_running_loop().call_at(deadline, shut, connection)
    try:
        yield
    finally:
        timer.cancel()


class Queries:
    """`deadline_seconds` covers the wait for a connection and the statement, tries included; the pool's own patience,
    `database_wait_seconds`, where none is said."""

    def __init__(self, pool: Pool, *, deadline_seconds: float | None = None) -> None:
        self._pool = pool
        self._deadline_seconds = pool.timeout if deadline_seconds is None else deadline_seconds

    async def fetch(
        self, statement: LiteralString, parameters: Parameters = (), *, seconds: float | None = None
    ) -> list[Row]:
        """All rows as tuples, [] for a statement that returns none. Raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._deadline_seconds if seconds is None else seconds)
        while True:
            connection: AsyncConnection[Any] | None = None
            try:
                async with self._pool.connection(timeout=max(0.05, deadline - loop.time())) as connection:
                    with _until(connection, deadline):
                        cursor = connection.cursor(binary=True)
                        await cursor.execute(statement, parameters)
                        return await cursor.fetchall() if cursor.description else []
            except psycopg.errors.UndefinedTable as error:
                # Whoever is started before the database is migrated waits for that, as for a store that is away.
                if await self.fetch(IS_MIGRATED) == [(True,)]:
                    raise
                detail = "The database is not migrated: run `microcos migrate`."
                raise Unavailable(detail, code="not_migrated", retry_after_seconds=RETRY_AFTER_SECONDS) from error
            except STORE_FAILURES as error:
                broken = connection is not None and connection.broken
                if not broken or loop.time() >= deadline:
                    raise unavailable() from error

    @asynccontextmanager
    async def transaction(self, *, seconds: float | None = None) -> AsyncIterator[AsyncConnection[Row]]:
        """A transaction on one connection. Nothing is tried again. Raises `Unavailable`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._deadline_seconds if seconds is None else seconds)
        try:
            async with self._pool.connection(timeout=max(0.05, deadline - loop.time())) as connection:
                with _until(connection, deadline):
                    async with connection.transaction():
                        yield connection
        except STORE_FAILURES as error:
            raise unavailable() from error
