"""The pool gives no connection to a task that was cancelled, whenever that was, and loses none by it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from infra.postgres import Pool, open_pool
from infra.queries import Queries
from infra.settings import Settings
from tests.support.waiting import eventually

TURNS = 30  # of the event loop; handing a connection over takes about eight


async def test_a_cancellation_in_the_moment_in_which_a_connection_is_handed_over_is_not_lost(
    settings: Settings,
) -> None:
    async with open_pool(replace(settings, database_wait_seconds=60.0), "test", size=1) as pool:
        for turns in range(TURNS):
            held = await pool.getconn()  # which it would not get, had the one before been lost
            task = asyncio.create_task(_use(pool))
            await eventually(lambda: pool.get_stats().get("requests_waiting") == 1, "a task that waits")
            _cancel_after(turns, task)
            await pool.putconn(held)
            await asyncio.wait([task])
            assert task.cancelled() or task.result() == 0, f"cancelled after {turns} turns, and it went on"


async def test_a_statement_may_take_as_long_as_the_setting_says(settings: Settings) -> None:
    """Longer than it may by default."""
    seconds = Settings().database_wait_seconds + 0.5
    async with open_pool(replace(settings, database_wait_seconds=60.0), "test", size=1) as pool:
        assert await Queries(pool).fetch("SELECT 1 FROM pg_sleep(%s)", (seconds,)) == [(1,)]


async def _use(pool: Pool) -> int:
    """How often it was told to end before it had what it waited for."""
    task = asyncio.current_task()
    assert task is not None
    async with pool.connection():
        return task.cancelling()


def _cancel_after(turns: int, task: asyncio.Task[int]) -> None:
    loop = asyncio.get_running_loop()
    if turns:
        loop.call_soon(_cancel_after, turns - 1, task)
    else:
        task.cancel()
