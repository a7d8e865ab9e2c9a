"""uvicorn's HTTP protocol with bounds on what a client may send and how slowly, and problems instead of plain text.

Owns only what happens before and beside an application: the application never waits with a clock for a body, it is
told that the client has gone. Written against uvicorn's httptools protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.http.gathered_writes import GatheredWrites
from api.http.headers import complete
from api.live.client import ABORT_EXTENSION
from api.problems import Problem
from domain.ports import NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class WireLimits:
    """A head is the request line and its headers. A body may take `body_seconds_max` and one second more for each
    `bytes_per_second_min` that came: the limit is for those who hold connections, not for slow lines."""

    head_bytes_max: int = 32_768
    headers_max: int = 100
    head_seconds_max: float = 10.0
    body_seconds_max: float = 10.0
    bytes_per_second_min: int = 65_536


_MALFORMED = Problem(status=400, code="malformed_request", detail="This is not valid HTTP/1.1.", close=True)
_CODED = Problem(status=400, code="transfer_coding", detail="Transfer-Encoding may be `chunked` alone.", close=True)
_HEAD_TOO_SLOW = Problem(status=408, code="header_timeout", detail="The header came too slowly.", close=True)
_BODY_TOO_SLOW = Problem(status=408, code="body_timeout", detail="The body came too slowly.", close=True)


class _Refuse(Exception):
    """Raised in a parser callback; the parser turns it into its own error, and `send_400_response` into an answer."""


def strict_http_protocol(new_id: NewId, limits: WireLimits) -> Callable[..., asyncio.Protocol]:
    """What uvicorn's `http` setting takes."""
    return partial(StrictHttpProtocol, new_id, limits)


class StrictHttpProtocol(HttpToolsProtocol):
    """Refuses with 400, 408 or 431 and closes.

    One clock runs while a head or a body is incomplete: from the start of a connection, later from a head's first byte.
    Between two requests uvicorn's keep-alive timeout rules. A request that comes in one piece starts no clock.
    """

    def __init__(self, new_id: NewId, limits: WireLimits, **options: Any) -> None:
        super().__init__(**options)
        self._new_id = new_id
        self._limits = limits
        self._clock: asyncio.TimerHandle | None = None
        self._in_head = True
        self._head_begun = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_began_at = 0.0
        self._refusal = _MALFORMED

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast("asyncio.Transport", GatheredWrites(transport, self.loop)))
        self._start_clock(self._limits.head_seconds_max)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            # The parser keeps a header until it is whole, so what it has been fed is counted and not what it gave.
            self._head_bytes += len(data)
        else:
            self._body_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            if self._clock is None:
                self._body_began_at, self._body_bytes = self.loop.time(), 0
                self._start_clock(self._limits.body_seconds_max)
        elif self._head_begun:
            if self._head_bytes > self._limits.head_bytes_max:
                self._refuse(self._head_too_large())
            elif self._clock is None:
                self._start_clock(self._limits.head_seconds_max)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_begun = True

    def on_headers_complete(self) -> None:
        limits = self._limits
        size = len(self.url) + sum([len(name) + len(value) + 4 for name, value in self.headers])
        if size > limits.head_bytes_max or len(self.headers) > limits.headers_max:
            self._refusal = self._head_too_large()
            raise _Refuse
        if {value.lower() for name, value in self.headers if name == b"transfer-encoding"} - {b"chunked"}:
            # The parser would hand on the coded bytes as if they were the body.
            self._refusal = _CODED
            raise _Refuse
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() != "1.0"):
            raise _Refuse
        self._in_head = self._head_begun = False
        self._head_bytes = 0
        self._stop_clock()
        self.scope["extensions"] = {ABORT_EXTENSION: self.transport.abort}  # type: ignore[dict-item]
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._stop_clock()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for whatever its parser refuses; `msg` is not told."""
        self._refuse(self._refusal)

    def shutdown(self) -> None:
        """A connection whose head never came has no request to finish."""
        if self._in_head:
            self._stop_clock()
        super().shutdown()

    def _head_too_large(self) -> Problem:
        limits = self._limits
        detail = f"The header may have at most {limits.head_bytes_max} bytes and {limits.headers_max} fields."
        return Problem(status=431, code="header_too_large", detail=detail, close=True)

    def _refuse(self, problem: Problem) -> None:
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The application must not write after this, and one that waits for the body must learn that none comes.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started or self._in_head:
                # An answer now would stand in the middle of another, or be taken for the one to an earlier request.
                self.transport.close()
                return
        body = problem.body()
        extra = ((b"x-request-id", self._new_id().encode()),)
        fields = complete(problem.header_list(body), extra, secure=False)
        lines = [name + b": " + value + b"\r\n" for name, value in fields]
        self.transport.write(b"".join((STATUS_LINE[problem.status], *lines, b"\r\n", body)))
        self.transport.close()

    def _start_clock(self, seconds: float) -> None:
        self._clock = self.loop.call_later(seconds, self._time_is_up)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _time_is_up(self) -> None:
        self._clock = None
        if self.transport.is_closing():
            return
        if not self._in_head:
            self._judge_body()
        elif self.cycle is not None and not self.cycle.response_complete:
            # An earlier request is still being answered; that is not this head's fault.
            self._start_clock(self._limits.head_seconds_max)
        elif self._head_begun:
            self._refuse(_HEAD_TOO_SLOW)
        else:
            self.transport.close()

    def _judge_body(self) -> None:
        limits = self._limits
        allowed = limits.body_seconds_max + self._body_bytes / limits.bytes_per_second_min
        left = self._body_began_at + allowed - self.loop.time()
        if self.flow.read_paused:
            # We are the slow ones: the application has not taken what is here.
            left = limits.body_seconds_max
        if left > 0:
            self._start_clock(left)
        elif not self.cycle.response_complete:
            self._refuse(_BODY_TOO_SLOW)
        else:
            self.transport.close()
