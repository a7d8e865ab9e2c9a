"""Rebuilding views, as the command does it, against reading the whole log through a server-side cursor.

The view that the goal is about has one row an event and nothing else; `chat`, which folds, stands beside it.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import psycopg

from benchmarks.figures import Figure
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_database
from domain.event_types import EVENTS
from domain.ports import StoredEvent
from projections.chat import CHAT
from projections.rebuild import Rebuild
from projections.view import Change, Column, Insert, Seen, Table, View
from tests.support.histories import History
from tests.support.views import Silent, user, write_log

EVENTS_A_USER = 100
CURSOR_ROWS = 5_000
TIMES = 3
GOAL = 0.5
READ = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM log0_events ORDER BY notification_id"
)

ENTRIES = Table(
    "bench_entries",
    [Column("version", "bigint")],
    [Column("name", "text"), Column("at_ms", "bigint"), Column("state", "bytea")],
)


def _insert(event: Seen) -> list[Change]:
    return [Insert(ENTRIES, (event.user_id, event.version), (event.name, event.at_ms, event.state))]


INSERT_ONLY = View(
    name="bench_entries",
    version=1,
    tables=(ENTRIES,),
    handlers={name: _insert for name in EVENTS if name != "UserErased"},
)


class Timed(Silent):
    """When each phase of a rebuild began."""

    def __init__(self) -> None:
        self.phases: list[tuple[str, float]] = []

    def phase(self, phase: str, *, events: int = 0) -> None:
        self.phases.append((phase, time.perf_counter()))

    @property
    def shown(self) -> str:
        pairs = zip(self.phases, self.phases[1:], strict=False)
        return ", ".join(f"{name} {later - began:.2f} s" for (name, began), (_, later) in pairs)


def measure(run: Run) -> list[Figure]:
    users = run.count(1_000, 400)
    with fresh_database() as database:
        count = write_log(database.url, _mixed(users))
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute("ANALYZE log0_events")
        run.say(f"a log of {count:,} events")
        reads, rebuilds, chats = [], [], []
        for _ in range(run.count(TIMES, 1)):
            reads.append(_read(database))
            rebuilds.append(_rebuild(database, INSERT_ONLY))
            chats.append(_rebuild(database, CHAT))
        reads.append(_read(database))
    read = sorted(reads)[len(reads) // 2]
    return [_figure(name, count, read, found) for name, found in (("insert-only", rebuilds), ("chat", chats))]


def _figure(name: str, count: int, read: float, found: list[tuple[float, str]]) -> Figure:
    took, phases = sorted(found)[len(found) // 2]
    is_goal = name == "insert-only"
    return Figure(
        name=f"rebuild of the view {name}",
        measured=f"{count / took:,.0f} events/s",
        against=f"server cursor: {count / read:,.0f} events/s",
        ratio=read / took,
        goal=f"≥ {GOAL}×" if is_goal else "–",
        met=read / took >= GOAL if is_goal else None,
        note=f"{count:,} events, median of {len(found)}, by turns; with index, check and swap: {phases}",
    )


def _mixed(users: int) -> Iterator[StoredEvent]:
    """Chats of many users as they come: one user's command, then another's."""
    histories = [History(user(number)) for number in range(users)]
    for history in histories:
        while len(history.facts) < EVENTS_A_USER:
            history.say("What is on my agenda today, and when do I have to leave for the airport?")
            history.answer("You have two things today. Leave by three if you want to be there in time.")
    order = [number for number in range(users) for _ in range(EVENTS_A_USER)]
    random.Random(0).shuffle(order)
    streams = [iter(history.rows) for history in histories]
    return (next(streams[number]) for number in order)


def _read(database: Database) -> float:
    began = time.perf_counter()
    with psycopg.connect(database.url) as connection, connection.cursor("bench", binary=True) as cursor:
        cursor.execute(READ)
        while cursor.fetchmany(CURSOR_ROWS):
            pass
    return time.perf_counter() - began


def _rebuild(database: Database, view: View) -> tuple[float, str]:
    timed = Timed()
    began = time.perf_counter()
    Rebuild(database.settings, view, timed).run()
    return time.perf_counter() - began, timed.shown
