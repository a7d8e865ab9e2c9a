"""What every reply of a worker process works with, how its work is interrupted, and how its commands are sent.

Owns the rule that a command is sent until its outcome is known, and that nothing is cut off while one is under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from commands.decide import Command
from commands.handle import CommandHandler, Handled, Request
from domain.brain import Brain
from domain.errors import Conflict, Unavailable
from domain.events import Fact
from domain.ports import Bus, Clock, EventLog, LanguageModel, Segments
from domain.travel import FlightQuery, Offer
from domain.values import Origin
from infra import failpoints
from infra.ids import jitter
from infra.keys.keyring import Keyring
from infra.settings import Settings
from infra.telemetry import get_logger
from workers.token_stream import TokenPublisher

logger = get_logger("workers.desk")

AGAIN_SECONDS_MIN = 0.05
AGAIN_SECONDS_MAX = 1.0


class FlightFinder(Protocol):
    """What a desk knows of the search for flights: see workers/tools/flights.py, which desks must not reach."""

    async def search(self, query: FlightQuery) -> list[Offer]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`owner` is this process's name in leases, unlike any other's."""

    log: EventLog
    keyring: Keyring
    handler: CommandHandler
    tokens: TokenPublisher
    segments: Segments
    bus: Bus
    model: LanguageModel
    flights: FlightFinder
    clock: Clock
    settings: Settings
    owner: str


class Stopped(Exception):
    """The user asked for it: end the reply with what was published."""


class Lost(Exception):
    """The reply is no longer ours, or was ended by somebody else: drop it and publish nothing more."""


class Interruption:
    """Asks a running reply to stop or to let go. It does so only where nothing can be left half done."""

    def __init__(self) -> None:
        self.is_stop_asked = False
        self.is_lost = False
        self._scope: asyncio.Timeout | None = None

    def stop(self) -> None:
        self.is_stop_asked = True
        self._wake()

    def lose(self) -> None:
        self.is_lost = True
        self._wake()

    def check(self) -> None:
        """Raises `Lost` or `Stopped` where that was asked for."""
        if self.is_lost:
            raise Lost
        if self.is_stop_asked:
            raise Stopped

    @asynccontextmanager
    async def possible(self, seconds_max: float | None = None) -> AsyncIterator[None]:
        """The block ends at once with `Lost` or `Stopped` when asked; with `TimeoutError` when it takes too long."""
        self.check()
        try:
            async with asyncio.timeout(seconds_max) as self._scope:
                yield
        except TimeoutError:
            self.check()
            raise
        finally:
            self._scope = None

    def _wake(self) -> None:
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """The state after a command. `facts` is None where an earlier sending of it was what counted."""

    brain: Brain
    version: int
    facts: tuple[Fact, ...] | None


async def commit(
    desk: Desk,
    user_id: str,
    command: Command,
    *,
    key: str,
    message_id: str,
    causation_id: str | None = None,
    origin: Origin = "assistant",
    interruption: Interruption,
    tries_max: int | None = None,
) -> Committed:
    """Send `command` until its outcome is known, for as long as the reply is ours.

    `key` names the command among all that workers send, so that sending it again is harmless. Raises `Lost`,
    `Unavailable` after `tries_max` tries, or the command's own refusal.
    """
    request = Request(
        # No client can send a key with this first character.
        key=f"\0worker:{key}",
        causation_id=causation_id or message_id,
        correlation_id=message_id,
        origin=origin,
    )
    wait_seconds, tries = AGAIN_SECONDS_MIN, 0
    while True:
        try:
            await failpoints.reach("worker.commit.before")
            handled = await desk.handler.handle(user_id, command, request)
            await failpoints.reach("worker.commit.after")
            return await _committed(desk, user_id, handled)
        except (Unavailable, Conflict, OSError) as error:
            tries += 1
            is_refusal = isinstance(error, Conflict) and error.code != "request_running"
            if is_refusal or tries == tries_max:
                raise
            logger.warning("command.outcome_unknown", command=type(command).__name__, count=tries)
        if interruption.is_lost:
            raise Lost
        await asyncio.sleep(jitter(wait_seconds))
        wait_seconds = min(wait_seconds * 2, AGAIN_SECONDS_MAX)


async def _committed(desk: Desk, user_id: str, handled: Handled) -> Committed:
    if handled.outcome is None:
        brain = await desk.handler.states.refresh(user_id)
        return Committed(brain=brain, version=brain.version, facts=None)
    after = handled.outcome.after
    return Committed(brain=after, version=after.version, facts=handled.outcome.facts)
