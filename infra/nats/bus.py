"""`domain.ports.Bus` over NATS: wake-ups for workers, live tokens for clients. Nothing on it is the only copy.

link.py         the one connection of a process, and what it takes to keep it
streams.py      the streams as data, and bringing a server to have them
hints.py        the workers' pulling of wake-ups
publisher.py    the windowed publisher, and the stream of facts over it
fact_stream.py  what the relay asks of that stream, and how a fact looks there

The same contract in memory is infra/memory_bus.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress

from nats.aio.msg import Msg

from domain.ports import Subscription
from infra.nats.hints import HintConsumer
from infra.nats.link import NatsAway, NatsLink
from infra.nats.publisher import NatsFactStream
from infra.nats.streams import (
    TOKENS,
    TOKENS_PER_REPLY_MAX,
    ensure_hint_consumer,
    ensure_streams,
    hint_subject,
    live_tokens_subject,
    status_of,
    stream_configs,
    token_subject,
)
from infra.settings import Settings

READ_SECONDS_MAX = 1.0


class NatsBus:
    """One a process. `start` never waits for NATS; `connected` says whether it is there with all its streams."""

    def __init__(self, settings: Settings, *, name: str) -> None:
        self._settings = settings
        self.link = NatsLink(
            settings.nats_url,
            name=name,
            prepare=self._prepare,
            connect_timeout_seconds=settings.nats_connect_timeout_seconds,
            ping_seconds=settings.nats_ping_seconds,
        )

    @property
    def connected(self) -> bool:
        return self.link.connected

    @property
    def problem(self) -> str | None:
        """One line for the operator while it is not connected."""
        return self.link.problem

    async def start(self) -> None:
        await self.link.start()

    async def close(self) -> None:
        await self.link.close()

    def hint(self, user_id: str) -> None:
        # No id: JetStream would take the sweep's second hint for a duplicate and swallow it.
        self.link.send(hint_subject(user_id), b"")

    def publish_token(self, user_id: str, reply_id: str, entry: bytes) -> None:
        # No acknowledgement is asked for and no header is set: both cost more than the token.
        self.link.send(token_subject(user_id, reply_id), entry)

    async def read_tokens(self, user_id: str, reply_id: str) -> list[bytes]:
        """The stored entries of a reply, oldest first; what could be read within a second."""
        subject = token_subject(user_id, reply_id)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + READ_SECONDS_MAX
        entries: list[bytes] = []
        after: int | None = 0
        while after is not None and self.connected:
            body = {"seq": after + 1, "next_by_subj": subject, "batch": TOKENS_PER_REPLY_MAX}
            try:
                replies, complete = await self.link.exchange(
                    f"$JS.API.DIRECT.GET.{TOKENS}",
                    json.dumps(body).encode(),
                    is_last=lambda message: status_of(message) is not None,
                    timeout_seconds=deadline - loop.time(),
                )
            except NatsAway:
                return entries
            entries += [message.data for message in replies if status_of(message) is None]
            after = _read_on_after(replies[-1]) if complete else None
        return entries

    async def subscribe_tokens(self, user_id: str, receive: Callable[[str, bytes], None]) -> Subscription:
        def on_message(message: Msg) -> None:
            receive(message.subject.rpartition(".")[2], message.data)

        subscription = await self.link.subscribe(live_tokens_subject(user_id), on_message)
        if self.connected:
            with suppress(NatsAway):
                await self.link.round_trip()
        return subscription

    async def subscribe_hints(self, receive: Callable[[str], Awaitable[bool]], *, concurrency: int) -> Subscription:
        consumer = HintConsumer(self.link, receive, concurrency)
        await consumer.start()
        return consumer

    async def fact_stream(self) -> NatsFactStream:
        """The relay's side of the stream of facts."""
        stream = NatsFactStream(self.link, window=self._settings.relay_window)
        await stream.open()
        return stream

    async def _prepare(self, link: NatsLink) -> None:
        configs = stream_configs(
            event_retention_seconds=self._settings.event_retention_seconds,
            token_retention_seconds=self._settings.token_retention_seconds,
        )
        await ensure_streams(link, configs)
        await ensure_hint_consumer(link)


def _read_on_after(end: Msg) -> int | None:
    """A batch may end early (the server bounds its bytes): the sequence that it reached, None when there is no more."""
    headers = end.headers or {}
    if headers.get("Nats-Num-Pending", "0") == "0":
        return None
    return int(headers["Nats-Last-Sequence"])
