"""Who listens: written down beside the log when a session's first client comes and when its last one has left, and
again with each beat in between, so that the sessions of a process that was killed are soon known to be over.

Never in a stream's way: written in the background, the last state of each session wins, and failing is only logged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from api.live.one_at_a_time import OneAtATime
from domain.errors import Unavailable


class PresenceStore(Protocol):
    async def seen(self, user_id: str, session_id: str, active: bool) -> None:
        """The session was seen just now. Raises `Unavailable`."""
        ...

    async def beat(self, sessions: Sequence[tuple[str, str]]) -> None:
        """These pairs of user and session are still listened to. Raises `Unavailable`."""
        ...


class PresenceWrites:
    def __init__(self, store: PresenceStore) -> None:
        self._store = store
        self._clients: Counter[tuple[str, str]] = Counter()
        self._unwritten: dict[tuple[str, str], bool] = {}
        self._writing = OneAtATime(self._write)
        self._beating = OneAtATime(self._beat)

    def came(self, user_id: str, session_id: str | None) -> None:
        if session_id is not None:
            self._change(user_id, session_id, 1)

    def left(self, user_id: str, session_id: str | None) -> None:
        if session_id is not None:
            self._change(user_id, session_id, -1)

    def beat(self) -> None:
        if self._clients:
            self._beating.request()

    async def settle(self) -> None:
        await self._beating.settle()
        await self._writing.settle()

    async def stop(self) -> None:
        await self._beating.cancel()
        await self._writing.cancel()

    def _change(self, user_id: str, session_id: str, change: int) -> None:
        key = (user_id, session_id)
        before = self._clients[key]
        self._clients[key] = before + change
        if not self._clients[key]:
            del self._clients[key]
        self._unwritten[key] = key in self._clients
        self._writing.request()

    async def _write(self) -> None:
        while self._unwritten:
            key, active = next(iter(self._unwritten.items()))
            del self._unwritten[key]
            try:
                await self._store.seen(*key, active)
            except Unavailable:
                self._unwritten.setdefault(key, active)
                raise

    async def _beat(self) -> None:
        await self._writing.settle()  # a session whose coming is not written yet has no row to be seen in
        if self._clients:
            await self._store.beat(list(self._clients))
