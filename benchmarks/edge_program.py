"""A server for the benchmark `edge`: `bare` is an ASGI callable that reads a body and answers JSON, `real` is the API,
whose commands are answered by a stub, so that edge, auth, routing and bodies are what is left. Both on our server.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import uvloop

from api.app import open_api
from api.http.server import Server, server_config
from benchmarks.programs import tell, until_input_closes
from commands.handle import Handled
from infra.ids import new_id
from infra.settings import Settings

ACK = msgspec.json.encode(
    {
        "status": "accepted",
        "messageId": "m_" + "0" * 32,
        "replyId": "m_" + "1" * 32,
        "conversationId": "main",
        "sessionId": "s_" + "2" * 32,
        "streamUrl": "/api/v1/stream/s_" + "2" * 32 + "?after=abc.12",
        "version": 14,
    }
)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """The least that a server of such an API does."""
    if scope["type"] != "http":
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    msgspec.json.decode(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(ACK))]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": ACK})


async def _nothing() -> None:
    pass


async def _serve(app: Any, drain: Callable[[], Awaitable[None]]) -> None:
    config = server_config(app, host="127.0.0.1", port=0, new_id=new_id)
    server = Server(config, drain, lambda: tell({"url": f"http://127.0.0.1:{server.port}"}))
    serving = asyncio.create_task(server.serve())
    await until_input_closes()
    server.should_exit = True
    await serving


async def _main(which: str) -> None:
    if which == "bare":
        await _serve(bare, _nothing)
        return
    async with open_api(Settings.load()) as opened:
        services = opened.app._app.state["services"]

        async def answered(*_: Any, **__: Any) -> Handled:
            return Handled(status=202, body=ACK, version=14)

        if which == "real":
            services.handler.handle = answered
        await _serve(opened.app, opened.streams.drain)


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1]))
