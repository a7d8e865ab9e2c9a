"""The HTTP server: uvicorn in one process, stopped in the right order. Owns no routes and no state of the product."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from typing import Any

import uvicorn

from api.http.protocol import WireLimits, strict_http_protocol
from api.http.socket_protocol import SocketProtocol
from domain.ports import NewId
from infra.settings import Settings

DRAIN_SECONDS_MAX = 2.0
GRACEFUL_SECONDS_MAX = 5
KEEP_ALIVE_SECONDS = 75  # longer than the 60 s after which load balancers drop an idle connection
SOCKET_MESSAGE_BYTES_MAX = 262_144
BACKLOG = 2_048
LIMITS = WireLimits()

_log = logging.getLogger("uvicorn.error")

Drain = Callable[[], Awaitable[None]]


def server_config(
    app: Any,
    *,
    host: str,
    port: int,
    new_id: NewId,
    graceful_seconds_max: int = GRACEFUL_SECONDS_MAX,
    limits: WireLimits = LIMITS,
    socket_message_bytes_max: int = SOCKET_MESSAGE_BYTES_MAX,
) -> uvicorn.Config:
    """Everything that uvicorn would otherwise take from its defaults or from the environment."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=strict_http_protocol(new_id, limits),  # type: ignore[arg-type]
        ws=SocketProtocol,
        ws_max_size=socket_message_bytes_max,
        ws_per_message_deflate=False,
        lifespan="on",
        workers=1,
        # The server's log lines hold URLs and tracebacks; ours hold neither.
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        forwarded_allow_ips=[],
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=graceful_seconds_max,
    )


def server_config_from_settings(app: Any, settings: Settings, new_id: NewId) -> uvicorn.Config:
    return server_config(
        app,
        host=settings.host,
        port=settings.port,
        new_id=new_id,
        graceful_seconds_max=max(1, math.ceil(settings.drain_seconds)),
        limits=replace(LIMITS, body_seconds_max=settings.body_timeout_seconds),
    )


class Server(uvicorn.Server):
    """Stops accepting, lets `drain` end the streams, then waits for the other requests.

    uvicorn alone waits for open streams before it tells the application that it stops, which is never.
    """

    def __init__(self, config: uvicorn.Config, drain: Drain, started: Callable[[], None] = lambda: None) -> None:
        """`started` is called once connections are accepted."""
        super().__init__(config)
        self._drain = drain
        self._tell_started = started

    @property
    def port(self) -> int:
        """The port that it listens on, once it has started: the one asked for, or what 0 became."""
        address = self.servers[0].sockets[0].getsockname()
        return int(address[1])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._tell_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        try:
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                await self._drain()
        except TimeoutError:
            _log.error("Streams did not end in time")
        except Exception as error:
            # Stopping goes on whatever the streams do.
            _log.error("Ending the streams failed: %s", type(error).__name__)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """As uvicorn's, without raising the signal again at the end: whoever runs the server still has to clean up."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handled.items():
                signal.signal(number, handler)
