"""Audio that nobody needs any more, whoever left it: of recordings that have ended or were never accepted, of answers
that cannot be heard any more. Calls no model and no tool.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from domain.errors import DomainError
from domain.ports import Clock, EventLog
from infra.audio_store import AUDIO_AGE_SECONDS_MAX, AudioStore
from infra.ids import jitter
from infra.queries import Queries
from infra.speech_leases import SpeechLeases
from infra.telemetry import get_logger
from projections.voice_queries import fetch_needed, fetch_position

SWEEP_SECONDS = 30.0
# What is younger may belong to a recording that is just being accepted.
AGE_SECONDS_MIN = 60.0
LEASES_KEPT_SECONDS = 2.0 * AUDIO_AGE_SECONDS_MAX
VIEW_LOOKS_MAX = 50
VIEW_LOOK_SECONDS = 0.1

logger = get_logger("workers.speech.audio_sweep")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioSweep:
    """Any number may run: what is gone is gone."""

    queries: Queries
    log: EventLog
    store: AudioStore
    leases: SpeechLeases
    clock: Clock
    age_seconds_min: float = AGE_SECONDS_MIN

    async def run(self) -> None:
        """At once and every half minute, until cancelled."""
        while True:
            try:
                swept = await self.sweep()
                await self.leases.prune(older_than_seconds=LEASES_KEPT_SECONDS)
            except (DomainError, OSError) as error:
                logger.warning("audio_sweep.failed", reason=type(error).__name__)
            except Exception:
                logger.exception("audio_sweep.failed")
            else:
                if swept:
                    logger.info("audio_sweep.swept", count=swept)
            await asyncio.sleep(jitter(SWEEP_SECONDS))

    async def sweep(self) -> int:
        """How many went. Raises `Unavailable` and `OSError`."""
        # Nothing outlives its hour, whatever a view says, and however long that is behind.
        swept = await asyncio.to_thread(self.store.sweep)
        found = await asyncio.to_thread(lambda: self.store.job_ids(age_seconds_min=self.age_seconds_min))
        if not found or not await self._has_seen(await self.log.last_position()):
            return swept
        now_ms = self.clock.now_ms()
        since_ms = now_ms - AUDIO_AGE_SECONDS_MAX * 1000
        needed = await fetch_needed(self.queries, found, now_ms=now_ms, since_ms=since_ms)
        for audio in found:
            if audio not in needed:
                await asyncio.to_thread(self.store.delete, audio)
                swept += 1
        return swept

    async def _has_seen(self, position: int) -> bool:
        """Whether the view has come so far, or does so in a moment: it knows then of all that was accepted."""
        for _ in range(VIEW_LOOKS_MAX):
            if await fetch_position(self.queries) >= position:
                return True
            await asyncio.sleep(VIEW_LOOK_SECONDS)
        return False
