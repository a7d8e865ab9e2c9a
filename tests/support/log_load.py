"""A log under fire: writers in several "processes" that conflict and fail, transactions that roll back beside them,
and readers that come and go. Counts what each reader missed, got twice, or got out of order.
"""

from __future__ import annotations

import asyncio
import random
from array import array
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from itertools import pairwise

import psycopg

from domain.ports import Appended, EventLog
from infra.event_log import binary_arrays
from infra.event_log.append_call import APPEND, append_parameters
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.ids import new_user_id
from infra.settings import Settings
from tests.support.stores import an_append, event

STREAMS = 40
LAST = "SessionClosed"


@dataclass(slots=True)
class Totals:
    committed: int = 0
    conflicts: int = 0
    rolled_back: int = 0
    readers: int = 0
    lost: int = 0
    doubled: int = 0
    out_of_order: int = 0


@dataclass(slots=True)
class LogLoad:
    """`events` to commit at least, by `writers` spread over `processes` logs on one database."""

    database_url: str
    dice: random.Random
    events: int
    writers: int
    processes: int
    totals: Totals = field(default_factory=Totals)
    users: list[str] = field(default_factory=lambda: [new_user_id() for _ in range(STREAMS)])
    is_over: bool = False

    async def run(self) -> Totals:
        async with AsyncExitStack() as stack:
            settings = Settings(database_url=self.database_url, database_wait_seconds=60.0)
            logs = [await stack.enter_async_context(open_event_log(settings)) for _ in range(self.processes)]
            # Before the writers begin, or they might be through before the first one is rolled back.
            beside = await stack.enter_async_context(await psycopg.AsyncConnection.connect(self.database_url))
            readers = [asyncio.create_task(self._read(log)) for log in logs]
            fleeting = asyncio.create_task(self._read_in_parts(logs[0]))
            rollbacks = asyncio.create_task(self._roll_back(beside))
            await asyncio.gather(*(self._write(logs[n % len(logs)]) for n in range(self.writers)))
            self.is_over = True
            await rollbacks
            # One more event tells every reader that there is nothing before it that has not come yet.
            await logs[0].append(an_append(new_user_id(), 0, event(name=LAST)))
            stored = await positions_of(logs[0])
            self.totals.committed = len(stored) - 1
            for got in [*await asyncio.gather(*readers), await fleeting]:
                self._compare(got, stored)
        return self.totals

    async def _write(self, log: PostgresEventLog) -> None:
        """Streams are few and writers many: they meet, and one of them loses."""
        while self.totals.committed < self.events:
            user = self.dice.choice(self.users)
            head = await log.head(user)
            if self.dice.random() < 0.1:
                head += self.dice.choice((-1, 1))
            new = [event() for _ in range(self.dice.choice((1, 1, 2, 5)))]
            if isinstance(await log.append(an_append(user, max(head, 0), *new)), Appended):
                self.totals.committed += len(new)
            else:
                self.totals.conflicts += 1

    async def _roll_back(self, connection: psycopg.AsyncConnection) -> None:
        """Positions are taken, and never committed: readers must take the gaps for what they are."""
        binary_arrays.accept(connection)
        while not self.is_over:
            lost = an_append(new_user_id(), 0, event(), event())
            await connection.execute(APPEND, append_parameters([lost]))
            await asyncio.sleep(self.dice.random() / 200)
            await connection.rollback()
            self.totals.rolled_back += 1
            await asyncio.sleep(self.dice.random() / 100)

    async def _read(self, log: EventLog) -> array[int]:
        got = array("q")
        async with aclosing(log.tail(after=0)) as pages:
            async for page in pages:
                got.extend(row.position for row in page)
                if page[-1].name == LAST:
                    break
        return got

    async def _read_in_parts(self, log: EventLog) -> array[int]:
        """A reader that stops after a page or two, and comes back where it was."""
        got = array("q", [0])
        is_at_end = False
        while not is_at_end:
            async with aclosing(log.tail(after=got[-1])) as pages:
                for _ in range(self.dice.randint(1, 2)):
                    page = await anext(pages)
                    got.extend(row.position for row in page)
                    is_at_end = page[-1].name == LAST
                    if is_at_end:
                        break
        return got[1:]

    def _compare(self, got: array[int], stored: array[int]) -> None:
        self.totals.readers += 1
        self.totals.lost += len(set(stored) - set(got))
        self.totals.doubled += len(got) - len(set(got))
        self.totals.out_of_order += sum(later <= earlier for earlier, later in pairwise(got))


async def positions_of(log: EventLog) -> array[int]:
    """Of the whole log, read page by page."""
    found = array("q")
    while page := await log.read_log(after=found[-1] if found else 0):
        found.extend(row.position for row in page)
    return found
