"""Which worker has a recording or a spoken answer in hand. A lease that ran out says that its worker died, and its
attempt how often that has happened. By the database's clock; it knows no users.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra import failpoints
from infra.queries import Queries

CLAIM = """INSERT INTO speech_leases AS l (id, attempt, owner, lease_until)
VALUES (%(id)s, 1, %(owner)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (id) DO UPDATE SET attempt = l.attempt + 1, owner = excluded.owner, lease_until = excluded.lease_until
WHERE l.lease_until <= clock_timestamp() RETURNING l.attempt"""

RENEW = """WITH mine AS (
    SELECT id FROM speech_leases WHERE id = ANY(%s::uuid[]) AND owner = %s ORDER BY id FOR UPDATE
) UPDATE speech_leases l SET lease_until = clock_timestamp() + make_interval(secs => %s)
FROM mine WHERE l.id = mine.id RETURNING l.id::text"""

LET_GO = """UPDATE speech_leases SET attempt = attempt - %s, lease_until = clock_timestamp() + make_interval(secs => %s)
WHERE id = %s AND owner = %s AND lease_until > clock_timestamp()"""

PRUNE = """DELETE FROM speech_leases WHERE lease_until < clock_timestamp() - make_interval(secs => %s) RETURNING 1"""


class SpeechLeases:
    """`id` is the UUID of the audio. Every method raises `Unavailable`."""

    def __init__(self, queries: Queries, *, owner: str, seconds: float) -> None:
        self._queries = queries
        self._owner = owner
        self._seconds = seconds

    async def claim(self, audio_id: str) -> int | None:
        """Which attempt this is, from 1; None while somebody has it."""
        values = {"id": audio_id, "owner": self._owner, "seconds": self._seconds}
        rows = await self._queries.fetch(CLAIM, values)
        return int(rows[0][0]) if rows else None

    async def renew(self, audio_ids: Sequence[str]) -> set[str]:
        """Those that are still ours."""
        await failpoints.reach("speech.renew.before")
        rows = await self._queries.fetch(RENEW, (list(audio_ids), self._owner, self._seconds))
        return {str(row[0]) for row in rows}

    async def let_go(self, audio_id: str, *, seconds: float = 0.0, is_counted: bool = True) -> None:
        """Nobody takes it until these seconds are over; then it is the next attempt, or this one again."""
        await self._queries.fetch(LET_GO, (0 if is_counted else 1, seconds, audio_id, self._owner))

    async def prune(self, *, older_than_seconds: float) -> int:
        """Delete what ran out longer ago; how many. What it was about has ended by then, or been given up."""
        return len(await self._queries.fetch(PRUNE, (older_than_seconds,)))
