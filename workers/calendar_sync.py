"""Keeps one user's calendar in step with one that they keep elsewhere: a window that slides with the day, read every
few minutes, the difference appended as one command.

Warm data only: it tells the user nothing, and it can reach neither a model nor a heavy tool. What has gone from the
other calendar is removed here only if all of the window could be read.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from commands.calendar import SyncCalendar, is_in_step
from commands.foreign_events import take
from commands.handle import CommandHandler, Request
from domain import limits
from domain.errors import DomainError
from domain.foreign_calendar import CalendarAway, CalendarPage, CalendarReader
from domain.ports import Clock
from infra.keys.keyring import Keyring, UserKeys
from infra.leases import Leaders
from infra.telemetry import get_logger, hashed

ROLE = "calendar_sync"
DAYS_BEFORE, DAYS_AFTER = 7, 90
LEASE_MARGIN_SECONDS = 60.0  # for a look that takes longer than the one before it
REQUEST = Request(origin="system")

logger = get_logger("workers.calendar_sync")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSync:
    """Any number may run; the one that leads looks. `issuer` and `sub` name the user, who is never made here: there is
    nothing to keep in step before their first request, and nothing after their erasure."""

    reader: CalendarReader
    handler: CommandHandler
    keyring: Keyring
    leaders: Leaders
    clock: Clock
    issuer: str
    sub: str
    every_seconds: float

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._survive()
                await asyncio.sleep(self.every_seconds)
        finally:
            with suppress(DomainError, OSError):
                await self.leaders.resign(ROLE)

    async def _survive(self) -> None:
        """A look that fails is one that comes later, whatever it met."""
        try:
            if await self.leaders.acquire(ROLE, self.every_seconds + LEASE_MARGIN_SECONDS) is not None:
                await self.sync()
        except DomainError as error:
            logger.warning("calendar_sync.refused", code=error.code)
        except CalendarAway as error:
            logger.warning("calendar_sync.away", code=error.code)
        except OSError as error:
            logger.warning("calendar_sync.failed", reason=type(error).__name__)
        except Exception:
            logger.exception("calendar_sync.step_failed")

    async def sync(self) -> bool:
        """One look; whether it changed anything. Raises `CalendarAway` and `DomainError`."""
        user_id = await self.keyring.find_user(self.issuer, self.sub)
        if user_id is None:
            return False
        now_ms = self.clock.user_now_ms()
        from_ms, until_ms = now_ms - DAYS_BEFORE * limits.DAY_MS, now_ms + DAYS_AFTER * limits.DAY_MS
        page = await self.reader.events(from_ms, until_ms)
        brain = await self.handler.states.refresh(user_id)
        command = difference(page, brain.timezone, await self.keyring.load(user_id), from_ms, until_ms)
        if is_in_step(command, brain):
            return False
        handled = await self.handler.handle(user_id, command, REQUEST)
        changed = 0 if handled.outcome is None else len(handled.outcome.facts)
        logger.info("calendar_sync.changed", user=hashed(user_id), events=changed, complete=command.is_complete)
        return changed > 0


def difference(page: CalendarPage, zone: str, keys: UserKeys, from_ms: int, until_ms: int) -> SyncCalendar:
    """What could not be taken is still there: nothing that is known of it is removed."""

    def id_of(uid: str) -> str:
        return f"cal_{keys.ref('calendar.google', uid)}"

    is_whole = len(page.events) <= limits.CALENDAR_IMPORT_MAX
    taken = take(page.events[: limits.CALENDAR_IMPORT_MAX], zone=zone, id_of=id_of)
    return SyncCalendar(
        from_ms=from_ms,
        until_ms=until_ms,
        entries=taken.entries,
        unread=[*map(id_of, page.unread), *(id_of(one.uid) for one in taken.skipped)],
        is_complete=page.is_complete and is_whole,
    )
