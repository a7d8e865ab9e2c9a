"""Presence: which sessions listen, and when each was last seen. Stands beside the log; nothing is decided by it.

A session is active while a process says so again and again: one that was killed says nothing, and after three beats
that did not come its sessions are inactive to everybody else.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.queries import Queries

BEATS_MISSED_MAX = 3

CAME = """INSERT INTO presence (user_id, session_id, last_seen, active) VALUES (%s, %s, now(), true)
ON CONFLICT (user_id, session_id) DO UPDATE SET last_seen = excluded.last_seen, active = true"""
# These two make no row: a session that was closed meanwhile, or whose user was erased, shall not come back.
LEFT = "UPDATE presence SET last_seen = now(), active = false WHERE user_id = %s AND session_id = %s"
BEAT = """UPDATE presence p SET last_seen = now(), active = true
FROM (SELECT * FROM unnest(%s::text[], %s::text[]) AS u(user_id, session_id) ORDER BY 1, 2) s
WHERE p.user_id = s.user_id AND p.session_id = s.session_id"""
FORGET = """DELETE FROM presence p USING unnest(%s::text[], %s::text[]) AS s(user_id, session_id)
WHERE p.user_id = s.user_id AND p.session_id = s.session_id"""
OF = """SELECT session_id, (extract(epoch FROM last_seen) * 1000)::bigint,
    active AND last_seen > now() - make_interval(secs => %s) FROM presence WHERE user_id = %s"""

Sessions = Sequence[tuple[str, str]]


class PostgresPresence:
    """`beat_seconds` is how often processes say that their sessions are there. All raise `Unavailable`."""

    def __init__(self, queries: Queries, *, beat_seconds: float = 10.0) -> None:
        self._queries = queries
        self._silence_seconds_max = BEATS_MISSED_MAX * beat_seconds

    async def seen(self, user_id: str, session_id: str, active: bool) -> None:
        """The session was seen just now: its first client here came, or its last one left."""
        await self._queries.fetch(CAME if active else LEFT, (user_id, session_id))

    async def beat(self, sessions: Sessions) -> None:
        """These pairs of user and session are still listened to."""
        await self._queries.fetch(BEAT, _columns(sessions))

    async def forget(self, sessions: Sessions) -> None:
        await self._queries.fetch(FORGET, _columns(sessions))

    async def of(self, user_id: str) -> dict[str, tuple[int, bool]]:
        """Session id to (last seen in Unix ms, active)."""
        rows = await self._queries.fetch(OF, (self._silence_seconds_max, user_id))
        return {session_id: (last_seen_ms, active) for session_id, last_seen_ms, active in rows}


def _columns(sessions: Sessions) -> tuple[list[str], list[str]]:
    return [user_id for user_id, _ in sessions], [session_id for _, session_id in sessions]
