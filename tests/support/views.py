"""Views under test: histories in a real log, the projector as long as a block runs, and rows as they stand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import groupby

import psycopg

from domain.events import Fact
from domain.ports import StoredEvent
from infra import codec
from infra.clock import SystemClock
from infra.event_log import binary_arrays
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.ids import new_id
from infra.leases import PostgresLeaders
from infra.postgres import open_pool
from infra.queries import Queries
from infra.settings import Settings
from projections.builds import ADVANCE, LIVE, Build, applied
from projections.fold import fold
from projections.peek import see
from projections.projector import Projector
from projections.reading import Reader
from projections.rebuild import LOG
from projections.sql import physical
from projections.view import View
from projections.views import VIEWS
from tests.support.histories import History, random_history
from tests.support.patience import PATIENCE

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
    settings = Settings(**{**PATIENCE, "database_url": database_url, **values})
    async with open_pool(settings, "test") as pool, open_event_log(settings, pool) as log:
        yield World(settings, Queries(pool), log)


class Silent:
    """Progress that nobody looks at."""

    def phase(self, phase: str, *, events: int = 0) -> None:
        pass

    def advance(self, events: int, part: float | None = None) -> None:
        pass


def user(number: int) -> str:
    return f"{number % 64:02d}/{number:08d}-0000-4000-8000-000000000000"


def some_histories(count: int, steps: int, seed: int = 0) -> list[History]:
    return [random_history(user(number), steps, random.Random(f"{seed}/{number}")) for number in range(count)]


def commands(histories: Iterable[History], seed: int = 0) -> list[list[StoredEvent]]:
    """What each of their commands led to: each stream in its order, the streams mixed."""
    waiting = [
        [
            [row for _, row in part]
            for _, part in groupby(zip(h.facts, h.rows, strict=True), lambda f: f[0].meta.command_id)
        ]
        for h in histories
    ]
    turns = [number for number, parts in enumerate(waiting) for _ in parts]
    random.Random(seed).shuffle(turns)
    streams = [iter(parts) for parts in waiting]
    return [next(streams[number]) for number in turns]


def shuffled(histories: Iterable[History], seed: int = 0) -> list[StoredEvent]:
    return [event for command in commands(histories, seed) for event in command]


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


def catch_up(database_url: str) -> None:
    """Bring the live views to the end of the log, here and now."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        binary_arrays.accept(connection)
        for name, build, version, position in connection.execute(LIVE).fetchall():
            rows = connection.cursor(binary=True).execute(LOG, (position, 1_000_000)).fetchall()
            if not rows:
                continue
            live = Build(VIEWS[name], build, version, position)
            with connection.transaction(), connection.pipeline():
                connection.execute(ADVANCE, (rows[-1][0], [live.name], position))
                for statement, parameters in applied(live, [see(*row[1:]) for row in rows]):
                    connection.execute(statement, parameters)


class PlainKeyring:
    """Opens the text of histories, as `infra.keys.keyring.Keyring` would."""

    def __init__(self, histories: Iterable[History]) -> None:
        self._keys = {history.user_id: history.keys for history in histories}

    async def reload(self, user_id: str) -> None:
        """They are as they are."""

    async def open_events(self, user_id: str, events: Sequence[StoredEvent]) -> list[Fact]:
        return [codec.open(event, self._keys[user_id]) for event in events]

    def bury(self, user_id: str, key_id: str) -> None:
        self._keys[user_id].destroy(key_id)


def reader_of(world: World, *histories: History) -> Reader:
    return Reader(world.queries, PlainKeyring(histories))  # type: ignore[arg-type]


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
    return {name: sorted(((*key, *row) for key, row in rows.items()), key=repr) for name, rows in tables.rows.items()}


def assert_views_equal_a_fold(database_url: str, events: Sequence[StoredEvent]) -> None:
    for view in VIEWS.values():
        assert live_rows(database_url, view) == folded_rows(view, events), view.name


def start_runner(world: World, owner: str = "", ready: Callable[[], None] = lambda: None) -> asyncio.Task[None]:
    """A runner of the views, in this process; cancel it."""
    leaders = PostgresLeaders(world.queries, owner or new_id())
    projector = Projector(world.log, world.queries, leaders, SystemClock(), world.settings)
    return asyncio.create_task(projector.run(ready))


@asynccontextmanager
async def projecting(world: World) -> AsyncIterator[asyncio.Task[None]]:
    """A runner, until the block ends."""
    task = start_runner(world)
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
            while live_position(database_url, view) < position:
                await asyncio.sleep(0.01)
