"""What a process does that may lead a role: it asks, works while it leads, renews, and stands by while another leads.

Who leads is decided by `leases.py`. Two may believe that they lead, for a moment: their work has to do no harm then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from prometheus_client import Gauge

from domain.errors import Unavailable
from infra.leases import Leaders
from infra.settings import Settings
from infra.together import until_one_ends

RESIGN_SECONDS_MAX = 1.0


class Candidate:
    """One process's part in a role. `leads` is 1 while it leads."""

    def __init__(self, leaders: Leaders, role: str, settings: Settings, *, leads: Gauge) -> None:
        self._leaders = leaders
        self._role = role
        self._leads = leads
        self._lease_seconds = settings.leader_lease_seconds
        self._renew_seconds = settings.leader_renew_seconds

    async def run(
        self,
        lead: Callable[[int], Coroutine[Any, Any, None]],
        *,
        stand_by: Callable[[], None],
        ready: Callable[[], None],
    ) -> None:
        """For ever; cancel it to stop. What `lead` raises ends it: somebody starts the process again.

        `lead` is given the epoch, and goes on until it is cancelled because another took over; then `stand_by` is
        called. `ready` is called once it is known whether this one leads.
        """
        is_ready = False
        while True:
            epoch = await self._ask_to_lead()
            if epoch is not None and not is_ready:
                is_ready = True
                ready()
            if not epoch:
                await asyncio.sleep(self._renew_seconds)
                continue
            self._leads.set(1)
            try:
                await until_one_ends(lead(epoch), self._renew_until_overtaken(epoch))
            finally:
                self._leads.set(0)
                await self._resign()
            stand_by()

    async def _ask_to_lead(self) -> int | None:
        """The epoch, 0 while another leads, None when nobody can tell. Also renews."""
        try:
            return await self._leaders.acquire(self._role, self._lease_seconds) or 0
        except (Unavailable, OSError):
            return None

    async def _renew_until_overtaken(self, epoch: int) -> None:
        """A new epoch of our own counts too: another has led in between."""
        while True:
            await asyncio.sleep(self._renew_seconds)
            # While Postgres is away nobody can tell who leads: there is nothing to do then, for us or for another.
            if await self._ask_to_lead() not in (epoch, None):
                return

    async def _resign(self) -> None:
        """So that another need not wait for our lease to run out; where one leads already, it changes nothing."""
        with suppress(Unavailable, OSError, TimeoutError):
            async with asyncio.timeout(RESIGN_SECONDS_MAX):
                await self._leaders.resign(self._role)
