"""Views under test: histories in a real log, the projector as long as a block runs, and rows as they stand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psycopg

from domain.ports import StoredEvent
from infra.clock import SystemClock
from infra.event_store import PostgresEventLog, open_event_log
from infra.ids import new_id
from infra.leases import PostgresLeaders
from infra.postgres import open_pool
from infra.queries import Queries
from infra.settings import Settings
from projections.fold import fold
from projections.projector import Projector
from projections.sql import physical
from projections.view import View
from projections.views import VIEWS
from tests.support.histories import History, random_history

Content = dict[str, list[tuple[object, ...]]]


@dataclass
class World:
    settings: Settings
    queries: Queries
    log: PostgresEventLog

    @property
    def url(self) -> str:
        return self.settings.database_url


@asynccontextmanager
async def open_world(database_url: str, **values: object) -> AsyncIterator[World]:
    """A log and a pool on a migrated database; nobody keeps the views yet."""
    settings = Settings(database_url=database_url, **values)  # type: ignore[arg-type]
    async with open_pool(settings, "test") as pool, open_event_log(settings, pool) as log:
        yield World(settings, Queries(pool), log)


class Silent:
    """Progress that nobody looks at."""

    def phase(self, phase: str, *, done: int = 0, total: int = 0) -> None:
        pass

    def advance(self, events: int) -> None:
        pass


def user(number: int) -> str:
    return f"{number % 64:02d}/{number:08d}-0000-4000-8000-000000000000"


def some_histories(count: int, steps: int, seed: int = 0) -> list[History]:
    return [random_history(user(number), steps, random.Random(f"{seed}/{number}")) for number in range(count)]


def shuffled(histories: Iterable[History], seed: int = 0) -> list[StoredEvent]:
    """All their events, each stream in its order, the streams mixed."""
    dice = random.Random(seed)
    turns = [number for number, history in enumerate(histories) for _ in history.rows]
    dice.shuffle(turns)
    rows = [iter(history.rows) for history in histories]
    return [next(rows[number]) for number in turns]


def write_log(database_url: str, events: Iterable[StoredEvent]) -> int:
    """Append them as they come, one transaction for all; the last position."""
    with psycopg.connect(database_url) as connection:
        cursor = connection.cursor()
        with cursor.copy("COPY log0_events (originator_id, originator_version, topic, state) FROM STDIN") as copy:
            for event in events:
                copy.write_row((event.user_id, event.version, event.name, event.state))
        connection.execute("NOTIFY log0")
        row = connection.execute("SELECT coalesce(max(notification_id), 0) FROM log0_events").fetchone()
    assert row is not None
    return int(row[0])


def live_position(database_url: str, view: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT position FROM view_positions WHERE view = %s", (view,)).fetchone()
    assert row is not None
    return int(row[0])


def live_rows(database_url: str, view: View) -> Content:
    with psycopg.connect(database_url) as connection:
        return {
            table.name: sorted(connection.execute(f"SELECT * FROM {table.name}").fetchall(), key=repr)
            for table in view.tables
        }


def build_rows(database_url: str, view: View, build: int) -> Content:
    with psycopg.connect(database_url) as connection:
        return {
            table.name: sorted(connection.execute(f"SELECT * FROM {physical(table, build)}").fetchall(), key=repr)
            for table in view.tables
        }


def folded_rows(view: View, events: Sequence[StoredEvent]) -> Content:
    tables = fold(view, events)
    return {
        name: sorted(((*key, *row) for key, row in rows.items()), key=repr) for name, rows in tables.rows.items()
    }


def assert_views_equal_a_fold(database_url: str, events: Sequence[StoredEvent]) -> None:
    for view in VIEWS.values():
        assert live_rows(database_url, view) == folded_rows(view, events), view.name


@asynccontextmanager
async def projecting(world: World) -> AsyncIterator[asyncio.Task[None]]:
    """A runner, until the block ends."""
    leaders = PostgresLeaders(world.queries, new_id())
    projector = Projector(world.log, world.queries, leaders, SystemClock(), world.settings)
    task = asyncio.create_task(projector.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until_views_reach(database_url: str, position: int, views: Iterable[str] = tuple(VIEWS)) -> None:
    """Gives up after a minute, for a test that would never pass."""
    async with asyncio.timeout(60):
        for view in views:
            while live_position(database_url, view) < position:  # noqa: ASYNC110 (the event is another process's)
                await asyncio.sleep(0.01)
