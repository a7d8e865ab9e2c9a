"""An application behind our real server, in the test's own loop, and a client that writes raw bytes to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from api.http.server import Server, server_config
from infra.ids import SeededIds
from tests.support.echo_app import STREAMS


class Announced(Server):
    """Sets `listening` once connections are taken."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def serving(app: Any, *, port: int = 0, **options: Any) -> AsyncIterator[Server]:
    """Listens on a free port of loopback, or on this one, until the block ends."""
    server = Announced(server_config(app, host="127.0.0.1", port=port, new_id=SeededIds(), **options), STREAMS.drain)
    task = asyncio.create_task(server.serve())
    await server.listening.wait()
    try:
        yield server
    finally:
        server.should_exit = True
        await task


@dataclass
class RawReply:
    status: int
    headers: dict[str, str]
    body: bytes
    names: list[str]


@dataclass
class Connection:
    """Bytes in, replies out. `closed` reads to the end and says what still came."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self) -> RawReply:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = [line.split(": ", 1) for line in head[1:] if line]
        headers = dict(pairs)
        length = int(headers.get("content-length", "0"))
        return RawReply(
            int(head[0].split(" ")[1]), headers, await self.reader.readexactly(length), [name for name, _ in pairs]
        )

    async def closed(self) -> bytes:
        """What came until the server closed; a reset counts as closed, since unread bytes cause one."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@asynccontextmanager
async def connected(server: Server, *, first: bytes = b"") -> AsyncIterator[Connection]:
    """`first`, a few bytes, is sent before the server can take the connection, and starts its clock by that."""
    client = socket.create_connection(("127.0.0.1", server.port))
    client.sendall(first)
    client.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=client)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionResetError, BrokenPipeError):
            await writer.wait_closed()
