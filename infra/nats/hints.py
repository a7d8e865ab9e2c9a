"""Workers' wake-ups out of NATS: one durable consumer that all workers pull from.

Owns the pulling, the bound on what runs at once, and the acknowledging. A hint is only a wake-up: the worker polls
Postgres too, so a hint that nobody can use is given up after a while.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from nats.aio.msg import Msg

from infra.nats.link import LinkSubscription, NatsLink
from infra.nats.streams import HINT_CONSUMER, JOBS, SECOND_NS, status_of
from infra.telemetry import get_logger, hashed

logger = get_logger("infra.nats.hints")

PULL_SECONDS = 1.0  # a pull that was lost with its connection costs at most this and the margin
PULL_MARGIN_SECONDS = 0.25
MISSING_WAIT_SECONDS = 0.2
AGAIN_SECONDS_MIN = 0.25
AGAIN_SECONDS_MAX = 5.0
DELIVERIES_MAX = 10
NO_RESPONDERS = "503"
NEXT_HINTS = f"$JS.API.CONSUMER.MSG.NEXT.{JOBS}.{HINT_CONSUMER}"

Receive = Callable[[str], Awaitable[bool]]


class HintConsumer:
    """`domain.ports.Subscription`. Pulls as many hints as it has free places, and no more."""

    def __init__(self, link: NatsLink, receive: Receive, concurrency: int) -> None:
        self._link = link
        self._receive = receive
        self._concurrency = concurrency
        self._inbox = link.new_inbox()
        self._pulls = itertools.count(1)
        self._pull = ""
        self._is_missing = False  # the consumer, or its stream
        self._expected = 0  # messages that the present pull may still bring
        self._changed = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._subscription: LinkSubscription | None = None
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._link.on_session_over.append(self._changed.set)
        self._subscription = await self._link.subscribe(f"{self._inbox}.*", self._on_message)
        self._loop = asyncio.create_task(self._pull_for_ever(), name="hints")

    async def unsubscribe(self) -> None:
        """Pulls no more, and waits for the `receive` calls that run."""
        self._link.on_session_over.remove(self._changed.set)
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        await asyncio.gather(*self._running)

    async def _pull_for_ever(self) -> None:
        while True:
            await self._link.wait_connected()
            free = self._concurrency - len(self._running)
            if free > 0:
                await self._pull_once(free)
                if self._is_missing:
                    self._is_missing = False
                    self._link.distrust()
                    await asyncio.sleep(MISSING_WAIT_SECONDS)
            else:
                self._changed.clear()
                await self._changed.wait()

    async def _pull_once(self, free: int) -> None:
        """Until all came, the server ended it, or nothing can be known of it any more."""
        self._pull = f"{self._inbox}.{next(self._pulls)}"
        self._expected = free
        session_over = self._link.session_over
        body = {"batch": free, "expires": int(PULL_SECONDS * SECOND_NS)}
        self._link.send(NEXT_HINTS, json.dumps(body).encode(), reply=self._pull)
        with suppress(TimeoutError):
            async with asyncio.timeout(PULL_SECONDS + PULL_MARGIN_SECONDS):
                while self._expected > 0 and not session_over.is_set():
                    self._changed.clear()
                    await self._changed.wait()
        self._expected = 0

    def _on_message(self, message: Msg) -> None:
        status = status_of(message)
        if status == NO_RESPONDERS:
            self._is_missing = True
        if status is not None:
            if message.subject == self._pull:
                self._expected = 0
        else:
            self._take(message)
        self._changed.set()

    def _take(self, message: Msg) -> None:
        self._expected = max(0, self._expected - 1)
        if len(self._running) >= self._concurrency:  # of a pull that was given up; another worker may be free
            self._link.send(message.reply, b"-NAK")
            return
        task = asyncio.create_task(self._handle(message))
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._changed.set()

    async def _handle(self, message: Msg) -> None:
        user_id = message.subject.rpartition(".")[2]
        try:
            taken = await self._receive(user_id)
        except Exception:
            logger.exception("hint.receiver_failed", user=hashed(user_id))
            taken = False
        deliveries = message.metadata.num_delivered or 1
        if taken or deliveries >= DELIVERIES_MAX:
            self._link.send(message.reply, b"+ACK")
        else:
            seconds = min(AGAIN_SECONDS_MAX, AGAIN_SECONDS_MIN * 2 ** (deliveries - 1))
            self._link.send(message.reply, b'-NAK {"delay": %d}' % int(seconds * SECOND_NS))
