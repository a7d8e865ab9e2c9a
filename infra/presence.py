"""Presence: which sessions listen, and when each was last seen. Stands beside the log; nothing is decided by it."""

from __future__ import annotations

from infra.queries import Queries

SEEN = """INSERT INTO presence (user_id, session_id, last_seen, active) VALUES (%s, %s, now(), %s)
ON CONFLICT (user_id, session_id) DO UPDATE SET last_seen = excluded.last_seen, active = excluded.active"""
OF = "SELECT session_id, (extract(epoch FROM last_seen) * 1000)::bigint, active FROM presence WHERE user_id = %s"


class PostgresPresence:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def seen(self, user_id: str, session_id: str, active: bool) -> None:
        """The session was seen just now. Raises `Unavailable`."""
        await self._queries.fetch(SEEN, (user_id, session_id, active))

    async def of(self, user_id: str) -> dict[str, tuple[int, bool]]:
        """Session id to (last seen in Unix ms, active)."""
        rows = await self._queries.fetch(OF, (user_id,))
        return {session_id: (last_seen_ms, active) for session_id, last_seen_ms, active in rows}
