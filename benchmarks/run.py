"""What every benchmark is given: how much to do, and where to say how it goes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """`quick`: an idea of the figure in a few seconds; it supports no claim."""

    quick: bool = False

    def count(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def say(self, text: str) -> None:
        print(f"    … {text}", flush=True)

    def wait_for(self, work: Coroutine[Any, Any, T], *, seconds: float) -> T:
        """Run it in an event loop of its own. Raises `TimeoutError` when it takes longer."""

        async def bounded() -> T:
            async with asyncio.timeout(seconds):
                return await work

        return uvloop.run(bounded())
