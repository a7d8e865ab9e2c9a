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

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as ClientSubscription
from nats.errors import Error as NatsError
from nats.nuid import NUID

from infra.nats.client import close_client, new_client
from infra.telemetry import counter, gauge, get_logger

logger = get_logger("infra.nats.link")

RECONNECT_WAIT_SECONDS = 0.25
PREPARE_RETRY_SECONDS = 0.2
PREPARE_REFUSED_RETRY_SECONDS = 5.0
# A stream that is being deleted is told of first, and its folder is moved away last (nats-server 2.15, `stream.stop` in
# server/stream.go): one of its name that was made in between would lose its files to that.
DELETION_SECONDS = 1.0
OUTGOING_BYTES_MAX = 8 * 1024 * 1024  # beyond it messages are dropped: a server that slow would only get stale ones
UNSENT_BYTES_MAX = 1024 * 1024  # nats-py blocks at twice that, subscribing too, and swallows being cancelled there
UNSENT_WAIT_SECONDS = 0.005

CONNECTED = gauge("microcos_bus_connected", "1 while NATS is there with all its streams.")
DROPPED = counter("microcos_bus_dropped_total", "Messages given to the bus that it had to drop.")


class NatsAway(Exception):
    """NATS is not connected, or did not answer in time; whether a message was stored is unknown."""


Prepare = Callable[["NatsLink"], Awaitable[None]]


@dataclass(slots=True)
class _Exchange:
    """A request that waits for its replies; `is_last` says which one ends it."""

    is_last: Callable[[Msg], bool]
    ended: asyncio.Future[None]
    replies: list[Msg] = field(default_factory=list)


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
        self.session_over = asyncio.Event()  # of the present session; set while there is none
        self.session_over.set()
        self.on_session_over: list[Callable[[], None]] = []
        self._url = url
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
        if not self._url:
            self.problem = "MICROCOS_NATS_URL is not set"
            logger.warning("nats.trouble", reason=self.problem)
            return
        await self.subscribe(f"{self._inbox}.*", self._on_reply)
        self._supervisor = asyncio.create_task(self._supervise(), name="nats-link")

    async def close(self) -> None:
        """Gives what is queued a moment to leave."""
        with suppress(NatsAway):
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
        return await self._converse(lambda inbox: self._post(subject, payload, inbox, None), is_last, timeout_seconds)

    async def round_trip(self, *, timeout_seconds: float = 1.0) -> None:
        """Returns once the server has seen all that was sent before. Raises `NatsAway`."""
        _, came_back = await self._converse(
            lambda inbox: self._post(inbox, b"", "", None), lambda _: True, timeout_seconds
        )
        if not came_back:
            raise NatsAway(f"no answer within {timeout_seconds} s")

    async def _converse(
        self, post: Callable[[str], bool], is_last: Callable[[Msg], bool], timeout_seconds: float
    ) -> tuple[list[Msg], bool]:
        token = str(next(self._tokens))
        exchange = _Exchange(is_last, asyncio.get_running_loop().create_future())
        self._exchanges[token] = exchange
        try:
            if not post(f"{self._inbox}.{token}"):
                raise NatsAway("not connected")
            async with asyncio.timeout(timeout_seconds):
                await exchange.ended
        except TimeoutError:
            return exchange.replies, False
        finally:
            del self._exchanges[token]
        return exchange.replies, True

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
        """A stream or consumer that should be there is not: prepare again, once it may be made anew, before anything
        else is sent."""
        if self.connected:
            self._end_session("a stream is gone")
            self._begin_preparing(after_seconds=DELETION_SECONDS)

    def new_inbox(self) -> str:
        return f"_INBOX.{NUID().next().decode()}"

    def _post(self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str] | None) -> bool:
        size = len(payload)
        client = self._client
        if client is None or not self._online or size > client.max_payload:
            return False
        if self._outgoing_bytes + size > OUTGOING_BYTES_MAX:
            DROPPED.inc()
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
                    DROPPED.inc()
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
            client, closed = new_client(), asyncio.Event()
            pump = asyncio.create_task(self._pump(client), name="nats-pump")
            try:
                await self._connect(client, closed)
                await closed.wait()
            except NatsError as error:
                self._complain(f"cannot connect: {error}")
            finally:
                self._client = None
                self._went_away("closed")
                await _cancel(pump)
                await close_client(client)
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
            self._url.split(","),
            error_cb=on_error,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
            closed_cb=on_closed,
            **self._options,
        )
        self._client = client
        for subscription in list(self._subscriptions):
            await subscription.attach(client)
        if client.is_connected:
            self._came_back()

    def _note(self, error: Exception) -> None:
        """One line for an outage, not one for each try."""
        if self.problem is None:
            denied = isinstance(error, NatsError) and "permissions" in str(error)
            self.problem = "NATS denies us a subject" if denied else f"NATS is away: {type(error).__name__}"
            logger.warning("nats.trouble", reason=self.problem)

    def _complain(self, problem: str) -> None:
        """Of something that an operator has to change: once, and not at each try."""
        if self.problem != problem:
            self.problem = problem
            logger.error("nats.unusable", reason=problem)

    def _came_back(self) -> None:
        self._online = True
        self._begin_preparing()

    def _begin_preparing(self, *, after_seconds: float = 0.0) -> None:
        if self._preparing is not None:
            self._preparing.cancel()
        self._preparing = asyncio.create_task(self._prepare_until_ready(after_seconds), name="nats-prepare")

    async def _prepare_until_ready(self, after_seconds: float) -> None:
        await asyncio.sleep(after_seconds)
        while True:
            try:
                await self._prepare(self)
                break
            except NatsAway:
                await asyncio.sleep(PREPARE_RETRY_SECONDS)
            except Exception as error:
                self._complain(str(error))
                await asyncio.sleep(PREPARE_REFUSED_RETRY_SECONDS)
        self.problem = None
        self.session_over = asyncio.Event()
        self._connected.set()
        CONNECTED.set(1)
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
        CONNECTED.set(0)
        self.session_over.set()
        logger.warning("nats.disconnected", reason=reason)
        for tell in self.on_session_over:
            tell()


async def _cancel(task: asyncio.Task[None] | None) -> None:
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)  # again, should the client have swallowed it
