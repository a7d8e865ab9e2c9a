"""Background work that must not overlap with itself: asked for while it runs, it runs once more afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from domain.errors import Unavailable
from infra.telemetry import get_logger

logger = get_logger("api.live.one_at_a_time")


class OneAtATime:
    """`work` is told by `request` that there may be something to do; a store that is away is tried again later."""

    def __init__(self, work: Callable[[], Awaitable[None]], *, retry_seconds: float = 1.0) -> None:
        self._work = work
        self._retry_seconds = retry_seconds
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self._is_away_told = False

    def request(self) -> None:
        self._wanted = True
        if self._task is None:
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._done)

    async def settle(self) -> None:
        """Returns once nothing is wanted any more."""
        while self._task is not None:
            await asyncio.wait((self._task,))

    async def cancel(self) -> None:
        task = self._task
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while self._wanted:
            self._wanted = False
            try:
                await self._work()
                self._is_away_told = False
            except Unavailable as error:
                if not self._is_away_told:
                    logger.warning("live.store_away", code=error.code)
                self._is_away_told = self._wanted = True
                await asyncio.sleep(self._retry_seconds)
            except Exception:
                # One user's broken work must not be silent, and must not spin.
                logger.exception("live.work_failed")
                return

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._wanted and not task.cancelled():
            self.request()
