"""Builds a view anew beside the live one, while commands and queries go on, and puts it in its place.

Loaded in bulk up to the head that it began at, indexed, brought up to date from the log, checked, swapped in one
transaction under the live build's tracking row, never backwards. A crash at any point leaves the old one serving;
the next call goes on where this one was.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg import Connection, sql

from infra import failpoints
from infra.event_log import binary_arrays
from infra.pipelines import FlushingConnection
from infra.postgres import conninfo
from infra.settings import Settings
from projections.builds import ADVANCE, SESSION, Build, StaleBuild, applied
from projections.load import load
from projections.peek import see
from projections.sql import analyze, build_name, create_indexes, create_tables, drop_tables, show_build
from projections.streams import Chunk, StreamReader, part_before
from projections.verify import Comparison, Progress, compare_users, snapshot
from projections.view import View

FOLLOW_PAGE_EVENTS = 5_000
SWAP_EVENTS_MAX = 500  # what may be left to read while the live build stands still
SWAP_LOCK_MS = 200  # how long queries may have to wait for the swap, which waits for queries under way
SWAP_TRIES = 50
CHECKED_USERS = 50

# The log is read in the order of its key. New tables are looked at roughly at first; autovacuum looks closer later.
BULK = """SELECT set_config(name, value, false) FROM (VALUES
    ('enable_sort', 'off'), ('maintenance_work_mem', '256MB'), ('default_statistics_target', '10')
) AS settings (name, value)"""

BEGIN = """INSERT INTO view_builds (view, build, version, status, loaded_until)
SELECT %(view)s, coalesce(max(build), 0) + 1, %(version)s, 'building',
    (SELECT coalesce(max(notification_id), 0) FROM log0_events)
