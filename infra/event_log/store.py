"""The event log on Postgres: `domain.ports.EventLog`. Owns log0_events, log0_snapshots and commands.

Appends go through the group-commit writer, following through the shared tail; the reads are here. Holds ciphertext
only and looks into no event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

from domain.ports import Append, Duplicate, Snapshot, StoredEvent, Verdict
from infra import failpoints
from infra.event_log.tail import LogTail
from infra.event_log.writer import LogWriter
from infra.postgres import Pool, connect, limit_transactions, open_pool
from infra.queries import Queries
from infra.settings import Settings

APPEND_SECONDS_MAX = 5.0  # a frozen process holds the append lock for no longer
BACKGROUND_GATHER_SECONDS = 0.010  # for `gather_seconds`: a whole short turn, from message to claim, is one read then
PAGE_SECONDS_MAX = 10.0  # whoever reads the whole log is no request that waits

STREAM = """SELECT notification_id, originator_id, originator_version, topic, state FROM log0_events
WHERE originator_id = %s AND originator_version > %s AND originator_version <= %s
ORDER BY originator_version LIMIT %s"""
VERSIONS = """SELECT notification_id, originator_id, originator_version, topic, state FROM log0_events
WHERE originator_id = %s AND originator_version = ANY(%s) ORDER BY originator_version"""
LOG = """SELECT notification_id, originator_id, originator_version, topic, state FROM log0_events
WHERE notification_id > %s ORDER BY notification_id LIMIT %s"""
HEAD = "SELECT originator_version FROM log0_events WHERE originator_id = %s ORDER BY originator_version DESC LIMIT 1"
COMMAND = (
    "SELECT fingerprint, status, answer, answer_key_id::text, version FROM commands"
    " WHERE user_id = %s AND command_id = %s::uuid"
)
SNAPSHOT = (
    "SELECT originator_id, originator_version, topic, state FROM log0_snapshots"
    " WHERE originator_id = %s AND topic = %s ORDER BY originator_version DESC LIMIT 1"
)
SAVE_SNAPSHOT = (
    "WITH pruned AS (DELETE FROM log0_snapshots WHERE originator_id = %(user)s AND originator_version < %(version)s)"
    " INSERT INTO log0_snapshots (originator_id, originator_version, topic, state)"
    " VALUES (%(user)s, %(version)s, %(name)s, %(state)s)"
    " ON CONFLICT (originator_id, originator_version) DO UPDATE SET topic = excluded.topic, state = excluded.state"
)
LAST_POSITION = "SELECT coalesce(max(notification_id), 0) FROM log0_events"
VERSION_MAX = 2**63 - 1


class PostgresEventLog:
    """Made by `open_event_log`; every method raises `Unavailable` within 2 s when Postgres is away."""

    def __init__(self, settings: Settings, pool: Pool, *, gather_seconds: float = 0.0) -> None:
        self._settings = settings
        self._queries = Queries(pool)
        self._tail = LogTail(
            self._read_page,
            self.last_position,
            self._connect_listener,
            poll_seconds=settings.log_poll_seconds,
            gather_seconds=gather_seconds,
        )
        self._writer = LogWriter(self._connect_writer, self._tail.poke, wait_seconds=settings.database_wait_seconds)

    def start(self) -> None:
        self._writer.start()

    async def aclose(self) -> None:
        await self._writer.aclose()
        await self._tail.aclose()

    async def append(self, append: Append) -> Verdict:
        return await self._writer.append(append)

    async def find_command(self, user_id: str, command_id: str) -> Duplicate | None:
        rows = await self._queries.fetch(COMMAND, (user_id, command_id))
        return Duplicate(*rows[0]) if rows else None

    async def head(self, user_id: str) -> int:
        rows = await self._queries.fetch(HEAD, (user_id,))
        return int(rows[0][0]) if rows else 0

    async def read_stream(
        self, user_id: str, *, after: int, until: int | None = None, limit: int = 5_000
    ) -> list[StoredEvent]:
        last = VERSION_MAX if until is None else until
        return [StoredEvent(*row) for row in await self._queries.fetch(STREAM, (user_id, after, last, limit))]

    async def read_versions(self, user_id: str, versions: Sequence[int]) -> list[StoredEvent]:
        return [StoredEvent(*row) for row in await self._queries.fetch(VERSIONS, (user_id, list(versions)))]

    async def read_log(self, *, after: int, limit: int = 5_000) -> list[StoredEvent]:
        return await self._read_page(after, limit)

    async def last_position(self) -> int:
        return int((await self._queries.fetch(LAST_POSITION))[0][0])

    async def load_snapshot(self, user_id: str, name: str) -> Snapshot | None:
        rows = await self._queries.fetch(SNAPSHOT, (user_id, name))
        return Snapshot(*rows[0]) if rows else None

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Older ones of the user go in the same statement."""
        await failpoints.reach("snapshot.before")
        values = {
            "user": snapshot.user_id,
            "version": snapshot.version,
            "name": snapshot.name,
            "state": snapshot.state,
        }
        await self._queries.fetch(SAVE_SNAPSHOT, values)

    async def generation(self) -> str:
        """Changes when the log is restored from a copy: cursors made before it cannot be continued."""
        return str((await self._queries.fetch("SELECT generation FROM logs WHERE log = 0"))[0][0])

    def tail(self, *, after: int | None = None) -> AsyncGenerator[list[StoredEvent], None]:
        return self._tail.pages(after)

    def poke(self) -> None:
        """Look at the log now: somebody knows that something was committed."""
        self._tail.poke()

    async def _read_page(self, after: int, limit: int) -> list[StoredEvent]:
        await failpoints.reach("log.read")
        rows = await self._queries.fetch(LOG, (after, limit), seconds=PAGE_SECONDS_MAX)
        return [StoredEvent(*row) for row in rows]

    async def _connect_listener(self) -> AsyncConnection[Any]:
        return await connect(self._settings, "listen")

    async def _connect_writer(self) -> AsyncConnection[Any]:
        connection = await connect(self._settings, "append", statement_timeout_seconds=APPEND_SECONDS_MAX)
        try:
            # What is acknowledged must be on disk, whatever the server's default is.
            await connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false)"
                " WHERE current_setting('synchronous_commit') = 'off'"
            )
            await limit_transactions(connection, APPEND_SECONDS_MAX)
        except BaseException:
            await connection.close()
            raise
        return connection


@asynccontextmanager
async def open_event_log(
    settings: Settings, pool: Pool | None = None, *, gather_seconds: float = 0.0
) -> AsyncIterator[PostgresEventLog]:
    """A running log, on a pool that the caller shares or on its own. Postgres may be away when it opens.

    `gather_seconds`: how long its tail may let commits gather, in a process where no client waits for the facts.
    """
    if pool is None:
        async with (
            open_pool(settings, "log") as own,
            open_event_log(settings, own, gather_seconds=gather_seconds) as log,
        ):
            yield log
        return
    log = PostgresEventLog(settings, pool, gather_seconds=gather_seconds)
    log.start()
    try:
        yield log
    finally:
        await log.aclose()
