"""What must go, goes: keys of deleted conversations and notes, segments of ended replies. Calls no model and no tool.

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
from infra.keys import Keyring
from infra.telemetry import get_logger
from infra.tracking import Tracking
from infra.work import PostgresSegments

TRACKING_NAME = "retention"
FINAL = frozenset({"ConversationDeleted", "NoteDeleted"})
NOTE_POSITION_EVERY = 1_000  # positions: what a restart reads again for nothing
PRUNE_SECONDS = 60.0
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
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        noted = await self.tracking.position()
        async with aclosing(self.log.tail(after=noted)) as pages:
            async for page in pages:
                destroyed = await self.sweep(page)
                if destroyed or page[-1].position - noted >= NOTE_POSITION_EVERY:
                    noted = page[-1].position
                    await self.tracking.advance(noted)

    async def sweep(self, page: Sequence[StoredEvent]) -> int:
        """Destroy the keys that the page's deletions name; how many."""
        key_ids = [codec.peek(row).data.key_id for row in page if row.name in FINAL]
        if key_ids:
            await self.keyring.destroy(key_ids)
            _logger.info("retention.keys_destroyed", count=len(key_ids))
        return len(key_ids)

    async def _prune_for_ever(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_SECONDS)
            try:
                pruned = await self.segments.prune(older_than_seconds=self.segment_seconds)
            except DomainError as error:
                _logger.warning("retention.prune_failed", code=error.code)
            else:
                if pruned:
                    _logger.info("retention.segments_pruned", count=pruned)