FROM view_builds WHERE view = %(view)s
RETURNING build, version, loaded_until, loaded_user"""
BUILDING = """SELECT build, version, loaded_until, loaded_user FROM view_builds
WHERE view = %s AND status = 'building'"""
RETIRED = "SELECT build FROM view_builds WHERE view = %s AND status = 'retired'"
POSITION = "SELECT notification_id FROM log0_tracking WHERE application_name = %s"
TRACK = "INSERT INTO log0_tracking (application_name, notification_id) VALUES (%s, %s) ON CONFLICT DO NOTHING"
UNTRACK = "DELETE FROM log0_tracking WHERE application_name = %s"
LOG = """SELECT notification_id, originator_id, originator_version, topic, state FROM log0_events
WHERE notification_id > %s ORDER BY notification_id LIMIT %s"""
LIVE_LOCKED = """SELECT b.build, t.notification_id FROM view_builds b
JOIN log0_tracking t ON t.application_name = b.view || '_b' || b.build
WHERE b.view = %s AND b.status = 'live' FOR UPDATE OF b, t"""
RETIRE = "UPDATE view_builds SET status = 'retired' WHERE view = %s AND build = %s"
ADOPT = "UPDATE view_builds SET status = 'live' WHERE view = %s AND build = %s AND status = 'building'"
FORGET = "DELETE FROM view_builds WHERE view = %s AND build = %s AND status <> 'live'"
# Some from all over, and those whose streams moved last.
SOME_USERS = """(SELECT DISTINCT originator_id FROM log0_events TABLESAMPLE SYSTEM (1) LIMIT %(half)s)
UNION (SELECT originator_id FROM log0_events ORDER BY notification_id DESC LIMIT %(half)s)"""


class RebuildFailed(Exception):
    """The new build is not what a fold of the log is. It was dropped; the old one serves on."""

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(f"{comparison.different} rows of {comparison.view} differ from a fold of the log")
        self.comparison = comparison


class Rebuild:
    """One rebuild of one view; `run` blocks until it is live."""

    def __init__(self, settings: Settings, view: View, progress: Progress) -> None:
        self._settings = settings
        self._view = view
        self._progress = progress

    def run(self) -> Build:
        """The build that is live now. Raises `StaleBuild` when somebody else rebuilds this view, `RebuildFailed`,
        `infra.codec.CorruptEvent`, and `psycopg.Error` when Postgres is away."""
        with self._connect() as connection:
            self._drop_retired(connection)
            build, until, user = self._begin(connection)
            position = _position(connection, build)
            if position is None:
                self._load(connection, build, until, user)
                self._index(connection, build)
                connection.execute(TRACK, (build.name, until))
                position = until
            build = self._follow(connection, Build(self._view, build.build, build.version, position))
            self._check(connection, build)
            build = self._swap(connection, build)
            self._drop_retired(connection)
        self._progress.phase("done")
        return build

    @contextmanager
    def _connect(self) -> Iterator[Connection[Any]]:
        text = conninfo(self._settings, "rebuild", statement_timeout_seconds=0)
        with FlushingConnection.connect(text, autocommit=True) as connection:
            binary_arrays.accept(connection)
            connection.execute(SESSION)
            connection.execute(BULK)
            yield connection

    def _begin(self, connection: Connection[Any]) -> tuple[Build, int, str]:
        """The build to go on with, or a new one: with the position that it is loaded up to, and the last user in."""
        row = connection.execute(BUILDING, (self._view.name,)).fetchone()
        if row is not None and row[1] != self._view.version:
            # What other code began cannot be gone on with.
            self._drop(connection, int(row[0]))
            row = None
        if row is None:
            try:
                with connection.transaction():
                    values = {"view": self._view.name, "version": self._view.version}
                    row = connection.execute(BEGIN, values).fetchone()
                    assert row is not None
                    for statement in create_tables(self._view, int(row[0])):
                        connection.execute(statement)
            except psycopg.errors.UniqueViolation as error:
                raise StaleBuild(f"{self._view.name} is being rebuilt by somebody else") from error
        build, version, until, user = row
        failpoints.reach_now("rebuild.begun")
        return Build(self._view, int(build), int(version), 0), int(until), str(user)

    def _load(self, connection: Connection[Any], build: Build, until: int, user: str) -> None:
        self._progress.phase("load", events=until)
        self._progress.advance(0, part_before(user))
        with self._connect() as reading:
            reader = StreamReader(reading, self._view, until=until, after_user=user)
            load(build, reader, connection, user, self._loaded)

    def _loaded(self, chunk: Chunk) -> None:
        failpoints.reach_now("rebuild.loaded")
        self._progress.advance(chunk.events, part_before(chunk.last_user))

    def _index(self, connection: Connection[Any], build: Build) -> None:
        self._progress.phase("index")
        for statement in (*create_indexes(self._view, build.build), *analyze(self._view, build.build)):
            connection.execute(statement)
            failpoints.reach_now("rebuild.indexed")

    def _follow(self, connection: Connection[Any], build: Build) -> Build:
        """Up to where little is left."""
        head = connection.execute("SELECT coalesce(max(notification_id), 0) FROM log0_events").fetchone()
        assert head is not None
        self._progress.phase("follow", events=int(head[0]) - build.position)
        while True:
            with connection.transaction():
                build, count = self._apply_page(connection, build)
            failpoints.reach_now("rebuild.followed")
            self._progress.advance(count)
            if count <= SWAP_EVENTS_MAX:
                return build

    def _apply_page(self, connection: Connection[Any], build: Build) -> tuple[Build, int]:
        rows = connection.cursor(binary=True).execute(LOG, (build.position, FOLLOW_PAGE_EVENTS)).fetchall()
        if not rows:
            return build, 0
        to = rows[-1][0]
        advanced = connection.execute(ADVANCE, (to, [build.name], build.position))
        if advanced.rowcount != 1:
            raise StaleBuild(f"{build.name} is being filled by somebody else")
        with connection.pipeline():
            for statement, parameters in applied(build, [see(*row[1:]) for row in rows]):
                connection.execute(statement, parameters)
        return Build(build.view, build.build, build.version, to), len(rows)

    def _check(self, connection: Connection[Any], build: Build) -> None:
        self._progress.phase("check")
        users = [row[0] for row in connection.execute(SOME_USERS, {"half": CHECKED_USERS // 2})]
        with snapshot(connection):
            comparison = compare_users(connection, build, users)
        if comparison.different:
            self._drop(connection, build.build)
            raise RebuildFailed(comparison)

    def _swap(self, connection: Connection[Any], build: Build) -> Build:
        self._progress.phase("swap")
        for _ in range(SWAP_TRIES):
            try:
                with connection.transaction():
                    build, is_live = self._try_to_swap(connection, build)
                if is_live:
                    failpoints.reach_now("rebuild.swapped")
                    return build
            except psycopg.errors.LockNotAvailable:
                # Queries were under way; those that came since are let through first.
                time.sleep(SWAP_LOCK_MS / 1000)
            build = self._follow(connection, build)
        raise StaleBuild(f"{self._view.name} is never quiet enough to be swapped")

    def _try_to_swap(self, connection: Connection[Any], build: Build) -> tuple[Build, bool]:
        """The build as it is then, and whether it is live: not when there was too much left to read."""
        connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(SWAP_LOCK_MS)))
        live = connection.execute(LIVE_LOCKED, (self._view.name,)).fetchone()
        if live is not None:
            old, position = int(live[0]), int(live[1])
            if build.position < position:
                build, _ = self._apply_page(connection, build)
            if build.position < position:
                return build, False
            connection.execute(RETIRE, (self._view.name, old))
            connection.execute(UNTRACK, (build_name(self._view, old),))
        if connection.execute(ADOPT, (self._view.name, build.build)).rowcount != 1:
            raise StaleBuild(f"{build.name} was dropped by somebody else")
        for statement in show_build(self._view, build.build):
            connection.execute(statement)
        return build, True

    def _drop_retired(self, connection: Connection[Any]) -> None:
        for (build,) in connection.execute(RETIRED, (self._view.name,)).fetchall():
            # Somebody may be reading it still, such as `verify`; then the next rebuild drops it.
            with suppress(psycopg.errors.LockNotAvailable):
                self._drop(connection, int(build))

    def _drop(self, connection: Connection[Any], build: int) -> None:
        with connection.transaction():
            for statement in drop_tables(self._view, build):
                connection.execute(statement)
            connection.execute(UNTRACK, (build_name(self._view, build),))
            connection.execute(FORGET, (self._view.name, build))


def _position(connection: Connection[Any], build: Build) -> int | None:
    """How far it has read the log, None while it is being loaded."""
    row = connection.execute(POSITION, (build.name,)).fetchone()
    return None if row is None else int(row[0])
