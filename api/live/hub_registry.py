"""All hubs of this process: made when a user's first client comes, gone a little after the last has left.

Owns the two timers of the live stream (one tick, one ping, for all clients), the cap on a user's streams, and the
end of every stream when the process stops. It is the feed's listener for users who have clients here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from api.live.channel import Channel
from api.live.client import CUT_SECONDS, Client
from api.live.frames import PING
from api.live.hub import Hub, Sources
from api.live.presence_writes import PresenceWrites
from domain.errors import Gone, NotFound, TooMany, Unavailable
from domain.events import Fact
from infra.ids import random_below
from infra.telemetry import gauge, get_logger, hashed

TICK_SECONDS = 1.0
LINGER_SECONDS = 5.0  # a client that comes back finds its hub as it left it
CLOSE_SECONDS_MAX = 1.0
RETRY_MS_MIN = 500
RETRY_MS_SPREAD = 2_500

logger = get_logger("api.live.hub_registry")
_streams = gauge("microcos_streams", "Open SSE streams and WebSockets.")


@dataclass(slots=True)
class _Entry:
    """`streams` counts also those that still wait for the hub to start."""

    hub: Hub
    started: asyncio.Task[None]
    streams: int = 0
    idle_since: float = 0.0


class HubRegistry:
    """`queue_frames` bounds a client's buffer; `streams_per_user` 0 means any number."""

    def __init__(
        self,
        sources: Sources,
        presence: PresenceWrites,
        *,
        queue_frames: int = 1_000,
        streams_per_user: int = 100,
        ping_seconds: float = 10.0,
        linger_seconds: float = LINGER_SECONDS,
    ) -> None:
        self._sources = sources
        self._presence = presence
        self._queue_frames = queue_frames
        self._streams_per_user = streams_per_user
        self._ping_seconds = ping_seconds
        self._linger_seconds = linger_seconds
        self._entries: dict[str, _Entry] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._draining = False
        self._streams = 0
        self._no_streams = asyncio.Event()
        self._no_streams.set()

    # --- the feed's listener ------------------------------------------------------------------------------------

    def wants(self, user_id: str) -> bool:
        return user_id in self._entries

    def receive(self, user_id: str, facts: Sequence[Fact]) -> None:
        entry = self._entries.get(user_id)
        if entry is None:
            return
        try:
            entry.hub.receive_facts(facts)
        except Exception:
            # The feed serves everybody: what one user's stream can't digest must not end it.
            logger.exception("stream.hub_failed", user=hashed(user_id))
            for client in list(entry.hub.clients):
                client.end("broken", "server.closing", version=entry.hub.version)
            self._close(user_id)

    # --- clients ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def connect(
        self, user_id: str, session_id: str | None, *, expires_at: float, cut: Callable[[], object]
    ) -> AsyncIterator[tuple[Hub, Client]]:
        """A place for one client while the block runs; its stream begins with `hub.replay`.

        Raises `TooMany`, `NotFound` (no such session of this user), `Unavailable`.
        """
        self._refuse_while_draining()
        entry = self._entry(user_id)
        if self._streams_per_user and entry.streams >= self._streams_per_user:
            raise TooMany(
                f"At most {self._streams_per_user} streams of one user at once. Close one of them first.",
                code="streams_per_user",
                retry_after_seconds=5,
            )
        self._count(entry, 1)
        try:
            await asyncio.shield(entry.started)
            hub = entry.hub
            if hub.is_erased:
                raise Gone("This user was erased. Connect again as somebody new.", code="erased")
            if session_id is not None:
                await self._check_session(hub, session_id)
            self._refuse_while_draining()
            channel = Channel(frames_max=self._queue_frames)
            client = Client(channel, session_id=session_id, expires_at=expires_at, cut=cut)
            hub.clients.add(client)
            self._presence.came(user_id, session_id)
            try:
                yield hub, client
            finally:
                hub.clients.discard(client)
                hub.detach(client)
                client.finished()
                self._presence.left(user_id, session_id)
        finally:
            self._count(entry, -1)

    def _refuse_while_draining(self) -> None:
        if self._draining:
            raise Unavailable("This server is stopping. Connect again.", code="closing", retry_after_seconds=1)

    async def _check_session(self, hub: Hub, session_id: str) -> None:
        if session_id not in hub.sessions:
            await hub.catch_up()  # it may have been opened at another process just now
        if session_id not in hub.sessions:
            raise NotFound("There is no such session. Open one with POST /api/v1/sessions.", code="session_unknown")

    def _count(self, entry: _Entry, change: int) -> None:
        entry.streams += change
        entry.idle_since = self._sources.clock.monotonic()
        self._streams += change
        _streams.set(self._streams)
        if self._streams:
            self._no_streams.clear()
        else:
            self._no_streams.set()

    def _entry(self, user_id: str) -> _Entry:
        entry = self._entries.get(user_id)
        if entry is None:
            hub = Hub(user_id, self._sources)
            entry = _Entry(hub, asyncio.create_task(hub.start()))
            self._entries[user_id] = entry
            entry.started.add_done_callback(lambda task: self._started(user_id, task))
        return entry

    def _started(self, user_id: str, task: asyncio.Task[None]) -> None:
        """A hub that could not start is forgotten, so that the next client tries again."""
        if task.cancelled() or task.exception() is not None:
            entry = self._entries.get(user_id)
            if entry is not None and entry.started is task:
                self._close(user_id)

    def _close(self, user_id: str) -> None:
        entry = self._entries.pop(user_id)
        task = asyncio.create_task(entry.hub.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    # --- time ---------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """The timers, until cancelled."""
        async with asyncio.TaskGroup() as timers:
            timers.create_task(self._every(TICK_SECONDS, self.tick))
            timers.create_task(self._every(self._ping_seconds, self.ping))

    async def _every(self, seconds: float, call: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                call()
            except Exception:
                # Without its timers a process falls silent for everybody, and nobody would hear of it.
                logger.exception("stream.timer_failed")

    def tick(self) -> None:
        """Once a second: reads behind subscriptions, tokens that expire, hubs that nobody needs any more."""
        now_seconds = self._sources.clock.now_ms() / 1000
        idle_until = self._sources.clock.monotonic() - self._linger_seconds
        for user_id, entry in list(self._entries.items()):
            for client in list(entry.hub.clients):
                if client.expires_at <= now_seconds:
                    client.end("expired", "auth.expired", version=entry.hub.version)
            if entry.streams:
                entry.hub.tick()
            elif entry.started.done() and entry.idle_since <= idle_until:
                self._close(user_id)

    def ping(self) -> None:
        """A comment to every client, so that proxies keep silent streams open; and a word that they are there."""
        self._presence.beat()
        for entry in self._entries.values():
            for client in entry.hub.clients:
                client.push(PING, version=entry.hub.version)

    # --- the end ------------------------------------------------------------------------------------------------

    async def drain(self) -> None:
        """End every stream with `server.closing`; returns once they have ended, or were cut."""
        self._draining = True
        for entry in list(self._entries.values()):
            for client in list(entry.hub.clients):
                # Spread, so that a restart is not followed by all clients at once.
                retry_ms = RETRY_MS_MIN + random_below(RETRY_MS_SPREAD)
                client.end("closing", "server.closing", version=entry.hub.version, retry_ms=retry_ms)
        with suppress(TimeoutError):
            async with asyncio.timeout(CUT_SECONDS + 0.5):
                await self._no_streams.wait()

    async def aclose(self) -> None:
        """After `drain`: stop the hubs and write down who has left."""
        for user_id in list(self._entries):
            self._close(user_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await self._presence.settle()
        await asyncio.gather(*self._stopping, return_exceptions=True)
        await self._presence.stop()
