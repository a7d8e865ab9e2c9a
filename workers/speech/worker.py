"""Recordings that wait for their transcript and answers that wait to be spoken: who has which in hand.

They are found in a view each second and claimed by a lease, which is renewed while one works and runs out when a
worker dies; the next to find it sees which attempt that is. Knows nothing about what is done with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from domain.errors import DomainError, Unavailable
from infra.audio_store import audio_id
from infra.ids import jitter
from infra.speech_leases import SpeechLeases
from infra.telemetry import get_logger, hashed
from projections.voice_queries import Waiting

AT_ONCE_MAX = 4  # a machine's own engine takes one after another anyway, and each may hold 25 MiB
FAILED_SECONDS = 5.0
DONE_SECONDS = 600.0  # the view lags a little behind: what is done must not be found in it and be done again

logger = get_logger("workers.speech.worker")


class Kind(Protocol):
    async def waiting(self, limit: int) -> list[Waiting]:
        """What nobody has in hand. Raises `Unavailable`."""
        ...

    async def work(self, one: Waiting, attempt: int) -> float | None:
        """None when nothing is left to do; else in how many seconds somebody is to try again."""
        ...


class SpeechWorker:
    """Any number may run, each under an owner's name of its own in `leases`."""

    def __init__(
        self, kinds: Sequence[Kind], leases: SpeechLeases, *, poll_seconds: float, renew_seconds: float
    ) -> None:
        self._kinds = kinds
        self._leases = leases
        self._poll_seconds = poll_seconds
        self._renew_seconds = renew_seconds
        self._running: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until cancelled; what is in hand then is given back, and is no failed attempt."""
        renewing = asyncio.create_task(self._renew_for_ever(), name="speech leases")
        try:
            while True:
                try:
                    await self.look()
                except DomainError as error:
                    logger.warning("speech.look_failed", code=error.code)
                except Exception:
                    logger.exception("speech.look_failed")
                # Workers that started together shall not look together.
                await asyncio.sleep(jitter(self._poll_seconds))
        finally:
            renewing.cancel()
            await self._give_back()

    async def look(self) -> None:
        """Take what waits, as far as there are places. Raises `Unavailable`."""
        for kind in self._kinds:
            free = AT_ONCE_MAX - len(self._running)
            if free <= 0:
                return
            for one in await kind.waiting(free):
                audio = audio_id(one.id)
                attempt = None if audio in self._running else await self._leases.claim(audio)
                if attempt is not None:
                    task = asyncio.create_task(self._work(kind, one, audio, attempt), name="speech")
                    self._running[audio] = task

    async def idle(self) -> None:
        """Until nothing is in hand."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def renew(self) -> None:
        """All leases in one statement; whoever lost theirs lets go. Raises `Unavailable`."""
        asked = dict(self._running)
        if not asked:
            return
        kept = await self._leases.renew(list(asked))
        for audio, task in asked.items():
            if audio not in kept and self._running.get(audio) is task:
                logger.warning("speech.lease_lost")
                task.cancel()

    async def _work(self, kind: Kind, one: Waiting, audio: str, attempt: int) -> None:
        again_seconds: float | None = FAILED_SECONDS
        is_counted = True
        try:
            again_seconds = await kind.work(one, attempt)
        except Unavailable as error:
            logger.warning("speech.store_away", code=error.code)
            is_counted = False
        except Exception as error:
            logger.error("speech.failed", user=hashed(one.user_id), attempt=attempt, exc_info=error)
        finally:
            del self._running[audio]
        # Where this fails, the lease runs out and somebody looks again.
        with suppress(Unavailable):
            seconds = DONE_SECONDS if again_seconds is None else again_seconds
            await self._leases.let_go(audio, seconds=seconds, is_counted=is_counted)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._renew_seconds)
            try:
                await self.renew()
            except DomainError as error:
                logger.warning("speech.renew_failed", code=error.code)
            except Exception:
                logger.exception("speech.renew_failed")

    async def _give_back(self) -> None:
        left = dict(self._running)
        for task in left.values():
            task.cancel()
        await asyncio.gather(*left.values(), return_exceptions=True)
        for audio in left:
            with suppress(Unavailable):
                await self._leases.let_go(audio, is_counted=False)
