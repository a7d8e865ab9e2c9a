"""A connection whose writes of one turn of the event loop leave together, at the end of that turn.

A head and its body, or several frames, are then one system call and one packet; and the answers that one commit or
one fact led to leave back to back. Each write wakes whoever reads, and waking costs more than the bytes do. Owns no
more than one turn's bytes.
"""

from __future__ import annotations

import asyncio
from typing import Any


class GatheredWrites:
    """In place of the `asyncio.Transport` that it is given; whatever is not written here goes to that one."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []

    def write(self, data: bytes) -> None:
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)

    def close(self) -> None:
        """What was written is sent first."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._held.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _flush(self) -> None:
        held, self._held = self._held, []
        if held and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))
