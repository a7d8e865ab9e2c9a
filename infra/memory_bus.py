"""The bus in memory: the same contract as over NATS, for simulations, tests and one process that runs everything.

Delivers in later turns of the event loop, as a network would. `disconnect` and `wipe` do what an outage and a lost
store do. Owns no truth either.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from domain.ports import Subscription
from infra.nats.fact_stream import FactMessage, PublishFailed, StreamEnd
from infra.telemetry import get_logger, hashed

logger = get_logger("infra.memory_bus")

TOKENS_PER_REPLY_MAX = 20_000
TOKEN_BYTES_MAX = 64 * 1024 * 1024
AGAIN_SECONDS_MIN = 0.25
AGAIN_SECONDS_MAX = 5.0
DELIVERIES_MAX = 10

ReceiveToken = Callable[[str, bytes], None]
ReceiveHint = Callable[[str], Awaitable[bool]]


class MemoryBus:
    """One object stands for the server and every process's connection to it."""

    def __init__(self) -> None:
        self._connected = True
        self._tokens: dict[tuple[str, str], list[bytes]] = {}  # oldest reply first
        self._token_bytes = 0
        self._listeners: dict[str, set[_TokenListener]] = {}
        self._hints: dict[str, int] = {}  # user id → times delivered, oldest first; one hint a user is enough
        self._consumers: list[_HintConsumer] = []

    @property
    def connected(self) -> bool:
        return self._connected

    @property
    def problem(self) -> str | None:
        return None if self._connected else "disconnected"

    async def start(self) -> None:
        """There is nothing to connect to."""

    async def close(self) -> None:
        for consumer in list(self._consumers):
            await consumer.unsubscribe()

    def disconnect(self) -> None:
        self._connected = False

    def reconnect(self) -> None:
        self._connected = True
        self._dispatch()

    def wipe(self) -> None:
        """Forget all that is stored; subscriptions stay, as they do over a restarted server."""
        self._tokens.clear()
        self._token_bytes = 0
        self._hints.clear()

    def hint(self, user_id: str) -> None:
        if self._connected:
            self._offer(user_id, 0)

    def publish_token(self, user_id: str, reply_id: str, entry: bytes) -> None:
        if not self._connected:
            return
        self._store(user_id, reply_id, entry)
        for listener in self._listeners.get(user_id, ()):
            asyncio.get_running_loop().call_soon(listener.deliver, reply_id, entry)

    async def read_tokens(self, user_id: str, reply_id: str) -> list[bytes]:
        return list(self._tokens.get((user_id, reply_id), ())) if self._connected else []

    async def subscribe_tokens(self, user_id: str, receive: ReceiveToken) -> Subscription:
        listener = _TokenListener(self, user_id, receive)
        self._listeners.setdefault(user_id, set()).add(listener)
        return listener

    async def subscribe_hints(self, receive: ReceiveHint, *, concurrency: int) -> Subscription:
        consumer = _HintConsumer(self, receive, concurrency)
        self._consumers.append(consumer)
        self._dispatch()
        return consumer

    def _store(self, user_id: str, reply_id: str, entry: bytes) -> None:
        entries = self._tokens.setdefault((user_id, reply_id), [])
        entries.append(entry)
        self._token_bytes += len(entry)
        if len(entries) > TOKENS_PER_REPLY_MAX:
            self._token_bytes -= len(entries.pop(0))
        while self._token_bytes > TOKEN_BYTES_MAX:
            oldest = next(iter(self._tokens))
            self._token_bytes -= sum(map(len, self._tokens.pop(oldest)))

    def _offer(self, user_id: str, deliveries: int) -> None:
        self._hints[user_id] = deliveries
        self._dispatch()

    def _dispatch(self) -> None:
        """Hand hints to whoever has a free place, the least busy first."""
        while self._connected and self._hints and self._consumers:
            consumer = min(self._consumers, key=lambda each: each.busy)
            if consumer.busy >= consumer.concurrency:
                return
            user_id = next(iter(self._hints))
            consumer.take(user_id, self._hints.pop(user_id) + 1)

    def handled(self, user_id: str, deliveries: int, taken: bool) -> None:
        if not taken and deliveries < DELIVERIES_MAX:
            seconds = min(AGAIN_SECONDS_MAX, AGAIN_SECONDS_MIN * 2 ** (deliveries - 1))
            asyncio.get_running_loop().call_later(seconds, self._offer, user_id, deliveries)
        self._dispatch()

    def forget_listener(self, listener: _TokenListener) -> None:
        listeners = self._listeners.get(listener.user_id, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(listener.user_id, None)

    def forget_consumer(self, consumer: _HintConsumer) -> None:
        with suppress(ValueError):
            self._consumers.remove(consumer)


class _TokenListener:
    def __init__(self, bus: MemoryBus, user_id: str, receive: ReceiveToken) -> None:
        self.user_id = user_id
        self._bus = bus
        self._receive = receive
        self._open = True

    def deliver(self, reply_id: str, entry: bytes) -> None:
        if not self._open:
            return
        try:
            self._receive(reply_id, entry)
        except Exception:
            logger.exception("bus.receiver_failed", user=hashed(self.user_id))

    async def unsubscribe(self) -> None:
        self._open = False
        self._bus.forget_listener(self)


class _HintConsumer:
    def __init__(self, bus: MemoryBus, receive: ReceiveHint, concurrency: int) -> None:
        self.concurrency = concurrency
        self._bus = bus
        self._receive = receive
        self._running: set[asyncio.Task[bool]] = set()

    @property
    def busy(self) -> int:
        return len(self._running)

    def take(self, user_id: str, deliveries: int) -> None:
        task = asyncio.get_running_loop().create_task(self._handle(user_id))
        self._running.add(task)
        task.add_done_callback(lambda _: self._finished(task, user_id, deliveries))

    async def unsubscribe(self) -> None:
        self._bus.forget_consumer(self)
        await asyncio.gather(*self._running)

    async def _handle(self, user_id: str) -> bool:
        try:
            return await self._receive(user_id)
        except Exception:
            logger.exception("hint.receiver_failed", user=hashed(user_id))
            return False

    def _finished(self, task: asyncio.Task[bool], user_id: str, deliveries: int) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._bus.handled(user_id, deliveries, taken=task.result())


class MemoryFactStream:
    """`infra.nats.fact_stream.FactStream` in memory, with the server's memory of ids and its ways to fail."""

    def __init__(self) -> None:
        self.messages: list[FactMessage] = []
        self.sequence = 0
        self._ids: set[str] = set()
        self._failures: list[tuple[str, int]] = []
        self._interrupted = asyncio.Event()

    def fail_next(self, code: str, *, stored: int) -> None:
        """The next `publish` stores so many of its messages and then fails."""
        self._failures.append((code, stored))

    def roll_back(self, count: int, *, noticed: bool = True) -> None:
        """As if the server came back with an older copy of its store; with all of them: wiped. `noticed`: by those
        who are connected."""
        count = min(count, len(self.messages))
        gone = self.messages[len(self.messages) - count :]
        del self.messages[len(self.messages) - count :]
        self._ids -= {message.headers["Nats-Msg-Id"] for message in gone}
        self.sequence -= count
        if noticed:
            self.interrupt()

    def purge(self) -> None:
        """Messages go, sequence and ids stay."""
        self.messages.clear()

    def interrupt(self) -> None:
        self._interrupted.set()

    async def end(self) -> StreamEnd:
        if self._interrupted.is_set():
            self._interrupted = asyncio.Event()
        if not self.messages:
            return StreamEnd(self.sequence)
        headers = self.messages[-1].headers
        return StreamEnd(self.sequence, int(headers["ce-globalpos"]), headers["ce-generation"])

    async def publish(self, messages: Sequence[FactMessage], *, after: int, with_ids: bool = True) -> None:
        code, stored = self._failures.pop(0) if self._failures else ("", len(messages))
        for sequence, message in enumerate(messages[:stored], start=after):
            await asyncio.sleep(0)  # so that two relays can meet here
            if self.sequence != sequence:
                raise PublishFailed("moved", f"the last sequence is {self.sequence}, not {sequence}")
            identity = message.headers["Nats-Msg-Id"]
            if with_ids and identity in self._ids:
                raise PublishFailed("remembered", identity)
            self._ids.add(identity)
            self.messages.append(message)
            self.sequence += 1
        if code:
            raise PublishFailed(code, "made to fail")

    async def interrupted(self) -> None:
        await self._interrupted.wait()
