"""Waiting for a condition. The deadline only ends a test that would never pass; nothing depends on its length."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

GIVE_UP_SECONDS = 60.0


async def until(condition: Callable[[], bool], *, seconds: float = GIVE_UP_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


async def until_true(ask: Callable[[], Awaitable[bool]], *, seconds: float = GIVE_UP_SECONDS) -> None:
    """For a condition that has to be asked of somebody."""
    async with asyncio.timeout(seconds):
        while not await ask():
            await asyncio.sleep(0.02)
