"""A TCP proxy that delays, swallows, freezes and cuts: the network that a test needs between two processes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Literal

Direction = Literal["up", "down"]  # up: client to server

CHUNK_BYTES = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class TcpProxy:
    """Settings hold for the chunks that pass from now on, of open connections too."""

    def __init__(self, host: str, port: int) -> None:
        self.connections = 0  # accepted so far
        self.delay_seconds = 0.0
        self._target = (host, port)
        self._swallowed: set[Direction] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._bytes_left: dict[Direction, int | None] = {"up": None, "down": None}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def swallow(self, *directions: Direction) -> None:
        """What goes that way is read and thrown away; the other side takes it for sent."""
        self._swallowed = set(directions)

    def freeze(self) -> None:
        """Half-open: connections stay, nothing moves."""
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def cut_after(self, byte_count: int, direction: Direction) -> None:
        """Pass so many more bytes that way, in the middle of a message if need be, and reset all connections then."""
        self._bytes_left[direction] = byte_count

    def cut(self, *, reset: bool = True) -> None:
        """End all connections; new ones are taken."""
        self._bytes_left = {"up": None, "down": None}
        for writer in list(self._writers):
            connection = writer.get_extra_info("socket")
            if reset and connection is not None and connection.fileno() >= 0:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.close()
        self._writers.clear()

    async def _reach_server(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self._target)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            server_reader, server_writer = await self._reach_server()
        except OSError:
            writer.close()
            return
        self._writers |= {writer, server_writer}
        for direction, source, target in (("up", reader, server_writer), ("down", server_reader, writer)):
            task = asyncio.create_task(self._pass_on(direction, source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, direction: Direction, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                await self._open.wait()
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                if direction in self._swallowed:
                    continue
                left = self._bytes_left[direction]
                target.write(chunk if left is None else chunk[:left])
                if left is not None:
                    self._bytes_left[direction] = left - len(chunk)
                    if len(chunk) >= left:
                        with suppress(OSError):
                            await target.drain()
                        self.cut()
                        return
                await target.drain()
        target.close()
        self._writers.discard(target)


@asynccontextmanager
async def tcp_proxy(host: str, port: int) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
