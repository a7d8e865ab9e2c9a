"""Waiting for a condition. The deadline only ends a test that would never pass; nothing depends on how long it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

GIVE_UP_SECONDS = 60.0


async def until(condition: Callable[[], bool], *, seconds: float = GIVE_UP_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
