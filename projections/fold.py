"""Views in memory: the same changes on dictionaries. What a rebuild loads, what `verify` compares with, and what
answers `as_of`.
"""

from __future__ import annotations

from collections.abc import Iterable

from domain.ports import StoredEvent
from projections.peek import see
from projections.view import Rows, View


class MemoryTables:
    """Rows by table name and key; a row leaves out its key."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.rows: dict[str, Rows] = {table.name: {} for table in view.tables}

    def add(self, user_id: str, version: int, name: str, state: bytes) -> None:
        """The next event of a user. Raises `infra.codec.CorruptEvent`."""
        for change in self.view.project(see(user_id, version, name, state)):
            change.apply(self.rows[change.table.name])


def fold(view: View, events: Iterable[StoredEvent]) -> MemoryTables:
    """`view` as it is after `events`, in the order of the log. Raises `infra.codec.CorruptEvent`."""
    tables = MemoryTables(view)
    for event in events:
        tables.add(event.user_id, event.version, event.name, event.state)
    return tables
