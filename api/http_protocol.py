"""uvicorn's HTTP protocol with bounds on the request head, and problems instead of plain text.

Owns only what happens before an application can see the request. Written against uvicorn's httptools protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.headers import complete
from api.problems import Problem
from domain.ports import NewId

HEAD_BYTES_MAX = 32_768
HEADERS_MAX = 100
HEAD_SECONDS_MAX = 10.0

_MALFORMED = Problem(status=400, code="malformed_request", detail="This is not valid HTTP/1.1.", close=True)
_HEAD_TOO_LARGE = Problem(
    status=431,
    code="header_too_large",
    detail=f"The header may have at most {HEAD_BYTES_MAX} bytes and {HEADERS_MAX} fields.",
    close=True,
)
_HEAD_TOO_SLOW = Problem(status=408, code="header_timeout", detail="The header came too slowly.", close=True)


class _Refuse(Exception):
    """Raised in a parser callback; the parser turns it into its own error, and `data_received` into an answer."""


def strict_http_protocol(
    new_id: NewId, *, head_bytes_max: int = HEAD_BYTES_MAX, head_seconds_max: float = HEAD_SECONDS_MAX
) -> Callable[..., asyncio.Protocol]:
    """What uvicorn's `http` setting takes."""
    return partial(StrictHttpProtocol, new_id, head_bytes_max, head_seconds_max)


class StrictHttpProtocol(HttpToolsProtocol):
    """Refuses with 400, 408 or 431 and closes. The head's clock runs while one is expected on a new connection, and
    later from a head's first byte; between two requests the keep-alive timeout rules."""

    def __init__(self, new_id: NewId, head_bytes_max: int, head_seconds_max: float, **options: Any) -> None:
        super().__init__(**options)
        self._new_id = new_id
        self._head_bytes_max = head_bytes_max
        self._head_seconds_max = head_seconds_max
        self._head_timer: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_bytes = 0
        self._refusal = _MALFORMED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            # The parser keeps a header until it is whole, so what it has been fed is counted and not what it gave.
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        if self._head_bytes > self._head_bytes_max:
            self._refuse(_HEAD_TOO_LARGE)
        elif self._head_bytes and self._head_timer is None:
            self._start_head_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._fields_bytes = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)
        if len(self.headers) > HEADERS_MAX:
            self._refusal = _HEAD_TOO_LARGE
            raise _Refuse

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._stop_head_timer()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() != "1.0"):
            raise _Refuse
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for whatever its parser refuses; `msg` is not told."""
        self._refuse(self._refusal)

    def shutdown(self) -> None:
        """A connection whose head never came has no request to finish."""
        self._stop_head_timer()
        super().shutdown()

    def _count(self, size: int) -> None:
        self._fields_bytes += size
        if self._fields_bytes > self._head_bytes_max:
            self._refusal = _HEAD_TOO_LARGE
            raise _Refuse

    def _refuse(self, problem: Problem) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The application must not write after this, and one that waits for the body must learn that none comes.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        body = problem.body()
        extra = ((b"x-request-id", self._new_id().encode()),)
        fields = complete(problem.header_list(body), extra, secure=False)
        lines = [name + b": " + value + b"\r\n" for name, value in fields]
        self.transport.write(b"".join((STATUS_LINE[problem.status], *lines, b"\r\n", body)))
        self.transport.close()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self._head_seconds_max, self._head_too_slow)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_too_slow(self) -> None:
        self._head_timer = None
        if self.transport.is_closing():
            return
        if self._head_bytes:
            self._refuse(_HEAD_TOO_SLOW)
        else:
            self.transport.close()
