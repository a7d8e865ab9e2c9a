"""A million events under fire: conflicts, refused and rolled-back appends, and readers that must see each event once.

The load is the one of the tests, with larger commands, so that a million does not take an hour.
"""

from __future__ import annotations

import random
import time

from benchmarks.figures import Figure
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_database
from domain.ports import Appended
from infra.event_log.store import PostgresEventLog
from tests.support.log_load import LogLoad, Totals
from tests.support.stores import an_append, event

WRITERS, PROCESSES = 32, 2
EVENTS_A_COMMAND = (1, 2, 20, 100)
SECONDS_MAX = 420.0


class LargeCommands(LogLoad):
    """`LogLoad` with commands of up to 100 events."""

    async def _write(self, log: PostgresEventLog) -> None:
        while self.totals.committed < self.events:
            user = self.dice.choice(self.users)
            head = await log.head(user)
            if self.dice.random() < 0.1:
                head += self.dice.choice((-1, 1))
            new = [event() for _ in range(self.dice.choice(EVENTS_A_COMMAND))]
            if isinstance(await log.append(an_append(user, max(head, 0), *new)), Appended):
                self.totals.committed += len(new)
            else:
                self.totals.conflicts += 1


def measure(run: Run) -> list[Figure]:
    events = run.count(1_000_000, 50_000)
    with fresh_database() as database:
        began = time.monotonic()
        totals = run.wait_for(_load(database, events), seconds=SECONDS_MAX)
        elapsed = time.monotonic() - began
    wrong = totals.lost + totals.doubled + totals.out_of_order
    return [
        Figure(
            name=f"tailing readers, {totals.committed:,} events, random rollbacks",
            measured=f"{totals.lost} lost, {totals.doubled} doubled, {totals.out_of_order} out of order",
            goal="0",
            met=wrong == 0,
            note=f"{totals.readers} readers, {WRITERS} writers on {PROCESSES} connections, {totals.conflicts:,}"
            f" conflicts, {totals.rolled_back:,} rolled back, {elapsed:.0f} s",
        )
    ]


async def _load(database: Database, events: int) -> Totals:
    load = LargeCommands(
        database_url=database.url, dice=random.Random(1), events=events, writers=WRITERS, processes=PROCESSES
    )
    return await load.run()
