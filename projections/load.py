"""The bulk load of a build: the streams of all users, folded and copied in, with the next page read meanwhile.

Goes on where it was when it is started again: each chunk commits with the last user that it holds.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from psycopg import Connection, sql

from projections.builds import Build, StaleBuild
from projections.sql import physical
from projections.streams import Chunk, StreamReader, StreamRow, folded
from projections.view import ColumnType

COPY_TYPES: dict[ColumnType, str] = {"text": "text", "bigint": "int8", "boolean": "bool", "bytea": "bytea"}

LOADED = """UPDATE view_builds SET loaded_user = %s
WHERE view = %s AND build = %s AND status = 'building' AND loaded_user = %s"""


def load(
    build: Build,
    reader: StreamReader,
    connection: Connection[Any],
    after_user: str,
    tell: Callable[[Chunk], None],
) -> None:
    """Copy in all rows of users after `after_user`; `tell` gets each chunk when it is on its way.

    Raises `StaleBuild` when somebody else loads the same build, `infra.codec.CorruptEvent` for an unreadable event.
    """
    with _without_garbage_collection(), ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
        written: Future[None] | None = None
        before = after_user
        for chunk in folded(build.view, _ahead(reading, reader.next_page)):
            if written is not None:
                written.result()
            written = writing.submit(_write, connection, build, chunk, before)
            before = chunk.last_user
            tell(chunk)
        if written is not None:
            written.result()


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Rows are in no cycles, and there are so many of them that looking for some would double the time of a fold."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _ahead(reading: ThreadPoolExecutor, next_page: Callable[[], list[StreamRow]]) -> Iterator[list[StreamRow]]:
    """Pages, the next one being read while one is used."""
    coming = reading.submit(next_page)
    while page := coming.result():
        coming = reading.submit(next_page)
        yield page


def _write(connection: Connection[Any], build: Build, chunk: Chunk, before: str) -> None:
    with connection.transaction():
        moved = connection.execute(LOADED, (chunk.last_user, build.view.name, build.build, before))
        if moved.rowcount != 1:
            raise StaleBuild(f"{build.name} is being loaded by somebody else")
        for table in build.view.tables:
            rows = chunk.rows[table.name]
            if not rows:
                continue
            copy_in = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(physical(table, build.build)))
            with connection.cursor().copy(copy_in) as copy:
                copy.set_types([COPY_TYPES[column.type] for column in table.all_columns])
                for key, row in rows.items():
                    copy.write_row((*key, *row))
