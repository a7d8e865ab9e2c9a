"""How far a follower of the log has read, in the library's tracking table. A position never goes back."""

from __future__ import annotations

from infra.queries import Queries

READ = "SELECT notification_id FROM log0_tracking WHERE application_name = %s"
ADVANCE = """INSERT INTO log0_tracking AS t (application_name, notification_id) VALUES (%s, %s)
ON CONFLICT (application_name) DO UPDATE SET notification_id = excluded.notification_id
WHERE t.notification_id < excluded.notification_id"""


class Tracking:
    def __init__(self, queries: Queries, name: str) -> None:
        self._queries = queries
        self._name = name

    async def position(self) -> int:
        """The last position that was read, 0 before the first. Raises `Unavailable`."""
        rows = await self._queries.fetch(READ, (self._name,))
        return int(rows[0][0]) if rows else 0

    async def advance(self, position: int) -> None:
        await self._queries.fetch(ADVANCE, (self._name, position))
