"""Who leads a role: the relay, the projections. A leader is a row on the database's clock; there are no session locks.

Two may believe that they lead, for a moment: a leader's writes are therefore conditional on its epoch (`still_leads`
inside the same transaction), so that the older one does no harm.
"""

from __future__ import annotations

from typing import Any, Protocol

from psycopg import AsyncConnection, AsyncPipeline

from infra import failpoints
from infra.queries import Queries

ACQUIRE = """INSERT INTO leaders AS l (role, log, owner, epoch, until)
VALUES (%(role)s, 0, %(owner)s, 1, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (role, log) DO UPDATE
SET owner = excluded.owner, epoch = l.epoch + (l.owner <> excluded.owner)::int, until = excluded.until
WHERE l.owner = excluded.owner OR l.until <= clock_timestamp()
RETURNING epoch"""

RESIGN = """UPDATE leaders SET until = clock_timestamp()
WHERE role = %s AND log = 0 AND owner = %s AND until > clock_timestamp()"""

# The share lock keeps others from taking over before this transaction ends; it is asked for last, as it also makes
# our own renewal wait.
STILL_LEADS = "SELECT 1 FROM leaders WHERE role = %s AND log = 0 AND owner = %s AND epoch = %s FOR SHARE"


class LeadershipLost(Exception):
    """Another process leads this role now. Roll back, and stand by."""


class Leaders(Protocol):
    """One process's part in the election. Raises `domain.errors.Unavailable`."""

    async def acquire(self, role: str, lease_seconds: float) -> int | None:
        """Lead, or go on leading, for this long: the epoch, None while another leads. Call it to renew."""
        ...

    async def resign(self, role: str) -> None:
        """Let another take over at once."""
        ...


class PostgresLeaders:
    """`owner` names this process and no other one, before it or after it."""

    def __init__(self, queries: Queries, owner: str) -> None:
        self._queries = queries
        self.owner = owner

    async def acquire(self, role: str, lease_seconds: float) -> int | None:
        await failpoints.reach("leaders.acquire.before")
        parameters = {"role": role, "owner": self.owner, "seconds": lease_seconds}
        rows = await self._queries.fetch(ACQUIRE, parameters)
        return int(rows[0][0]) if rows else None

    async def resign(self, role: str) -> None:
        await self._queries.fetch(RESIGN, (role, self.owner))

    async def still_leads(
        self, connection: AsyncConnection[Any], role: str, epoch: int, pipeline: AsyncPipeline | None = None
    ) -> None:
        """The last statement of a leader's transaction, before its commit. Raises `LeadershipLost`.

        In a `pipeline` it is sent with a sync: to the server, who freezes after it is idle in a transaction, and the
        timeout for that ends it. Without one the server would wait, and the others with it, for ever.
        """
        cursor = await connection.execute(STILL_LEADS, (role, self.owner, epoch))
        if pipeline is not None:
            await pipeline.sync()
        if await cursor.fetchone() is None:
            raise LeadershipLost(f"{role} is led by another process since epoch {epoch}")
