"""What runs together ends together, and no failure is lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from infra.together import beside, until_one_ends


class Work:
    """Notes what becomes of it; `raises_when_cancelled` is a clean-up that fails."""

    def __init__(self, *, raises_when_cancelled: Exception | None = None) -> None:
        self.is_running = False
        self.was_cancelled = False
        self._raises = raises_when_cancelled

    async def run(self) -> None:
        self.is_running = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            if self._raises is not None:
                raise self._raises from None
            raise
        finally:
            self.is_running = False


async def returns() -> None:
    await asyncio.sleep(0)


async def fails(failure: Exception) -> None:
    await asyncio.sleep(0)
    raise failure


@pytest.mark.parametrize("first", [returns, lambda: fails(KeyError())])
async def test_the_first_that_ends_ends_the_others(first: Any) -> None:
    one, other = Work(), Work()
    await asyncio.gather(until_one_ends(one.run(), first(), other.run()), return_exceptions=True)
    assert one.was_cancelled
    assert other.was_cancelled


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_a_failure_is_raised_wherever_it_stands(place: int) -> None:
    work: list[Coroutine[Any, Any, None]] = [Work().run(), Work().run()]
    work.insert(place, fails(KeyError()))
    with pytest.raises(KeyError):
        await until_one_ends(*work)


async def test_one_that_fails_when_it_is_cancelled_is_heard_too() -> None:
    with pytest.raises(KeyError):
        await until_one_ends(returns(), Work(raises_when_cancelled=KeyError()).run())


async def test_whoever_is_cancelled_while_it_waits_leaves_nothing_running() -> None:
    one, other = Work(), Work()
    waiting = asyncio.create_task(until_one_ends(one.run(), other.run()))
    while not (one.is_running and other.is_running):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert one.was_cancelled
    assert other.was_cancelled


async def test_what_runs_beside_a_block_ends_with_it() -> None:
    work = Work()
    with pytest.raises(KeyError):
        async with beside(work.run(), "work"):
            while not work.is_running:
                await asyncio.sleep(0)
            raise KeyError
    assert work.was_cancelled


async def test_what_fails_beside_a_block_leaves_it_alone() -> None:
    async with beside(fails(KeyError()), "work"):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
