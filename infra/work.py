"""Whose the running replies are, and their text so far: `WorkQueue` and `Segments` on Postgres.

Rows of `work` change with appends, inside the append function; here they are read, renewed and released. Nothing
here waits for the disk: what a power cut takes away is a lease's last second, or text that will be generated again.
"""

from __future__ import annotations

from collections.abc import Sequence

from domain.ports import Segment, Work
from infra import failpoints
from infra.queries import Queries

CLAIMABLE = """SELECT user_id, reply_id, attempt, owner FROM work
WHERE lease_until IS NULL OR lease_until <= clock_timestamp() ORDER BY wanted_at LIMIT %s"""

# The rows are locked in order of user, as the append function does, so that the two never wait for each other. The
# setting ends with the statement's transaction; it is compared so that it is certainly made.
RENEW = """WITH relaxed AS (SELECT set_config('synchronous_commit', 'off', true) AS commit), mine AS (
    SELECT w.user_id FROM work w, relaxed
    WHERE w.user_id = ANY(%s) AND w.owner = %s AND relaxed.commit = 'off' ORDER BY w.user_id FOR UPDATE OF w
) UPDATE work w SET lease_until = clock_timestamp() + make_interval(secs => %s)
FROM mine WHERE w.user_id = mine.user_id RETURNING w.user_id"""

RELEASE = """WITH dead AS (
    SELECT user_id FROM work
    WHERE lease_until > clock_timestamp() AND (%(all)s OR owner = ANY(%(owners)s)) ORDER BY user_id FOR UPDATE
) UPDATE work w SET lease_until = clock_timestamp() FROM dead WHERE w.user_id = dead.user_id RETURNING w.user_id"""

WRITE_SEGMENTS = """INSERT INTO segments (user_id, reply_id, attempt, first_index, last_index, sealed)
SELECT s.user_id, s.reply_id, s.attempt, s.first_index, s.last_index, s.sealed
FROM unnest(%s::text[], %s::text[], %s::int[], %s::int[], %s::int[], %s::bytea[])
    AS s(user_id, reply_id, attempt, first_index, last_index, sealed),
    (SELECT set_config('synchronous_commit', 'off', true) AS commit) AS relaxed
WHERE relaxed.commit = 'off' ON CONFLICT DO NOTHING"""

READ_SEGMENTS = """SELECT first_index, last_index, sealed FROM segments
WHERE user_id = %s AND reply_id = %s AND attempt = %s AND last_index > %s ORDER BY first_index"""

PRUNE_SEGMENTS = """DELETE FROM segments WHERE written_at < clock_timestamp() - make_interval(secs => %s)
RETURNING 1"""


class PostgresWorkQueue:
    """Every method raises `Unavailable`."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def claimable(self, *, limit: int) -> list[Work]:
        return [Work(*row) for row in await self._queries.fetch(CLAIMABLE, (limit,))]

    async def renew(self, owner: str, user_ids: Sequence[str], lease_seconds: float) -> set[str]:
        await failpoints.reach("work.renew.before")
        rows = await self._queries.fetch(RENEW, (list(user_ids), owner, lease_seconds))
        return {row[0] for row in rows}

    async def release_dead(self, owners: Sequence[str] | None) -> int:
        parameters = {"all": owners is None, "owners": list(owners or ())}
        return len(await self._queries.fetch(RELEASE, parameters))


class PostgresSegments:
    """Every method raises `Unavailable`."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def write(self, segments: Sequence[Segment]) -> None:
        """One statement for all. One that is there already stays as it is."""
        if not segments:
            return
        await failpoints.reach("segments.write.before")
        columns = (
            [segment.user_id for segment in segments],
            [segment.reply_id for segment in segments],
            [segment.attempt for segment in segments],
            [segment.first_index for segment in segments],
            [segment.last_index for segment in segments],
            [segment.sealed for segment in segments],
        )
        await self._queries.fetch(WRITE_SEGMENTS, columns)

    async def read(self, user_id: str, reply_id: str, *, attempt: int, after_index: int) -> list[Segment]:
        rows = await self._queries.fetch(READ_SEGMENTS, (user_id, reply_id, attempt, after_index))
        return [
            Segment(
                user_id=user_id,
                reply_id=reply_id,
                attempt=attempt,
                first_index=first_index,
                last_index=last_index,
                sealed=sealed,
            )
            for first_index, last_index, sealed in rows
        ]

    async def prune(self, *, older_than_seconds: float) -> int:
        """Delete what was written longer ago; how many. The final text stands in the log."""
        return len(await self._queries.fetch(PRUNE_SEGMENTS, (older_than_seconds,)))
