"""Compares a view's rows with a fold of the log, user by user, in one snapshot of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from psycopg import Connection, errors, sql

from projections.builds import Build, StaleBuild
from projections.sql import physical
from projections.streams import Chunk, StreamReader, folded, part_before
from projections.view import Rows, Table, View

DIFFERENCES_KEPT = 20
LIVE_TRIES = 3
_OF_USER = sql.SQL("user_id = %s")
_BETWEEN_USERS = sql.SQL("user_id > %s AND user_id <= %s")
LAST_USER = "\U0010ffff"  # after every id that there can be

LIVE = "SELECT build, version, position FROM view_positions WHERE view = %s"
STREAM = """SELECT originator_id, originator_version, topic, state FROM log0_events
WHERE originator_id = %s AND notification_id <= %s ORDER BY originator_version"""


@dataclass(frozen=True, slots=True)
class Difference:
    """`what`: missing, surplus, or the names of the columns that differ."""

    table: str
    key: tuple[object, ...]
    what: str


@dataclass(slots=True)
class Comparison:
    """What was compared, and the first of the differences; `different` counts them all."""

    view: str
    build: int
    position: int
    events: int = 0
    users: int = 0
    rows: int = 0
    different: int = 0
    differences: list[Difference] = field(default_factory=list)

    def note(self, difference: Difference) -> None:
        self.different += 1
        if len(self.differences) < DIFFERENCES_KEPT:
            self.differences.append(difference)


class Progress(Protocol):
    def phase(self, phase: str, *, events: int = 0) -> None:
        """About as many events are to be read in this phase; 0 where it reads none, or nobody knows."""
        ...

    def advance(self, events: int, part: float | None = None) -> None:
        """So many more were read; `part` of the phase, 0 to 1, is done where that is known better than by them."""
        ...


@contextmanager
def snapshot(connection: Connection[Any]) -> Iterator[None]:
    """One state of the database for all that is read within."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def compare_live(connection: Connection[Any], view: View, progress: Progress) -> Comparison:
    """The live build of a view, all of it, as it is now.

    Raises as `compare`, and `StaleBuild` where there is none that this code could have made.
    """
    tries_left = LIVE_TRIES
    while True:
        tries_left -= 1
        try:
            with snapshot(connection):
                build = _live(connection, view)
                for table in view.tables:
                    # A rebuild that ends meanwhile leaves them to us.
                    name = sql.Identifier(physical(table, build.build))
                    connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(name))
                progress.phase("compare", events=build.position)
                return compare(connection, build, progress)
        except errors.UndefinedTable:
            # One ended between our look and our lock, and there is another build to compare.
            if not tries_left:
                raise


def _live(connection: Connection[Any], view: View) -> Build:
    live = connection.execute(LIVE, (view.name,)).fetchone()
    if live is None:
        raise StaleBuild(f"View {view.name} does not exist yet: migrate the database.")
    build = Build(view, *live)
    if build.version != view.version:
        raise StaleBuild(
            f"The rows of {view.name} are of version {build.version}, this code is at {view.version}:"
            f" run `microcos projections rebuild {view.name}`."
        )
    return build


def compare(connection: Connection[Any], build: Build, progress: Progress) -> Comparison:
    """All users; call it within a `snapshot` that `build.position` was read in.

    Raises `infra.codec.CorruptEvent` for an event that cannot be read.
    """
    comparison = Comparison(build.view.name, build.build, build.position)
    after = ""
    for chunk in folded(build.view, StreamReader(connection, build.view, until=build.position)):
        _compare_chunk(connection, build, comparison, chunk, after)
        after = chunk.last_user
        progress.advance(chunk.events, part_before(after))
    # Rows of users who have no events at all.
    nobody = Chunk(LAST_USER, {table.name: {} for table in build.view.tables}, 0, 0)
    _compare_chunk(connection, build, comparison, nobody, after)
    return comparison


def compare_users(connection: Connection[Any], build: Build, user_ids: Iterable[str]) -> Comparison:
    """As `compare`, of these users alone."""
    comparison = Comparison(build.view.name, build.build, build.position)
    for user_id in user_ids:
        stream = connection.cursor(binary=True).execute(STREAM, (user_id, build.position)).fetchall()
        chunks = folded(build.view, [stream] if stream else [])
        chunk = next(chunks, Chunk(user_id, {table.name: {} for table in build.view.tables}, 0, 0))
        read = partial(_rows, connection, build, condition=_OF_USER, values=(user_id,))
        _compare_rows(comparison, build, chunk, read)
    return comparison


def _compare_chunk(connection: Connection[Any], build: Build, comparison: Comparison, chunk: Chunk, after: str) -> None:
    read = partial(_rows, connection, build, condition=_BETWEEN_USERS, values=(after, chunk.last_user))
    _compare_rows(comparison, build, chunk, read)


def _compare_rows(comparison: Comparison, build: Build, chunk: Chunk, read: Callable[[Table], Rows]) -> None:
    for table in build.view.tables:
        wanted, found = chunk.rows[table.name], read(table)
        comparison.rows += len(wanted)
        if wanted != found:
            _note_differences(comparison, table, wanted, found)
    comparison.users += chunk.users
    comparison.events += chunk.events


def _rows(
    connection: Connection[Any], build: Build, table: Table, *, condition: sql.SQL, values: tuple[str, ...]
) -> Rows:
    statement = sql.SQL("SELECT {} FROM {} WHERE {}").format(
        sql.SQL(", ").join(sql.Identifier(column.name) for column in table.all_columns),
        sql.Identifier(physical(table, build.build)),
        condition,
    )
    width = len(table.key)
    rows = connection.cursor(binary=True).execute(statement, values)
    return {row[:width]: list(row[width:]) for row in rows}


def _note_differences(comparison: Comparison, table: Table, wanted: Rows, found: Rows) -> None:
    for key in sorted(wanted.keys() | found.keys(), key=repr):
        should, is_there = wanted.get(key), found.get(key)
        if should == is_there:
            continue
        if is_there is None:
            what = "missing"
        elif should is None:
            what = "surplus"
        else:
            columns = zip(table.columns, should, is_there, strict=True)
            what = ", ".join(column.name for column, a, b in columns if a != b)
        comparison.note(Difference(table.name, key, what))
