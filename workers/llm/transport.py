"""How httpx reaches a model: an HTTP/1.1 transport made for hundreds of long streams of small chunks.

httpx's own transport spends 0.17 ms of CPU on each chunk and walks the whole pool at each request; this one hands
over what the C parser cut out, one wake-up a packet. It must not know models. It follows no redirects and knows no
proxies; TLS is verified against certifi's authorities.

Of httpx's request extensions it honours `timeout` (`connect`, and `read`: the longest silence) and adds `deadline`:
the loop time by which the whole answer must have arrived.
"""

from __future__ import annotations

import asyncio
import re
import select
import ssl
from typing import cast

import httptools
import httpx

BUFFERED_BYTES_MAX = 262_144  # of one answer, read from the socket and not yet taken by the caller
HEAD_BYTES_MAX = 65_536
IDLE_CONNECTIONS_MAX = 256
IDLE_SECONDS_MAX = 4.0  # below the 5 s after which common servers close an idle connection themselves

Origin = tuple[str, str, int]

_BAD_IN_HEADER = re.compile(rb"[\r\n\0]")


class StreamingTransport(httpx.AsyncBaseTransport):
    """Connections are made as they are needed, kept while idle, and closed at once when an answer is left unread."""

    def __init__(
        self, *, idle_seconds_max: float = IDLE_SECONDS_MAX, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self.idle_seconds_max = idle_seconds_max
        self._idle: dict[Origin, list[_Connection]] = {}
        self._open: set[_Connection] = set()
        self._ssl = ssl_context  # made at the first https address: it takes 20 ms

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `httpx.TransportError`s as httpx's own transport does."""
        body = await request.aread()
        timeouts = request.extensions.get("timeout", {})
        url = request.url
        origin = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        head = _head(request)
        connection = self._take_idle(origin) or await self._connect(origin, timeouts.get("connect"))
        try:
            connection.send(head + body, timeouts.get("read"), request.extensions.get("deadline"))
            status, headers = await connection.read_head()
        except BaseException:
            connection.abort()
            raise
        return httpx.Response(status, headers=headers, stream=_Body(connection))

    async def aclose(self) -> None:
        connections = list(self._open)
        for connection in connections:
            connection.abort()
        if connections:
            await asyncio.wait([connection.closed for connection in connections])

    def _take_idle(self, origin: Origin) -> _Connection | None:
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.reusable:
                return connection
        return None

    async def _connect(self, origin: Origin, timeout_seconds: float | None) -> _Connection:
        scheme, host, port = origin
        loop = asyncio.get_running_loop()
        if scheme == "https" and self._ssl is None:
            self._ssl = httpx.create_ssl_context(trust_env=False)
        tls = self._ssl if scheme == "https" else None
        try:
            async with asyncio.timeout(timeout_seconds):
                _, connection = await loop.create_connection(lambda: _Connection(self, origin), host, port, ssl=tls)
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {host}:{port} in time") from error
        except (OSError, OverflowError, UnicodeError) as error:
            raise httpx.ConnectError(f"no connection to {host}:{port}: {error}") from error
        return connection

    def opened(self, connection: _Connection) -> None:
        self._open.add(connection)

    def closed(self, connection: _Connection) -> None:
        self._open.discard(connection)
        idle = self._idle.get(connection.origin, [])
        if connection in idle:
            idle.remove(connection)

    def keep(self, connection: _Connection) -> bool:
        """Take back a connection whose answer was read to its end; False when there are enough."""
        idle = self._idle.setdefault(connection.origin, [])
        if len(idle) >= IDLE_CONNECTIONS_MAX:
            return False
        idle.append(connection)
        return True


class _Body(httpx.AsyncByteStream):
    """The answer's bytes, as much at a time as has arrived."""

    def __init__(self, connection: _Connection) -> None:
        self._connection = connection

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes:
        data = await self._connection.read()
        if not data:
            raise StopAsyncIteration
        return data

    async def aclose(self) -> None:
        self._connection.finish()


class _Connection(asyncio.Protocol):
    """One TCP connection; at most one request at a time is under way on it."""

    def __init__(self, pool: StreamingTransport, origin: Origin) -> None:
        self.origin = origin
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._transport: asyncio.Transport
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._begin()

    def _begin(self) -> None:
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._pieces: list[bytes] = []
        self._buffered_bytes = 0
        self._paused = False
        self._complete = False
        self._until_close = True
        self._keep_alive = False
        self._error: httpx.TransportError | None = None

    # --- the caller's side

    @property
    def reusable(self) -> bool:
        """Open, and silent: bytes that wait to be read, or an end, are the server's good-bye."""
        if self._transport.is_closing():
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket"), select.POLLIN)
        return not poll.poll(0)

    def send(self, data: bytes, silence_seconds: float | None, deadline: float | None) -> None:
        if self._transport.is_closing():
            raise httpx.ConnectError("the connection closed before the request was sent")
        self._stop_timer()
        self._begin()
        self._busy = True
        self._silence_seconds = silence_seconds
        self._deadline = deadline
        self._heard_at = self._loop.time()
        self._transport.write(data)
        self._watch()

    async def read_head(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        while not self._status:
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._status, self._headers

    async def read(self) -> bytes:
        """All that has arrived and was not yet taken, at least one byte; nothing at the end."""
        while not self._pieces:
            if self._complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._buffered_bytes = 0
        if self._paused:
            self._paused = False
            self._heard_at = self._loop.time()
            self._transport.resume_reading()
        return data

    def finish(self) -> None:
        """The caller is done: keep the connection if the answer was read to its end, else close it at once."""
        if not self._busy:
            return
        self._busy = False
        self._stop_timer()
        read_to_end = self._complete and not self._pieces
        if read_to_end and self._keep_alive and self.reusable and self._pool.keep(self):
            self._timer = self._loop.call_later(self._pool.idle_seconds_max, self.abort)
        else:
            self.abort()

    def abort(self) -> None:
        self._busy = False
        self._stop_timer()
        self._transport.abort()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- time

    def _watch(self) -> None:
        """One timer an answer, not one a read: it looks when the next thing is due and sets itself again."""
        now = self._loop.time()
        if self._deadline is not None and now >= self._deadline:
            self._fail(httpx.ReadTimeout("the answer took too long"))
            return
        due = self._deadline
        if self._silence_seconds is not None:
            silent_at = (now if self._paused else self._heard_at) + self._silence_seconds
            if now >= silent_at:
                self._fail(httpx.ReadTimeout("silence"))
                return
            due = silent_at if due is None else min(due, silent_at)
        if due is not None:
            self._timer = self._loop.call_at(due, self._watch)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, error: httpx.TransportError) -> None:
        if self._error is None and not self._complete:
            self._error = error
        self._stop_timer()
        self._wake()
        self._transport.abort()

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pool.opened(self)

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if not self._busy or self._complete or parser is None:
            self._transport.abort()  # Nobody asked for these bytes.
            return
        self._heard_at = self._loop.time()
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(httpx.RemoteProtocolError(f"not HTTP/1.1: {error}"))
            return
        if self._pieces or self._complete or self._status:
            self._wake()
        if self._buffered_bytes > BUFFERED_BYTES_MAX and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        if self._busy and not self._complete and self._error is None:
            if self._status and self._until_close and error is None:
                self._complete = True
            else:
                self._error = httpx.RemoteProtocolError("the connection closed before the end of the answer")
        self._stop_timer()
        self._wake()
        self._parser = None  # It holds our callbacks: let go of the cycle.
        self._pool.closed(self)
        if not self.closed.done():
            self.closed.set_result(None)

    # --- the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > HEAD_BYTES_MAX:
            raise ValueError("the head of the answer is too long")
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._until_close = False
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
        else:
            self._headers.clear()

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._buffered_bytes += len(body)

    def on_message_complete(self) -> None:
        if self._status:
            assert self._parser is not None
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()


def _head(request: httpx.Request) -> bytes:
    lines = [request.method.encode("ascii") + b" " + request.url.raw_path + b" HTTP/1.1"]
    for name, value in request.headers.raw:
        if _BAD_IN_HEADER.search(name) or _BAD_IN_HEADER.search(value):
            raise httpx.LocalProtocolError(f"line break in the header {name!r}")
        lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
