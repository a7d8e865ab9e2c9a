"""What must go, goes: keys of deleted conversations and notes, all of erased users, segments of long ago, spent
tickets and log-in codes, presence of closed sessions. Calls no model and no tool; nothing of the history goes.

Deleting is a fact first; destroying the key comes after, here, and again after a crash: the sweep follows the log from
the position that it noted last, and destroying a destroyed key changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from domain.errors import DomainError
from domain.ports import EventLog, StoredEvent
from infra import codec
from infra.erasure import Erasure
from infra.event_log.tracking import Tracking
from infra.keys.keyring import Keyring
from infra.leftovers import Leftovers
from infra.presence import PostgresPresence
from infra.telemetry import get_logger, hashed
from infra.work import PostgresSegments

TRACKING_NAME = "retention"
FINAL = frozenset({"ConversationDeleted", "NoteDeleted"})
NOTE_POSITION_EVERY = 1_000  # positions: what a restart reads again for nothing
PRUNE_SECONDS = 60.0
ERASED_AGAIN_SECONDS = 7_200.0  # what a process that had not heard of an erasure may still have written
RETRY_SECONDS = 1.0

_logger = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """Any number may run: each of its deeds can be done twice. `segment_seconds` is how long segments are kept."""

    log: EventLog
    keyring: Keyring
    tracking: Tracking
    segments: PostgresSegments
    segment_seconds: float
    erasure: Erasure
    presence: PostgresPresence
    leftovers: Leftovers

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._sweep_for_ever())
            tasks.create_task(self._prune_for_ever())

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self._follow()
            except DomainError as error:
                _logger.warning("retention.sweep_failed", code=error.code)
            except Exception:
                # Left out, it would stay undone for ever: it is tried again until somebody has looked.
                _logger.exception("retention.sweep_broken")
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        noted = await self.tracking.position()
        async with aclosing(self.log.tail(after=noted)) as pages:
            async for page in pages:
                swept = await self.sweep(page)
                if swept or page[-1].position - noted >= NOTE_POSITION_EVERY:
                    noted = page[-1].position
                    await self.tracking.advance(noted)

    async def sweep(self, page: Sequence[StoredEvent]) -> int:
        """Finish what the page's deletions began: keys, erased users, closed sessions; how many there were."""
        deleted = [codec.peek(row).data.key_id for row in page if row.name in FINAL]
        if deleted:
            await self.keyring.destroy(deleted)
            _logger.info("retention.keys_destroyed", count=len(deleted))
        closed = [(row.user_id, codec.peek(row).data.session_id) for row in page if row.name == "SessionClosed"]
        if closed:
            await self.presence.forget(closed)
        erased = [row.user_id for row in page if row.name == "UserErased"]
        for user_id in erased:
            await self._erase(user_id)
        return len(deleted) + len(closed) + len(erased)

    async def _erase(self, user_id: str) -> None:
        rows = await self.erasure.erase(user_id)
        if rows:
            _logger.info("retention.user_erased", user=hashed(user_id), rows=rows)

    async def _prune_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            try:
                await self.prune()
            except DomainError as error:
                _logger.warning("retention.prune_failed", code=error.code)
            except Exception:
                _logger.exception("retention.prune_broken")

    async def prune(self) -> None:
        """What nobody can use any more. Raises `Unavailable`."""
        pruned = await self.segments.prune(older_than_seconds=self.segment_seconds)
        spent = await self.leftovers.prune()
        if pruned or spent:
            _logger.info("retention.pruned", segments=pruned, leftovers=spent)
        for user_id in await self.erasure.recent(seconds=ERASED_AGAIN_SECONDS):
            await self._erase(user_id)
