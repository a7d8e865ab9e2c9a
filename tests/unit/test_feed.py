"""The feed goes on whatever the store does: a page that cannot be opened now is opened later, and none is left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import cast

from domain.errors import Unavailable
from domain.events import Fact
from domain.ports import EventLog, StoredEvent
from infra import codec
from infra.event_log.feed import FactFeed
from infra.keys.keyring import Keyring
from tests.support.histories import History


class TailOnly:
    def __init__(self, *pages: list[StoredEvent]) -> None:
        self._pages = pages

    async def tail(self, *, after: int | None = None) -> AsyncGenerator[list[StoredEvent], None]:
        for page in self._pages:
            yield page


class KeysThatAreAway:
    """For so many tries."""

    def __init__(self, stream: History, tries: int) -> None:
        self._stream = stream
        self._tries = tries

    async def open_events(self, user_id: str, rows: Sequence[StoredEvent]) -> list[Fact]:
        self._tries -= 1
        if self._tries >= 0:
            raise Unavailable("away")
        return [codec.open(row, self._stream.keys) for row in rows]


class Everything:
    def __init__(self) -> None:
        self.versions: list[int] = []

    def wants(self, user_id: str) -> bool:
        return True

    def receive(self, user_id: str, facts: Sequence[Fact]) -> None:
        self.versions += [fact.version for fact in facts]


async def test_a_page_whose_keys_cannot_be_read_now_is_handed_out_once_they_can() -> None:
    stream = History("00/u").say("hello").answer("hi")
    log, keys = TailOnly(stream.rows[:2], stream.rows[2:]), KeysThatAreAway(stream, 2)
    feed = FactFeed(cast(EventLog, log), cast(Keyring, keys))
    everything = Everything()
    feed.add(everything)

    await asyncio.wait_for(feed.run(), 30)

    assert everything.versions == [fact.version for fact in stream.facts]
