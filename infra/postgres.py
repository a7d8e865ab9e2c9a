"""Connections to Postgres with every timeout set, and the check that the server keeps what it acknowledges.

Knows no table. A server whose timeouts are 0 lets one frozen client hold a lock for ever, so each connection sets
its own, whatever the server's defaults are.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool

from infra.pipelines import FlushingAsyncConnection
from infra.settings import Settings, SettingsError

SERVER_VERSION_MIN = 150_000
# A machine that is gone says nothing, and the system's own patience is two hours. Whoever waits hears after some 20 s.
KEEP_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 20_000}


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a self-check. `detail` says what was found and, unless it is ok, what to do."""

    name: str
    level: Literal["ok", "warn", "fail"]
    detail: str


class Pool(AsyncConnectionPool[AsyncConnection[Any]]):
    """Gives out no connection that the server is known to have closed: a restart of it would else cost one failed
    request for each connection. Looks at the socket only; the pool's own check asks the server each time.

    And none to a task that was cancelled. The pool waits with `asyncio.wait_for`, which in Python 3.11 loses a
    cancellation that comes in the moment in which the wait ends: a task that was told to end would never end."""

    async def getconn(self, timeout: float | None = None) -> AsyncConnection[Any]:
        task = asyncio.current_task()
        cancelled_before = task.cancelling() if task is not None else 0
        while True:
            connection = await super().getconn(timeout)
            if task is not None and task.cancelling() > cancelled_before:
                await self.putconn(connection)
                raise asyncio.CancelledError
            if _is_open(connection):
                return connection
            # Taken back it is found broken and replaced.
            await self.putconn(connection)


def conninfo(settings: Settings, application_name: str, *, statement_timeout_seconds: float | None = None) -> str:
    """Connection string with our timeouts; what the URL says of keeping alive stands. 0 lifts the statement timeout,
    for migrations and rebuilds. Raises `SettingsError` without a URL, and for one that is none."""
    if not settings.database_url:
        raise SettingsError("MICROCOS_DATABASE_URL is not set and no `microcos dev` runs on this data dir.")
    statement = settings.database_statement_timeout_seconds
    if statement_timeout_seconds is not None:
        statement = statement_timeout_seconds
    timeouts = {
        "statement_timeout": statement,
        "lock_timeout": settings.database_lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.database_idle_timeout_seconds,
    }
    own = " ".join(f"-c {name}={round(seconds * 1000)}" for name, seconds in timeouts.items())
    try:
        given = conninfo_to_dict(settings.database_url)
    except psycopg.ProgrammingError:
        # What libpq says of it quotes it, and there may be a password in it.
        raise SettingsError("MICROCOS_DATABASE_URL is no address of a Postgres: postgresql://…") from None
    return make_conninfo(
        settings.database_url,
        options=f"{given.get('options') or ''} {own}".strip(),
        **{name: value for name, value in KEEP_ALIVE.items() if name not in given},
        application_name=f"microcos-{application_name}",
        connect_timeout=settings.database_connect_timeout_seconds,
    )


async def connect(
    settings: Settings, application_name: str, *, statement_timeout_seconds: float | None = None
) -> AsyncConnection[tuple[Any, ...]]:
    """One connection in autocommit; the caller closes it. Raises `psycopg.OperationalError`."""
    text = conninfo(settings, application_name, statement_timeout_seconds=statement_timeout_seconds)
    return await FlushingAsyncConnection.connect(text, autocommit=True)


async def limit_transactions(connection: AsyncConnection[Any], seconds: float) -> None:
    """Covers what a statement timeout does not: a client that froze with a transaction half sent, or not committed.

    Servers before 17 have no such limit.
    """
    if connection.info.server_version >= 170_000:
        milliseconds = str(round(seconds * 1000))
        await connection.execute("SELECT set_config('transaction_timeout', %s, false)", (milliseconds,))


def make_pool(settings: Settings, application_name: str, *, size: int | None = None) -> Pool:
    """A closed pool of autocommit connections; `await pool.open()` does not wait for the server.

    `pool.connection()` raises `psycopg_pool.PoolTimeout` after `database_wait_seconds`; `Queries` gives up as soon.
    """
    return Pool(
        conninfo(settings, application_name),
        kwargs={"autocommit": True},
        min_size=1,
        max_size=size or settings.database_pool_size,
        timeout=settings.database_wait_seconds,
        # A server that comes back is noticed within a second or two, not after the default's five minutes of backoff.
        reconnect_timeout=2.0,
        name=f"microcos-{application_name}",
        open=False,
    )


@asynccontextmanager
async def open_pool(settings: Settings, application_name: str, *, size: int | None = None) -> AsyncIterator[Pool]:
    """A pool for as long as the block runs; the server may be away when it opens."""
    pool = make_pool(settings, application_name, size=size)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


async def check_durability(connection: AsyncConnection[tuple[Any, ...]]) -> list[Check]:
    """Whether this server, for this connection, keeps what it has acknowledged and times out what hangs."""
    checks = [_check_version(connection)]
    wanted = {"fsync": "on", "full_page_writes": "on", "transaction_isolation": "read committed"}
    for name, value in wanted.items():
        found = await _show(connection, name)
        if found == value:
            checks.append(Check(name, "ok", found))
        else:
            checks.append(Check(name, "fail", f"is {found}; set {name} = {value} in postgresql.conf"))
    found = await _show(connection, "synchronous_commit")
    if found in ("off",):
        checks.append(Check("synchronous_commit", "fail", "is off; acknowledged commands can be lost: set it to on"))
    else:
        checks.append(Check("synchronous_commit", "ok", found))
    for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
        found = await _show(connection, name)
        if found == "0":
            checks.append(Check(name, "fail", "is 0; a pooler may drop our options: set it on the role"))
        else:
            checks.append(Check(name, "ok", found))
    checks.append(await _check_wish(connection, "data_checksums", "on", "silent disk damage goes unnoticed"))
    checks.append(
        await _check_wish(connection, "wal_recycle", "off", "erased text can live on in recycled WAL segments")
    )
    return checks


async def clock_skew_ms(connection: AsyncConnection[tuple[Any, ...]], now_ms: int) -> int:
    """The database's clock less ours, taken right after the caller read `now_ms`."""
    cursor = await connection.execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0]) - now_ms


def _is_open(connection: AsyncConnection[Any]) -> bool:
    poller = select.poll()
    try:
        poller.register(connection.fileno(), select.POLLIN)
        # Again and again, since the server says why before it closes; only consuming the close itself fails.
        while poller.poll(0):
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return True


def _check_version(connection: psycopg.AsyncConnection[Any]) -> Check:
    version = connection.info.server_version
    shown = f"{version // 10_000}.{version % 10_000}"
    if version < SERVER_VERSION_MIN:
        return Check("version", "fail", f"is {shown}; needs {SERVER_VERSION_MIN // 10_000} or newer")
    return Check("version", "ok", shown)


async def _check_wish(connection: AsyncConnection[tuple[Any, ...]], name: str, value: str, risk: str) -> Check:
    found = await _show(connection, name)
    if found == value:
        return Check(name, "ok", found)
    return Check(name, "warn", f"is {found}; {risk}: set it to {value}")


async def _show(connection: AsyncConnection[tuple[Any, ...]], name: str) -> str:
    cursor = await connection.execute("SELECT current_setting(%s)", (name,))
    row = await cursor.fetchone()
    assert row is not None
    return str(row[0])
