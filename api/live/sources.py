"""Where the live stream reads: opened facts from the log, opened token chunks from the bus and from segments.

The only part of the live stream that knows keys and sealed bytes. The hub and its tests see two small ports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Protocol

from domain.brain import Brain
from domain.events import Fact
from domain.frames import TokenChunk
from domain.ports import Bus, EventLog, Segments, Subscription
from infra import codec
from infra.keys.keyring import Keyring, UserKeys
from infra.telemetry import get_logger
from infra.tokens import decode_chunk

logger = get_logger("api.live.sources")

ReceiveChunk = Callable[[str, TokenChunk | None], None]
LoadState = Callable[[str], Awaitable[Brain]]


class Facts(Protocol):
    async def state(self, user_id: str) -> Brain:
        """Folded up to the stream's head as of now. Raises `Unavailable`."""
        ...

    async def read(self, user_id: str, *, after: int, until: int | None = None, limit: int = 500) -> list[Fact]:
        """The next facts in version order, opened. Raises `Unavailable`."""
        ...


class Tokens(Protocol):
    @property
    def connected(self) -> bool:
        """Whether chunks come by themselves."""
        ...

    async def subscribe(self, user_id: str, receive: ReceiveChunk) -> Subscription:
        """`receive(reply_id, chunk)` for each chunk of the user; None for one that could not be opened here."""
        ...

    async def refresh(self, user_id: str) -> None:
        """Look at the user's keys again: a new conversation brings its own."""
        ...

    async def read(
        self, user_id: str, reply_id: str, *, attempt: int, after_index: int, thorough: bool
    ) -> list[TokenChunk]:
        """What is kept of an attempt beyond `after_index`, in no order, some of it perhaps twice.

        `thorough` asks the bus too, which holds what no segment has yet. Raises `Unavailable`.
        """
        ...


class LogFacts:
    """`load_state` is `commands.states.States.refresh`."""

    def __init__(self, log: EventLog, keyring: Keyring, load_state: LoadState) -> None:
        self._log = log
        self._keyring = keyring
        self._load_state = load_state

    async def state(self, user_id: str) -> Brain:
        return await self._load_state(user_id)

    async def read(self, user_id: str, *, after: int, until: int | None = None, limit: int = 500) -> list[Fact]:
        rows = await self._log.read_stream(user_id, after=after, until=until, limit=limit)
        return await self._keyring.open_events(user_id, rows) if rows else []


class BusTokens:
    """Chunks of the bus, with the segments in Postgres behind them."""

    def __init__(self, bus: Bus, segments: Segments, keyring: Keyring) -> None:
        self._bus = bus
        self._segments = segments
        self._keyring = keyring
        self._keys: dict[str, UserKeys] = {}  # of the users that are followed
        self._followers: Counter[str] = Counter()

    @property
    def connected(self) -> bool:
        return self._bus.connected

    async def subscribe(self, user_id: str, receive: ReceiveChunk) -> Subscription:
        self._keys[user_id] = await self._keyring.load(user_id)
        self._followers[user_id] += 1

        def receive_entry(reply_id: str, entry: bytes) -> None:
            receive(reply_id, self._open_now(user_id, reply_id, entry))

        return _Followed(await self._bus.subscribe_tokens(user_id, receive_entry), lambda: self._forget(user_id))

    async def refresh(self, user_id: str) -> None:
        keys = await self._keyring.load(user_id)
        if user_id in self._keys:
            self._keys[user_id] = keys

    async def read(
        self, user_id: str, reply_id: str, *, attempt: int, after_index: int, thorough: bool
    ) -> list[TokenChunk]:
        segments = await self._segments.read(user_id, reply_id, attempt=attempt, after_index=after_index)
        sealed = [segment.sealed for segment in segments]
        if thorough and self._bus.connected:
            sealed += await self._bus.read_tokens(user_id, reply_id)
        chunks: list[TokenChunk] = []
        for entry in sealed:
            chunk = await self._open(user_id, reply_id, entry)
            if chunk is not None and chunk.attempt == attempt and chunk.last_index > after_index:
                chunks.append(chunk)
        return chunks

    def _forget(self, user_id: str) -> None:
        self._followers[user_id] -= 1
        if self._followers[user_id] <= 0:
            del self._followers[user_id]
            self._keys.pop(user_id, None)

    def _open_now(self, user_id: str, reply_id: str, entry: bytes) -> TokenChunk | None:
        try:
            return decode_chunk(user_id, reply_id, entry, self._keys[user_id])
        except (codec.UnknownKey, KeyError):
            return None  # the key is newer than what was loaded: `read` loads again
        except codec.CorruptEvent:
            # A chunk is disposable: what it said is read from the segments, or cut from the final text.
            logger.exception("live.chunk_corrupt", reply_id=reply_id)
            return None

    async def _open(self, user_id: str, reply_id: str, entry: bytes) -> TokenChunk | None:
        """As `_open_now`, with the keys loaded again where that is what it takes."""
        try:
            return await self._keyring.opened(user_id, lambda keys: decode_chunk(user_id, reply_id, entry, keys))
        except codec.CorruptEvent:
            logger.exception("live.chunk_corrupt", reply_id=reply_id)
            return None


class _Followed:
    def __init__(self, subscription: Subscription, forget: Callable[[], None]) -> None:
        self._subscription = subscription
        self._forget = forget

    async def unsubscribe(self) -> None:
        self._forget()
        await self._subscription.unsubscribe()
