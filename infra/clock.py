"""The only module that reads the time of day. Wall time is data, never order; deadlines use `monotonic`."""

from __future__ import annotations

import time

from infra.settings import Settings


class SystemClock:
    """The machine's clock, and beside it the one that users' "today" is read from, which may start elsewhere."""

    def __init__(self, *, user_offset_ms: int = 0) -> None:
        self._user_offset_ms = user_offset_ms

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def user_now_ms(self) -> int:
        return self.now_ms() + self._user_offset_ms

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """Stands still until told to move, so that simulations and tests decide what time it is."""

    def __init__(self, start_ms: int = 1_750_000_000_000) -> None:
        self._now_ms = start_ms
        self._monotonic_seconds = 0.0

    def now_ms(self) -> int:
        return self._now_ms

    def user_now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic_seconds

    def advance(self, seconds: float) -> None:
        self._now_ms += round(seconds * 1000)
        self._monotonic_seconds += seconds

    def step_wall(self, seconds: float) -> None:
        """Move wall time alone, backwards too, as an adjusted machine clock does."""
        self._now_ms += round(seconds * 1000)


def system_clock(settings: Settings) -> SystemClock:
    """MICROCOS_NOW counts from when `dev` started, so that all of its processes agree however late they start."""
    start_ms = settings.now_start_ms()
    if start_ms is None:
        return SystemClock()
    began_ms = settings.now_started_ms or SystemClock().now_ms()
    return SystemClock(user_offset_ms=start_ms - began_ms)
