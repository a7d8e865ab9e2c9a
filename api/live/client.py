"""One connected client as its hub sees it: a channel to push into, a session, and how to cut the connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from api.live.channel import Channel, End
from api.live.frames import Encoded, ending_frame

ABORT_EXTENSION = "microcos.abort"  # in an ASGI scope: drops the connection with all that is unsent
CUT_SECONDS = 1.0  # how long a client may take to read its last frame
LAGGED_CUT_SECONDS = 15.0  # and one that was slow already, with megabytes before it in the connection's own buffers


class Client:
    """`expires_at` is when its token ends, in Unix seconds. `cut` drops the connection at once, whatever is unsent."""

    __slots__ = ("_cutting", "channel", "cut", "expires_at", "greeted", "replaying", "session_id", "told")

    def __init__(
        self, channel: Channel, *, session_id: str | None, expires_at: float, cut: Callable[[], object]
    ) -> None:
        self.channel = channel
        self.session_id = session_id
        self.expires_at = expires_at
        self.cut = cut
        self.replaying = True
        self.told = 0  # the version up to which it was told that the views have reached it
        self.greeted = False
        self._cutting: asyncio.TimerHandle | None = None

    def push(self, frame: Encoded, *, version: int) -> bool:
        """False when the client was too slow and its stream ends here."""
        if self.channel.push(frame):
            return True
        self.end("lagged", "server.lagged", version=version)
        return False

    def end(self, reason: End, name: str | None = None, *, version: int = 0, retry_ms: int | None = None) -> None:
        """Send the frame called `name` as the last one and end; the connection is cut if that takes too long."""
        if self.channel.ended is not None:
            return
        last = None if name is None else Encoded(ending_frame(name, version), retry_ms=retry_ms)
        # While the past is still being sent, what waits here lies beyond a gap; a lagging client gets no half either.
        self.channel.end(reason, last, discard=self.replaying or reason in ("lagged", "left", "refused"))
        if reason != "left":
            seconds = LAGGED_CUT_SECONDS if reason == "lagged" else CUT_SECONDS
            self._cutting = asyncio.get_running_loop().call_later(seconds, self.cut)

    def finished(self) -> None:
        """The connection is over: nothing is left to cut."""
        if self._cutting is not None:
            self._cutting.cancel()
