"""Waiting for a condition, of our own or of other processes. A deadline only ends a test that would never pass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

GIVE_UP_SECONDS = 60.0
LOOK_SECONDS = 0.02

T = TypeVar("T")


async def until(condition: Callable[[], bool], *, seconds: float = GIVE_UP_SECONDS) -> None:
    """For what this process brings about, within a moment. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def until_true(ask: Callable[[], Awaitable[bool]], *, seconds: float = GIVE_UP_SECONDS) -> None:
    """For a condition that has to be asked of somebody. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not await ask():
            await asyncio.sleep(LOOK_SECONDS)


async def eventually(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float = GIVE_UP_SECONDS,
    told: Callable[[], str] = lambda: "",
) -> None:
    """Returns once `condition` holds. Raises `AssertionError` with `what` was waited for and what `told` says."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"waited {seconds:.0f} s for {what}. {told()}"
        await asyncio.sleep(LOOK_SECONDS)


async def eventually_true(
    look: Callable[[], Awaitable[T]], what: str, *, seconds: float = GIVE_UP_SECONDS, every_seconds: float = 0.1
) -> T:
    """What `look` gives once it is something. It is asked again after each look."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := await look()):
        assert asyncio.get_running_loop().time() < deadline, f"waited {seconds:.0f} s for {what}; last: {found!r}"
        await asyncio.sleep(every_seconds)
    return found
