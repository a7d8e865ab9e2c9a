"""The log is the outbox: one leader publishes every event to NATS, in order, for other services.

It trusts no stored position: where the stream ends is asked of the stream itself, at start, after any failure and at
each new connection, and every message is stored only if the stream still ends just before it. So a wiped store, one
set back to an older copy, lost acknowledgements and two leaders are one case. Opens nothing and needs no key.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from itertools import islice
from typing import Protocol

from domain.errors import Unavailable
from domain.ports import Clock, StoredEvent
from infra import codec
from infra.ids import jitter
from infra.leadership import Candidate
from infra.leases import Leaders
from infra.nats.fact_stream import FactMessage, FactStream, PublishFailed, StreamEnd, fact_message
from infra.settings import Settings
from infra.telemetry import counter, gauge, get_logger
from infra.together import until_one_ends

logger = get_logger("workers.relay")

ROLE = "relay"
CHUNK_EVENTS = 500  # prepared at once: a few milliseconds of the event loop
RETRY_SECONDS = 0.5
END_CHECK_SECONDS = 5.0  # a stream that loses messages under a living connection is noticed by this

PUBLISHED = counter("microcos_relay_published_total", "Events that this process published to NATS.")
POSITION = gauge("microcos_relay_position", "Place in the log of the last event that NATS has from this process.")
LEADS = gauge("microcos_relay_leads", "1 while this process is the one that publishes.")


class OutboxLog(Protocol):
    """What the relay needs of an event log."""

    async def last_position(self) -> int: ...
    async def generation(self) -> str: ...
    def tail(self, *, after: int | None = None) -> AsyncGenerator[list[StoredEvent], None]: ...


class Relay:
    """Any number may run; one leads. Two that both believe to lead do no harm."""

    def __init__(
        self, log: OutboxLog, facts: FactStream, leaders: Leaders, clock: Clock, settings: Settings, *, name: str = "0"
    ) -> None:
        self._log = log
        self._facts = facts
        self._candidate = Candidate(leaders, ROLE, settings, leads=LEADS)
        self._clock = clock
        self._settings = settings
        self._name = name
        self._sequence = 0  # of the last message that the stream is known to hold
        self._with_ids = True
        self._trouble: str | None = None
        self._has_begun = False  # before that NATS is no trouble: it is not connected yet, and its link warns of more

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """For ever; cancel it to stop. `ready` is called once it is known whether this one leads."""
        await self._candidate.run(self._lead, stand_by=self._stand_by, ready=ready)

    def _stand_by(self) -> None:
        logger.info("relay.stands_by")

    # --- publishing -------------------------------------------------------------------------------------------

    async def _lead(self, epoch: int) -> None:
        logger.info("relay.leads", epoch=epoch)
        while True:
            try:
                await self._publish_from_the_end()
            except PublishFailed as failure:
                # Ids that the server remembers from messages which it holds no more would never be stored again.
                # Without ids the condition on the stream's end alone keeps doubles out.
                self._with_ids = failure.code != "remembered"
                self._note_trouble(failure.code, str(failure))
                if failure.code in ("moved", "remembered"):
                    continue
            except (Unavailable, OSError) as failure:
                self._note_trouble("unavailable", type(failure).__name__)
            await asyncio.sleep(jitter(RETRY_SECONDS))

    async def _publish_from_the_end(self) -> None:
        """Returns when the connection was lost; raises when anything else makes the end of the stream doubtful."""
        end = await self._facts.end()
        self._has_begun = True
        generation = await self._log.generation()
        after = await self._place(end, generation)
        self._sequence = end.sequence
        # An empty stream gets what it would have kept.
        oldest_ms = self._clock.now_ms() - self._settings.event_retention_seconds * 1000 if after == 0 else 0
        if self._trouble is None:
            logger.info("relay.publishing", position=after, sequence=end.sequence, generation=generation)
        await until_one_ends(
            self._publish_after(after, generation, oldest_ms), self._check_end(), self._facts.interrupted()
        )

    async def _place(self, end: StreamEnd, generation: str) -> int:
        """The position to go on after: 0 for an empty stream, or one that was filled from another life of the log."""
        if end.position is None or end.generation != generation:
            return 0
        last = await self._log.last_position()
        if end.position > last:
            raise PublishFailed("ahead", f"the stream has position {end.position}, the log ends at {last}")
        return end.position

    async def _publish_after(self, after: int, generation: str, oldest_ms: int) -> None:
        async with aclosing(self._log.tail(after=after)) as pages:
            async for page in pages:
                messages = self._messages(page, generation, oldest_ms)
                while chunk := list(islice(messages, CHUNK_EVENTS)):
                    await self._facts.publish(chunk, after=self._sequence, with_ids=self._with_ids)
                    self._sequence += len(chunk)
                    PUBLISHED.inc(len(chunk))
                POSITION.set(page[-1].position)
                self._note_success()

    def _messages(self, page: list[StoredEvent], generation: str, oldest_ms: int) -> Iterator[FactMessage]:
        for event in page:
            clear = codec.peek(event)
            if clear.at_ms >= oldest_ms:
                yield fact_message(event, clear, log=self._name, generation=generation)

    async def _check_end(self) -> None:
        while True:
            await asyncio.sleep(END_CHECK_SECONDS)
            known = self._sequence
            end = await self._facts.end()
            if end.sequence < known:
                raise PublishFailed("moved", f"the stream ends at {end.sequence}, it had {known}")

    # --- telling ----------------------------------------------------------------------------------------------

    def _note_trouble(self, code: str, reason: str) -> None:
        """One line for each new trouble, not one for each try."""
        if code != self._trouble:
            self._trouble = code
            is_starting = code == "away" and not self._has_begun
            tell = logger.info if is_starting else logger.warning
            tell("relay.waits" if is_starting else "relay.interrupted", code=code, reason=reason)

    def _note_success(self) -> None:
        if self._trouble is not None:
            self._trouble = None
            logger.info("relay.recovered")
