"""What Postgres holds in the end: the facts of a user, opened, and everything that must agree with them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from commands.write_side import WriteSide, open_write_side
from domain.events import Fact
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class Row:
    """An event as it is stored. `position` is its place in the log."""

    position: int
    user_id: str
    version: int
    name: str
    event_id: str


class Ledger:
    def __init__(self, side: WriteSide) -> None:
        self._side = side

    async def user_id(self, sub: str) -> str:
        found = await self._side.keyring.find_user("", sub)
        assert found is not None, f"{sub} is nobody"
        return found

    async def facts(self, sub: str) -> list[Fact]:
        """The whole stream of a user. Its versions are 1, 2, 3 … and its times never go back."""
        user_id = await self.user_id(sub)
        facts: list[Fact] = []
        while rows := await self._side.log.read_stream(user_id, after=len(facts)):
            facts += await self._side.keyring.open_events(user_id, rows)
        assert [fact.version for fact in facts] == list(range(1, len(facts) + 1)), f"{sub} has a gap"
        times = [fact.meta.at_ms for fact in facts]
        assert times == sorted(times), f"the time of {sub} went back"
        return facts

    async def rows(self, *, after: int = 0) -> list[Row]:
        """The whole log in its order, beyond a position."""
        statement = (
            "SELECT notification_id, originator_id, originator_version, topic, convert_from(state, 'UTF8')"
            " FROM log0_events WHERE notification_id > %s ORDER BY notification_id"
        )
        found = await self._side.queries.fetch(statement, (after,), seconds=30)
        return [Row(*row[:4], json.loads(row[4])["event_id"]) for row in found]

    async def last_position(self) -> int:
        return await self._side.log.last_position()

    async def waiting(self, sub: str) -> list[tuple[Any, ...]]:
        """The user's `work` row, if a reply is still to be written."""
        statement = "SELECT reply_id, attempt, owner FROM work WHERE user_id = %s"
        return await self._side.queries.fetch(statement, (await self.user_id(sub),))

    async def fetch(self, statement: Any, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        return await self._side.queries.fetch(statement, parameters, seconds=30)


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    async with open_write_side(settings, "ledger") as side:
        yield Ledger(side)
