"""Read-your-writes: waiting until a view shows a version of a user's stream, or all of it.

Where a version or the stream's head lies in the log is found by one look-up. One poller a process serves all who wait,
and rests while nobody does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress

from domain.errors import Invalid, Unavailable
from infra.queries import Queries

POLL_SECONDS = 0.003
RETRY_AFTER_SECONDS = 1.0
STANDING_SECONDS = 5.0

# The view's position, the user's head, and the place of the version that is asked for.
LOOK = """SELECT (SELECT position FROM view_positions WHERE view = %(view)s),
    (SELECT originator_version FROM log0_events
     WHERE originator_id = %(user)s ORDER BY originator_version DESC LIMIT 1),
    (SELECT notification_id FROM log0_events WHERE originator_id = %(user)s AND originator_version = %(version)s)"""

# Where the user's stream ends, and how far each of the views is.
LOOK_AT_HEAD = """SELECT view, position, (SELECT notification_id FROM log0_events
    WHERE originator_id = %(user)s ORDER BY originator_version DESC LIMIT 1)
FROM view_positions WHERE view = ANY(%(views)s)"""

POSITIONS = "SELECT view, position FROM view_positions"


class Freshness:
    """One a process; `aclose` ends its poller."""

    def __init__(self, queries: Queries, *, poll_seconds: float = POLL_SECONDS) -> None:
        self._queries = queries
        self._poll_seconds = poll_seconds
        self._waiting: dict[asyncio.Future[None], tuple[str, int]] = {}
        self._poller: asyncio.Task[None] | None = None
        self._stands_until: dict[str, float] = {}  # loop time, of views that let a caller wait in vain

    async def wait_for(self, view: str, user_id: str, min_version: int, timeout_seconds: float) -> None:
        """Returns once `view` shows `min_version` of the user.

        Raises `Invalid` (`version_above_head`) for a version that the stream has not reached, and `Unavailable`
        (`view_behind`) when the view does not come that far in time.
        """
        if min_version <= 0:
            return
        values = {"view": view, "user": user_id, "version": min_version}
        position, head, target = (await self._queries.fetch(LOOK, values))[0]
        if target is None:
            raise Invalid(
                f"The newest version is {head or 0}: nothing can be at version {min_version} yet.",
                code="version_above_head",
            )
        if position is not None and position >= target:
            return
        if not await self._reached(view, int(target), timeout_seconds):
            raise Unavailable(
                "The view has not come that far yet. Ask again in a moment.",
                code="view_behind",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )

    async def catch_up(self, views: Collection[str], user_id: str, timeout_seconds: float) -> None:
        """Returns once the views show all that the user's stream has by now, so that who was just told of a write reads
        it; and without that where they do not come so far in time. Whom that happened to, nobody waits for a while:
        a view that stands still can be read as it is. Raises `Unavailable`."""
        rows = await self._queries.fetch(LOOK_AT_HEAD, {"views": list(views), "user": user_id})
        loop = asyncio.get_running_loop()
        for view, position, head in rows:
            if head is None or position >= head or loop.time() < self._stands_until.get(view, 0.0):
                continue
            if not await self._reached(view, int(head), timeout_seconds):
                self._stands_until[view] = loop.time() + STANDING_SECONDS

    async def _reached(self, view: str, target: int, timeout_seconds: float) -> bool:
        """Whether the view came as far as this place in the log, within the time."""
        shown = asyncio.get_running_loop().create_future()
        self._waiting[shown] = (view, target)
        self._start()
        try:
            async with asyncio.timeout(timeout_seconds):
                await shown
        except TimeoutError:
            return False
        finally:
            self._waiting.pop(shown, None)
        return True

    async def aclose(self) -> None:
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    def _start(self) -> None:
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll(), name="view-positions")

    async def _poll(self) -> None:
        while self._waiting:
            # Whoever waits gives up by themselves when Postgres stays away.
            with suppress(Unavailable):
                positions = {view: int(position) for view, position in await self._queries.fetch(POSITIONS)}
                for shown, (view, target) in self._waiting.items():
                    if positions.get(view, -1) >= target and not shown.done():
                        shown.set_result(None)
            await asyncio.sleep(self._poll_seconds)
