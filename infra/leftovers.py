"""Rows that are good for a while and then for nothing: stream tickets and log-in codes that are used up or too old."""

from __future__ import annotations

from infra.queries import Queries

PRUNE = (
    "DELETE FROM stream_tickets WHERE expires_at < now() OR used_at IS NOT NULL RETURNING 1",
    "DELETE FROM login_codes WHERE expires_at < now() OR used_at IS NOT NULL RETURNING 1",
)


class Leftovers:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def prune(self) -> int:
        """How many went. Raises `Unavailable`."""
        return sum([len(await self._queries.fetch(statement)) for statement in PRUNE])
