"""What other services are told: a subscriber to domain events that never gives up, and the whole of what NATS keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from tests.support.waiting import eventually_true

SILENCE_SECONDS = 2.0


async def _ignore(_: Exception) -> None:
    """It reconnects by itself."""


async def _connect(url: str) -> Client:
    return await nats.connect(
        url, max_reconnect_attempts=-1, reconnect_time_wait=0.1, connect_timeout=5, error_cb=_ignore
    )


@asynccontextmanager
async def heard(url: str) -> AsyncIterator[list[tuple[str, int, str]]]:
    """The user, version and id of each event that a plain subscriber hears while the block runs, some perhaps twice."""
    events: list[tuple[str, int, str]] = []

    async def take(message: Msg) -> None:
        headers = message.headers or {}
        events.append((headers["ce-subject"], int(headers["ce-userversion"]), headers["ce-id"]))

    connection = await _connect(url)
    try:
        await connection.subscribe("evt.v1.>", cb=take)
        yield events
    finally:
        await connection.close()


async def until_complete(url: str, positions: list[int]) -> None:
    """Until the stream keeps all of these events, each once and in order."""

    async def is_complete() -> bool:
        return await kept_positions(url) == positions

    await eventually_true(is_complete, "the whole log in NATS", every_seconds=0.5)


async def kept_positions(url: str) -> list[int]:
    """The positions of all events in the stream, in its order."""
    connection = await _connect(url)
    try:
        stream = connection.jetstream()
        info = await stream.stream_info("EVT")
        subscription = await stream.subscribe("evt.v1.>", ordered_consumer=True)
        found: list[int] = []
        while len(found) < info.state.messages:
            message = await subscription.next_msg(timeout=SILENCE_SECONDS)
            found.append(int((message.headers or {})["ce-globalpos"]))
        return found
    except (TimeoutError, NatsError):
        return []
    finally:
        await connection.close()
