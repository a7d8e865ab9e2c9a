"""A client's bounded buffer between the hub, which must never wait, and a connection, which may be slow.

Frames are never dropped from the middle: a full buffer is emptied, says `server.lagged` and ends, and the client
comes back with its cursor.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from api.live.frames import Encoded, Reply

BUFFER_BYTES_MAX = 2_097_152
BATCH_BYTES_MAX = 65_536

End = Literal["left", "refused", "lagged", "closing", "expired", "closed", "broken"]


class Channel:
    """One producer side (`push`, `end`; never block) and one consumer (`take`)."""

    __slots__ = ("_bytes", "_bytes_max", "_frames", "_frames_max", "_interrupted", "_waiter", "ended")

    def __init__(self, *, frames_max: int, bytes_max: int = BUFFER_BYTES_MAX) -> None:
        self._frames: list[Encoded] = []  # mostly empty; a deque would weigh more than all the rest of a client
        self._frames_max = frames_max
        self._bytes = 0
        self._bytes_max = bytes_max
        self._waiter: asyncio.Future[None] | None = None
        self._interrupted = False
        self.ended: End | None = None

    def push(self, frame: Encoded) -> bool:
        """False when the buffer would be too full with it: the frame was not taken."""
        if self.ended is not None:
            return True
        # A single frame always fits, however large: it would not get smaller by coming back for it.
        if len(self._frames) >= self._frames_max or (self._bytes and self._bytes + len(frame.sse) > self._bytes_max):
            return False
        self._frames.append(frame)
        self._bytes += len(frame.sse)
        self._wake()
        return True

    def end(self, reason: End, last: Encoded | None = None, *, discard: bool = False) -> None:
        """Nothing is taken after this. `last` is the final frame; `discard` drops what waits before it."""
        if self.ended is not None:
            return
        self.ended = reason
        if discard:
            self._frames = []
        if last is not None:
            self._frames.append(last)
        self._wake()

    def discard_frames(self) -> None:
        """Drop what waits, but for answers: nobody else would give those again."""
        self._frames = [frame for frame in self._frames if isinstance(frame, Reply)]
        self._bytes = sum(len(frame.sse) for frame in self._frames)

    def interrupt(self) -> None:
        """Make `take` return, with nothing if nothing waits."""
        self._interrupted = True
        self._wake()

    async def take(self) -> list[Encoded]:
        """What waits, at most a batch of it, in order; waits for something. Empty once all is taken after the end."""
        while not self._frames:
            if self.ended is not None or self._interrupted:
                break
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._interrupted = False
        if self._bytes <= BATCH_BYTES_MAX:
            batch, self._frames, self._bytes = self._frames, [], 0
            return batch
        count = size = 0
        for frame in self._frames:
            count += 1
            size += len(frame.sse)
            if size >= BATCH_BYTES_MAX:
                break
        batch, self._frames = self._frames[:count], self._frames[count:]
        self._bytes = max(0, self._bytes - size)
        return batch

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
