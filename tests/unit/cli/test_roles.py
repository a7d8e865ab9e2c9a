"""A role runs until it is told to stop, and says why when it ends before that."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from cli.roles import run_until_told


async def test_it_ends_because_it_was_told_to() -> None:
    stop = asyncio.Event()
    ended: list[str] = []

    async def work() -> None:
        stop.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("work")

    assert await run_until_told(work(), stop)
    assert ended == ["work"]


async def test_a_failure_is_logged_and_is_no_orderly_end() -> None:
    async def work() -> None:
        raise KeyError

    with capture_logs() as lines:
        assert not await run_until_told(work(), asyncio.Event())
    assert [(line["event"], line["log_level"]) for line in lines] == [("role.ended", "error")]
