"""One reader of the log's tail per process, opened and handed to whoever follows a user: caches and live hubs.

It opens only events of users that somebody wants. It holds no state of its own but the position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from itertools import groupby
from typing import Protocol

from domain.errors import Unavailable
from domain.events import Fact
from domain.ports import EventLog, StoredEvent
from infra.ids import jitter
from infra.keys.keyring import Keyring

RETRY_SECONDS = 0.2


class Listener(Protocol):
    """Both are called in the event loop and must not block. Facts of one user come in version order, once."""

    def wants(self, user_id: str) -> bool: ...
    def receive(self, user_id: str, facts: Sequence[Fact]) -> None: ...


class FactFeed:
    """`run` until cancelled. Listeners see each page of the log in position order."""

    def __init__(self, log: EventLog, keyring: Keyring) -> None:
        self._log = log
        self._keyring = keyring
        self._listeners: list[Listener] = []

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    async def run(self, *, after: int | None = None) -> None:
        async with aclosing(self._log.tail(after=after)) as pages:
            async for page in pages:
                await self._hand_out(page)

    async def _hand_out(self, page: list[StoredEvent]) -> None:
        for user_id, rows in groupby(sorted(page, key=lambda row: row.user_id), key=lambda row: row.user_id):
            wanting = [listener for listener in self._listeners if listener.wants(user_id)]
            if not wanting:
                continue
            facts = await self._open(user_id, list(rows))
            for listener in wanting:
                listener.receive(user_id, facts)

    async def _open(self, user_id: str, rows: list[StoredEvent]) -> list[Fact]:
        """Keys are read from a store that may be away now: it is waited for, since no event may be left out."""
        while True:
            try:
                return await self._keyring.open_events(user_id, rows)
            except Unavailable:
                await asyncio.sleep(jitter(RETRY_SECONDS))
