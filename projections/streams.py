"""The log user by user: whole streams folded into rows, in chunks, each row once, as its last event left it.

What a rebuild loads, and what `verify` compares with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from domain.event_types import EVENTS
from infra.ids import SHARDS
from projections.fold import MemoryTables
from projections.view import Rows, View

PAGE_EVENTS = 10_000
VERSION_MAX = 2**63 - 1

# In the order of the primary key, which enable_sort = off makes sure of.
ALL = """SELECT originator_id, originator_version, topic, state FROM log0_events
WHERE (originator_id, originator_version) > (%(user)s, %(version)s) AND notification_id <= %(until)s
ORDER BY originator_id, originator_version LIMIT %(limit)s"""

# What the view wants, and what nobody knows: that has to be told, not skipped.
WANTED = """SELECT originator_id, originator_version, topic, state FROM log0_events
WHERE (originator_id, originator_version) > (%(user)s, %(version)s) AND notification_id <= %(until)s
  AND (topic = ANY(%(wanted)s) OR topic <> ALL(%(known)s))
ORDER BY originator_id, originator_version LIMIT %(limit)s"""

StreamRow = tuple[str, int, str, bytes]


@dataclass(frozen=True, slots=True)
class Chunk:
    """The rows, by table name, of some users: all that come after the chunk before, up to `last_user`."""

    last_user: str
    rows: dict[str, Rows]
    events: int
    users: int


def part_before(user_id: str) -> float:
    """How much of all users, about, come before this one: their ids are random."""
    shard, _, rest = user_id.partition("/")
    return (int(shard) + int(rest[:8], 16) / 2**32) / SHARDS if user_id else 0.0


class StreamReader:
    """Pages of the log up to a position, in order of user and version, on a connection of its own."""

    def __init__(self, connection: Connection[Any], view: View, *, until: int, after_user: str = "") -> None:
        self._connection = connection
        self._statement = WANTED if view.ignores else ALL
        self._values: dict[str, object] = {
            "until": until,
            "limit": PAGE_EVENTS,
            "wanted": view.wanted,
            "known": list(EVENTS),
            "user": after_user,
            "version": VERSION_MAX if after_user else 0,
        }

    def next_page(self) -> list[StreamRow]:
        """[] at the end."""
        rows: list[StreamRow] = self._connection.cursor(binary=True).execute(self._statement, self._values).fetchall()
        if rows:
            self._values["user"], self._values["version"] = rows[-1][:2]
        return rows

    def __iter__(self) -> Iterator[list[StreamRow]]:
        while page := self.next_page():
            yield page


def folded(view: View, pages: Iterable[Sequence[StreamRow]]) -> Iterator[Chunk]:
    """Chunks of whole users; one of them may span many pages. Raises `infra.codec.CorruptEvent`."""
    tables = MemoryTables(view)
    current: str | None = None
    events = users = 0
    for page in pages:
        tables.add(page)
        events += len(page)
        users += len({row[0] for row in page} - {current})
        last = page[-1][0]
        complete = next((row[0] for row in reversed(page) if row[0] != last), current)
        current = last
        if complete is not None and complete != last:
            whole, tables = tables, _split(tables, last)
            yield Chunk(complete, whole.rows, events, users - 1)
            events, users = 0, 1
    if current is not None:
        yield Chunk(current, tables.rows, events, users)


def _split(tables: MemoryTables, user_id: str) -> MemoryTables:
    """Take this user's rows out, to go on with."""
    rest = MemoryTables(tables.view)
    for name, rows in tables.rows.items():
        mine = {key: row for key, row in rows.items() if key[0] == user_id}
        for key in mine:
            del rows[key]
        rest.rows[name] = mine
    return rest
