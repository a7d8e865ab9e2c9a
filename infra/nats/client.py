"""nats-py as we can use it: a client that closes at once, hands messages over at once and waits for no frozen server.

Owns what must be changed inside the library, and nothing else; what the connection is for is in link.py.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from urllib.parse import ParseResult

from nats.aio.client import Client
from nats.aio.transport import TcpTransport

CLOSE_SECONDS_MAX = 2.0
REPEATED = b"live."  # where the server repeats what it has stored: see streams.py


class _AbortingTransport(TcpTransport):
    """Closes at once. The one of nats-py first waits until all is sent, for ever when the server is frozen, and it
    leaves the connection of a failed try open."""

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        self.close()
        await super().connect(uri, buffer_size, connect_timeout)

    def close(self) -> None:
        if self._io_writer is not None:
            self._io_writer.transport.abort()

    def __bool__(self) -> bool:
        return True  # else the client makes one of its own


class _FastClient(Client):
    """Hands each message to its callback as it is read. nats-py puts it into a queue of the subscription and wakes a
    task for it, which costs more than what is done about a token here."""

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        subscription = self._subs.get(sid)
        if subscription is None or subscription._cb is None:
            return
        # A repeated token comes with five headers that nobody reads.
        read = None if subject.startswith(REPEATED) else await self._process_headers(headers)
        await subscription._cb(self._build_message(sid, subject, reply, data, read))

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """As nats-py's, which looks at each character of each name."""
        lines = raw.decode("utf-8", "replace").split("\r\n")
        return {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


def new_client() -> Client:
    """Not yet connected."""
    client = _FastClient()
    client._transport = _AbortingTransport()  # type: ignore[no-untyped-call]
    return client


async def close_client(client: Client) -> None:
    """Closing while it reconnects may hang or raise; the connection is of no use any more either way."""
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS_MAX):
            await client.close()
