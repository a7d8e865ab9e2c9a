"""`GET /stream/{sessionId}`: the user's stream as server-sent events, a raw ASGI route over shared, encoded frames.

Owns the SSE wire and nothing of what is sent: see live/hub.py. Two tasks a client and no timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.types import ASGIApp

from api.auth.tokens import Principal
from api.http.query import refuse_unknown
from api.http.request import call_of, single_headers
from api.live.client import ABORT_EXTENSION, Client
from api.live.cursor import Cursor, parse_cursor
from api.live.frames import SSE_HEAD, Encoded
from api.live.hub import Hub
from api.live.hub_registry import HubRegistry
from domain.errors import Unavailable

UserIdOf = Callable[[Principal], Awaitable[str]]

_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class StreamEndpoint:
    """`user_id_of` maps a caller to the internal user id. Expects the edge in front: it says who calls."""

    def __init__(self, registry: HubRegistry, user_id_of: UserIdOf) -> None:
        self._registry = registry
        self._user_id_of = user_id_of

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Raises `DomainError`, `Refused` or `AuthError` before anything is sent, and nothing afterwards."""
        call = call_of(scope)
        principal = call.user()
        refuse_unknown(call.query, ("after",))
        cursor = cursor_of(scope, call.query)
        user_id = await self._user_id_of(principal)
        session_id = scope["path_params"]["session_id"]
        connection = self._registry.connect(user_id, session_id, expires_at=principal.expires_at, cut=abort_of(scope))
        async with connection as (hub, client):
            await stream_frames(hub, client, cursor, receive, send)


def stream_route(endpoint: ASGIApp) -> HTTPRouteHandler:
    """To be mounted under the API's base path."""

    @get(
        "/stream/{session_id:str}",
        operation_id="openStream",
        media_type="text/event-stream",
        opt={"query": ("after", "ticket"), "headers": {"Last-Event-ID": "As `after`, and beats it."}},
        tags=["stream"],
        summary="Server-sent events of the whole user, from a cursor or from now.",
    )
    async def open_stream(session_id: FromPath[str]) -> ASGIApp:
        return endpoint

    return open_stream


def cursor_of(scope: Any, query: dict[str, str]) -> Cursor | None:
    """Where the client wants to go on: `Last-Event-ID`, else `?after=`, else None for now. Raises `Invalid`."""
    headers, repeated = single_headers(scope["headers"])
    last = headers.get(b"last-event-id", b"")
    if b"last-event-id" in repeated:
        last = b"twice"
    if last:
        return parse_cursor(last.decode("latin-1"))
    after = query.get("after")
    # A plus that was not escaped arrives as a space, which no cursor holds.
    return None if after is None else parse_cursor(after.replace(" ", "+"))


def abort_of(scope: Any) -> Callable[[], object]:
    """How to drop this connection at once; a server that offers no way has at least its task ended."""
    abort: Callable[[], object] | None = scope.get("extensions", {}).get(ABORT_EXTENSION)
    if abort is not None:
        return abort
    task = asyncio.current_task()
    assert task is not None
    return task.cancel


async def stream_frames(hub: Hub, client: Client, cursor: Cursor | None, receive: Any, send: Any) -> None:
    """Send what lies after `cursor` and then what comes, until one of the two sides ends it."""
    version = str(hub.version).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, (b"x-stream-version", version)]})
    await send({"type": "http.response.body", "body": SSE_HEAD, "more_body": True})
    watcher = asyncio.create_task(_watch(receive, client))
    try:
        await _send_past(hub, client, cursor, send)
        while batch := await client.channel.take():
            await send(_body(batch))
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        watcher.cancel()


async def _send_past(hub: Hub, client: Client, cursor: Cursor | None, send: Any) -> None:
    try:
        async with aclosing(hub.replay(client, cursor)) as past:
            async for batch in past:
                if batch:
                    await send(_body(batch))
                if client.channel.ended is not None:
                    return
    except Unavailable:
        # The client has what it has, and its cursor says so.
        client.end("broken", "server.closing", version=hub.version)


async def _watch(receive: Any, client: Client) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    client.end("left")


def _body(batch: Sequence[Encoded]) -> dict[str, object]:
    data = batch[0].sse if len(batch) == 1 else b"".join([frame.sse for frame in batch])
    return {"type": "http.response.body", "body": data, "more_body": True}
