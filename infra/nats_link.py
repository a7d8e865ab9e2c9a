"""This process's one connection to NATS: made in the background, kept for ever, prepared before it is used.

Owns reconnecting, the subscriptions that outlive it, an outgoing queue that never blocks its caller, and requests
that fail as soon as the connection does. What the messages mean is for others.

nats-py is fenced in here: its `publish` and its reconnecting block on a frozen server, its `flush` kills its own
reader when it times out, its requests outlive a lost connection, and an error from the server closes it for good.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import ParseResult

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription
from nats.aio.transport import TcpTransport
from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError
from nats.nuid import NUID

from infra.telemetry import get_logger

logger = get_logger("infra.nats_link")

RECONNECT_WAIT_SECONDS = 0.25
PREPARE_RETRY_SECONDS = 0.2
PREPARE_REFUSED_RETRY_SECONDS = 5.0
CLOSE_SECONDS_MAX = 2.0
OUTGOING_BYTES_MAX = 8 * 1024 * 1024  # beyond it messages are dropped: a server that slow would only get stale ones
UNSENT_BYTES_MAX = 1024 * 1024  # nats-py blocks at twice that, subscribing too, and swallows being cancelled there
UNSENT_WAIT_SECONDS = 0.005
PENDING_MESSAGES_MAX = 262_144  # received and not yet handed over; handing over is one enqueue
PENDING_BYTES_MAX = 64 * 1024 * 1024


class NatsAway(Exception):
    """NATS is not connected, or did not answer in time; whether a message was stored is unknown."""


Prepare = Callable[["NatsLink"], Awaitable[None]]


@dataclass(slots=True)
class _Exchange:
    """A request that waits for its replies; `is_last` says which one ends it."""

    is_last: Callable[[Msg], bool]
    ended: asyncio.Future[None]
    replies: list[Msg] = field(default_factory=list)


class _AbortingTransport(TcpTransport):
    """Closes at once. The one of nats-py first waits until all is sent, for ever when the server is frozen, and it
    leaves the connection of a failed try open."""

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        self.close()
        await super().connect(uri, buffer_size, connect_timeout)

    def close(self) -> None:
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    def __bool__(self) -> bool:
        return True  # else the client makes one of its own


class _Client(Client):
    """Reads headers at once. nats-py looks at each character of each name, which for a republished token, with five
    headers that nobody reads, costs more than all else that is done about it here."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        lines = raw.decode("utf-8", "replace").split("\r\n")
        return {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


class LinkSubscription:
    """Interest in a subject for as long as the link lives, over any number of connections."""

    def __init__(self, link: NatsLink, subject: str, receive: Callable[[Msg], None]) -> None:
        self.subject = subject
        self._link = link
        self._receive = receive
        self._subscription: ClientSubscription | None = None

    async def attach(self, client: Client) -> None:
        self._subscription = await client.subscribe(
            self.subject,
            cb=self._on_message,
            pending_msgs_limit=PENDING_MESSAGES_MAX,
            pending_bytes_limit=PENDING_BYTES_MAX,
        )

    async def unsubscribe(self) -> None:
        self._link.forget(self)
        if self._subscription is not None:
            with suppress(NatsError):  # the connection went first, and the interest with it
                await self._subscription.unsubscribe()

    async def _on_message(self, message: Msg) -> None:
        try:
            self._receive(message)
        except Exception:
            logger.exception("nats.receiver_failed")


class NatsLink:
    """`prepare` runs on each new connection (streams may be gone) until it succeeds; only then is `connected` true.

    It raises `NatsAway` to be tried again at once; any other exception is shown as `problem` and tried again later.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        prepare: Prepare,
        connect_timeout_seconds: float = 2.0,
        ping_seconds: float = 1.0,
    ) -> None:
        self.problem: str | None = None
        self.messages_dropped = 0
        self.session_over = asyncio.Event()  # of the present session; set while there is none
        self.session_over.set()
        self.on_session_over: list[Callable[[], None]] = []
        self._servers = url.split(",")
        self._options: dict[str, Any] = {
            "name": f"microcos-{name}",
            "connect_timeout": connect_timeout_seconds,
            "ping_interval": ping_seconds,
            "max_outstanding_pings": 2,
            "max_reconnect_attempts": -1,
            "reconnect_time_wait": RECONNECT_WAIT_SECONDS,
        }
        self._prepare = prepare
        self._inbox = f"_INBOX.{NUID().next().decode()}"
        self._tokens = itertools.count(1)
        self._exchanges: dict[str, _Exchange] = {}
        self._subscriptions: set[LinkSubscription] = set()
        self._outgoing: deque[tuple[str, bytes, str, dict[str, str] | None]] = deque()
        self._outgoing_bytes = 0
        self._outgoing_ready = asyncio.Event()
        self._connected = asyncio.Event()
        self._client: Client | None = None
        self._online = False
        self._supervisor: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    async def wait_connected(self) -> None:
        await self._connected.wait()

    async def start(self) -> None:
        """Returns at once, whether NATS is there or not."""
        await self.subscribe(f"{self._inbox}.*", self._on_reply)
        self._supervisor = asyncio.create_task(self._supervise(), name="nats-link")

    async def close(self) -> None:
        """Gives what is queued a moment to leave."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS_MAX / 2):
                while self._outgoing and self._online:
                    await self.round_trip()
        await _cancel(self._supervisor)

    # --- sending ----------------------------------------------------------------------------------------------

    def send(self, subject: str, payload: bytes, *, reply: str = "", headers: Mapping[str, str] | None = None) -> bool:
        """Queue a message for the server. Never blocks, never raises; False means that it was dropped."""
        return self.connected and self._post(subject, payload, reply, headers)

    async def request(self, subject: str, payload: bytes = b"", *, timeout_seconds: float = 1.0) -> Msg:
        """The first reply. Raises `NatsAway`; an answer of the server's, no responders too, is a reply."""
        replies, _ = await self.exchange(subject, payload, is_last=lambda _: True, timeout_seconds=timeout_seconds)
        if not replies:
            raise NatsAway(f"no answer on {subject} within {timeout_seconds} s")
        return replies[0]

    async def exchange(
        self, subject: str, payload: bytes, *, is_last: Callable[[Msg], bool], timeout_seconds: float
    ) -> tuple[list[Msg], bool]:
        """All replies up to the last one, and whether it came. Raises `NatsAway` when the connection is lost."""
        token = str(next(self._tokens))
        exchange = _Exchange(is_last, asyncio.get_running_loop().create_future())
        self._exchanges[token] = exchange
        try:
            if not self._post(subject, payload, f"{self._inbox}.{token}", None):
                raise NatsAway("not connected")
            async with asyncio.timeout(timeout_seconds):
                await exchange.ended
        except TimeoutError:
            return exchange.replies, False
        finally:
            del self._exchanges[token]
        return exchange.replies, True

    async def round_trip(self, *, timeout_seconds: float = 1.0) -> None:
        """Returns once the server has seen all that was sent before. Raises `NatsAway`."""
        token = str(next(self._tokens))
        exchange = self._exchanges[token] = _Exchange(lambda _: True, asyncio.get_running_loop().create_future())
        try:
            if not self._post(f"{self._inbox}.{token}", b"", "", None):
                raise NatsAway("not connected")
            async with asyncio.timeout(timeout_seconds):
                await exchange.ended
        except TimeoutError:
            raise NatsAway(f"no answer within {timeout_seconds} s") from None
        finally:
            del self._exchanges[token]

    async def subscribe(self, subject: str, receive: Callable[[Msg], None]) -> LinkSubscription:
        """`receive` must only enqueue. In force on the server after the next `round_trip`, or once NATS is back."""
        subscription = LinkSubscription(self, subject, receive)
        self._subscriptions.add(subscription)
        if self._client is not None:
            with suppress(NatsError):  # it just closed; the next connection takes up all subscriptions
                await subscription.attach(self._client)
        return subscription

    def forget(self, subscription: LinkSubscription) -> None:
        self._subscriptions.discard(subscription)

    def distrust(self) -> None:
        """A stream or consumer that should be there is not: prepare again before anything else is sent."""
        if self.connected:
            self._end_session("a stream is gone")
            self._begin_preparing()

    def new_inbox(self) -> str:
        return f"_INBOX.{NUID().next().decode()}"

    def _post(self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str] | None) -> bool:
        size = len(payload)
        client = self._client
        if client is None or not self._online or size > client.max_payload:
            self.messages_dropped += 1
            return False
        if self._outgoing_bytes + size > OUTGOING_BYTES_MAX:
            self.messages_dropped += 1
            return False
        self._outgoing.append((subject, payload, reply, dict(headers) if headers else None))
        self._outgoing_bytes += size
        self._outgoing_ready.set()
        return True

    async def _pump(self, client: Client) -> None:
        while True:
            await self._outgoing_ready.wait()
            self._outgoing_ready.clear()
            while self._outgoing:
                if client.pending_data_size > UNSENT_BYTES_MAX:
                    await asyncio.sleep(UNSENT_WAIT_SECONDS)
                    continue
                subject, payload, reply, headers = self._outgoing.popleft()
                self._outgoing_bytes -= len(payload)
                try:
                    await client.publish(subject, payload, reply, headers)
                except NatsError as error:
                    self.messages_dropped += 1
                    logger.warning("nats.publish_failed", error=type(error).__name__)

    # --- receiving --------------------------------------------------------------------------------------------

    def _on_reply(self, message: Msg) -> None:
        exchange = self._exchanges.get(message.subject.rpartition(".")[2])
        if exchange is None or exchange.ended.done():
            return
        exchange.replies.append(message)
        if exchange.is_last(message):
            exchange.ended.set_result(None)

    # --- the connection's life --------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """A client that the server closed with an error never comes back by itself: then a new one is made."""
        while True:
            client, closed = _Client(), asyncio.Event()
            client._transport = _AbortingTransport()  # type: ignore[no-untyped-call]
            pump = asyncio.create_task(self._pump(client), name="nats-pump")
            try:
                await self._connect(client, closed)
                await closed.wait()
            except NatsError as error:
                self.problem = f"cannot connect: {error}"
                logger.error("nats.connect_failed", reason=str(error))
            finally:
                self._client = None
                self._went_away("closed")
                await _cancel(pump)
                await _close(client)
            await asyncio.sleep(RECONNECT_WAIT_SECONDS)

    async def _connect(self, client: Client, closed: asyncio.Event) -> None:
        async def on_error(error: Exception) -> None:
            self._note(error)

        async def on_disconnected() -> None:
            self._went_away("connection lost")

        async def on_reconnected() -> None:
            self._came_back()

        async def on_closed() -> None:
            closed.set()

        await client.connect(
            self._servers,
            error_cb=on_error,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
            closed_cb=on_closed,
            **self._options,
        )
        self._client = client
        for subscription in list(self._subscriptions):
            await subscription.attach(client)
        self._came_back()

    def _note(self, error: Exception) -> None:
        """One line for an outage, not one for each try; a dropped message is always told."""
        if isinstance(error, SlowConsumerError):
            self.messages_dropped += 1
            logger.error("nats.slow_receiver")
        elif self.problem is None:
            self.problem = f"NATS is away: {type(error).__name__}"
            logger.warning("nats.away", error=type(error).__name__)

    def _came_back(self) -> None:
        self._online = True
        self._begin_preparing()

    def _begin_preparing(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        self._preparing = asyncio.create_task(self._prepare_until_ready(), name="nats-prepare")

    async def _prepare_until_ready(self) -> None:
        while True:
            try:
                await self._prepare(self)
                break
            except NatsAway:
                await asyncio.sleep(PREPARE_RETRY_SECONDS)
            except Exception as error:
                if self.problem != str(error):
                    self.problem = str(error)
                    logger.error("nats.unusable", reason=self.problem)
                await asyncio.sleep(PREPARE_REFUSED_RETRY_SECONDS)
        self.problem = None
        self.session_over = asyncio.Event()
        self._connected.set()
        logger.info("nats.connected")

    def _went_away(self, reason: str) -> None:
        self._online = False
        if self._preparing is not None:
            self._preparing.cancel()
        for exchange in self._exchanges.values():
            if not exchange.ended.done():
                exchange.ended.set_exception(NatsAway(reason))
        self._outgoing.clear()
        self._outgoing_bytes = 0
        self._end_session(reason)

    def _end_session(self, reason: str) -> None:
        if not self.connected:
            return
        self._connected.clear()
        self.session_over.set()
        logger.warning("nats.disconnected", reason=reason)
        for tell in self.on_session_over:
            tell()


async def _cancel(task: asyncio.Task[None] | None) -> None:
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)  # again, should the client have swallowed it


async def _close(client: Client) -> None:
    """Closing while it reconnects may hang or raise; the connection is of no use any more either way."""
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await client.close()
