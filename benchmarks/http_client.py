"""A small HTTP/1.1 client for loopback: keep-alive requests, and event streams that cost the measuring side little.

Knows only what our own server and the stand-in of a model send: content-length or chunked bodies.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec

_encode = msgspec.json.encode


class Connection:
    """One keep-alive connection. Not for two requests at once."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    @classmethod
    async def open(cls, url: str) -> Connection:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        return cls(reader, writer, parts.netloc)

    async def request(
        self, method: str, path: str, token: str = "", body: Any = None, headers: str = ""
    ) -> tuple[int, bytes]:
        """Status and body. Raises `OSError` or `asyncio.IncompleteReadError` when the server goes away."""
        self._writer.write(request_bytes(method, path, self._host, token, body, headers))
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, fields = int(head[9:12]), head.lower()
        if b"transfer-encoding: chunked" in fields:
            return status, await self._chunks()
        place = fields.find(b"content-length: ")
        size = int(fields[place + 16 : fields.index(b"\r", place)]) if place >= 0 else 0
        return status, await self._reader.readexactly(size)

    async def _chunks(self) -> bytes:
        parts = []
        while size := int((await self._reader.readuntil(b"\r\n"))[:-2], 16):
            parts.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readexactly(2)
        return b"".join(parts)

    def close(self) -> None:
        self._writer.close()


def request_bytes(method: str, path: str, host: str, token: str, body: Any, headers: str = "") -> bytes:
    data = b"" if body is None else _encode(body)
    auth = f"authorization: Bearer {token}\r\n" if token else ""
    kind = f"content-type: application/json\r\ncontent-length: {len(data)}\r\n" if body is not None else ""
    return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{auth}{kind}{headers}\r\n".encode() + data


class EventStream(asyncio.Protocol):
    """`take(block, arrived)` is called for each SSE event, its lines as bytes, and the monotonic second it came."""

    def __init__(self, request: bytes, take: Callable[[bytes, float], None]) -> None:
        self.opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._take = take
        self._transport: asyncio.Transport | None = None
        self._raw = b""
        self._events = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self.send(self._request)

    def send(self, data: bytes) -> None:
        assert self._transport is not None
        if data:
            self._transport.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("closed before an answer"))
        if not self.closed.done():
            self.closed.set_result(None)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        arrived = time.monotonic()
        self._raw = self._raw + data if self._raw else data
        if not self.opened.done():
            end = self._raw.find(b"\r\n\r\n")
            if end < 0:
                return
            status = int(self._raw[9:12])
            self._raw = self._raw[end + 4 :]
            self.opened.set_result(status)
        self._unchunk()
        end = self._events.rfind(b"\n\n")
        if end < 0:
            return
        whole, self._events = self._events[:end], self._events[end + 2 :]
        for block in whole.split(b"\n\n"):
            self._take(block, arrived)

    def _unchunk(self) -> None:
        while (line_end := self._raw.find(b"\r\n")) > 0:
            size = int(self._raw[:line_end], 16)
            if len(self._raw) < line_end + 2 + size + 2:
                return
            self._events += self._raw[line_end + 2 : line_end + 2 + size]
            self._raw = self._raw[line_end + 2 + size + 2 :]


async def follow(
    url: str, path: str, token: str, take: Callable[[bytes, float], None], *, last_event_id: str = ""
) -> EventStream:
    """An open stream. Raises `ConnectionError` for any answer but 200."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    headers = f"last-event-id: {last_event_id}\r\n" if last_event_id else ""
    request = request_bytes("GET", path, parts.netloc, token, None, headers)
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: EventStream(request, take), parts.hostname, parts.port)
    if await stream.opened != 200:
        stream.close()
        raise ConnectionError(f"the stream was refused: {stream.opened.result()}")
    return stream


def fields_of(block: bytes) -> tuple[str, str, bytes]:
    """Event name, id and data of an SSE event; empty where it has none, as a comment has."""
    name = cursor = ""
    data = b""
    for line in block.split(b"\n"):
        if line.startswith(b"data: "):
            data = line[6:]
        elif line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"id: "):
            cursor = line[4:].decode()
    return name, cursor, data
