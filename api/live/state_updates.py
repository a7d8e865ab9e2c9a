"""`state.updated`: tells a user's clients, soon after facts, that the views have reached them, and what changed.

Coalesced: one look at the views for all facts of a moment and all clients that were told the same before. Nothing
runs while nothing happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from api.live.client import Client
from api.live.frames import Encoded, state_frame
from api.live.one_at_a_time import OneAtATime
from domain.values import Json

COALESCE_SECONDS = 0.075

# (user_id, since_version, until_version) → (the version that the views have reached, what changed after `since`).
# Waits until they have reached `until`, for a while. Raises `Unavailable`.
Changes = Callable[[str, int, int], Awaitable[tuple[int, dict[str, Json]]]]


class StateUpdates:
    """`clients` is the hub's own set of attached ones; `version` its last fact."""

    def __init__(self, user_id: str, changes: Changes, clients: Collection[Client], version: Callable[[], int]) -> None:
        self._user_id = user_id
        self._changes = changes
        self._clients = clients
        self._version = version
        self._reached = 0
        self._telling = OneAtATime(self._tell)

    def greet(self, client: Client, since: int) -> None:
        """Each client hears of the views once when it comes, with what changed since its cursor."""
        client.told = since
        client.greeted = False
        self._telling.request()

    def request(self) -> None:
        self._telling.request()

    async def stop(self) -> None:
        await self._telling.cancel()

    async def _tell(self) -> None:
        await asyncio.sleep(COALESCE_SECONDS)
        until = self._version()
        groups: dict[int, list[Client]] = {}
        for client in self._clients:
            if client.told < until or not client.greeted:
                groups.setdefault(client.told, []).append(client)
        for since, clients in groups.items():
            version = until
            patch: dict[str, Json] = {}
            if since < until or self._reached < until:
                version, patch = await self._changes(self._user_id, since, until)
            self._reached = max(self._reached, version)
            if version < until:
                self._telling.request()
            frame = Encoded(state_frame(version, patch))
            for client in clients:
                if client in self._clients and client.told == since:
                    client.told, client.greeted = max(version, since), True
                    client.push(frame, version=version)
