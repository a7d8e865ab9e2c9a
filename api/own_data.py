"""All of one's own data over HTTP: take it along as an archive, or have it erased for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.types import Receive, Scope, Send

from api.http.request import call_of
from api.queries import show_all
from api.schemas.own_data_answers import ErasureOut
from api.schemas.requests import EmptyBody
from api.services import STREAM_VERSION, Services, User, caller, check_body_user, json_response, run, services_of
from commands.erasure import EraseUser
from commands.handle import Answer, Outcome
from domain.errors import Gone, TooMany
from domain.values import Json
from projections.export import Exporter
from projections.views import VIEWS

ARCHIVE_NAME = "microcos-export.zip"


@get(
    "/export",
    operation_id="exportUser",
    tags=["own data"],
    media_type="application/zip",
    opt={"query": ("min_version",)},
)
async def export_user(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Everything about the user as a zip archive, sent while it is made; its README says what is in it."""
    services, call, user = await caller(request)
    await show_all(services.views, VIEWS, user, call)
    version = await services.log.head(user.user_id)
    return ArchiveAnswer(services, user, version)


@post(
    "/erase",
    operation_id="eraseUser",
    status_code=202,
    opt={"body": EmptyBody, "answer": ErasureOut},
    tags=["own data"],
)
async def erase_user(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Erase the user for good: all that they wrote can't be read again by anybody, and their streams end. Who returns
    under the same name is somebody new. Sent again, it is accepted again."""
    services, call = services_of(request), call_of(request)
    principal = call.user()
    body = call.read(EmptyBody)
    check_body_user(body, principal)
    user_id = await services.keyring.find_user(principal.issuer, principal.sub)
    if user_id is None:
        # Nobody of this name is known, or no longer; that they asked shall not make them.
        return _accepted(0)
    user = User(user_id, principal.sub, await services.keyring.load(user_id))

    def answer(outcome: Outcome) -> Answer:
        return Answer(body=_shape(outcome.after.version), status=202)

    try:
        return await run(services, user, call, EraseUser(), answer)
    except Gone:
        return _accepted(await services.log.head(user_id))


def _accepted(version: int) -> Response[bytes]:
    return json_response(msgspec.json.encode(_shape(version)), 202, version)


def _shape(version: int) -> dict[str, Json]:
    return {"status": "accepted", "version": version}


class ArchiveAnswer(Response[bytes]):
    """An archive of the user as it is made: no faster than the client takes it, and no longer than the client is there.

    What fails after the first byte cuts the connection, so that nobody takes half an archive for a whole one.
    """

    def __init__(self, services: Services, user: User, version: int) -> None:
        # The parent's attributes are left out on purpose: only its type is needed, for handlers' annotations.
        self._services = services
        self._user = user
        self._version = version

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        exporting = self._services.exporting
        if self._user.user_id in exporting:
            raise TooMany(
                "An archive of yours is being sent already. Wait for it.", code="export_running", retry_after_seconds=5
            )
        exporting.add(self._user.user_id)
        left = asyncio.create_task(_client_left(receive))
        try:
            async with aclosing(self._archive()) as pieces:
                await self._send_pieces(pieces, send, left)
        finally:
            left.cancel()
            exporting.discard(self._user.user_id)

    def _archive(self) -> Any:
        services = self._services
        reader = services.views.reader
        now_ms = services.clock.now_ms()
        return Exporter(reader, services.log, self._user.user_id, self._user.sub, now_ms).archive()

    async def _send_pieces(self, pieces: AsyncIterator[bytes], send: Send, left: asyncio.Task[None]) -> None:
        is_started = False
        async for piece in pieces:
            if left.done():
                return
            if not is_started:
                is_started = True
                start: Any = {"type": "http.response.start", "status": 200, "headers": self._headers()}
                await send(start)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"application/zip"),
            (b"content-disposition", f'attachment; filename="{ARCHIVE_NAME}"'.encode()),
            (b"cache-control", b"no-store"),
            (STREAM_VERSION.encode(), b"%d" % self._version),
        ]


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
