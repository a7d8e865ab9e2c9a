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

    def add(self, events: Iterable[tuple[str, int, str, bytes]]) -> None:
        """The next events of users: user, version, name, state. Raises `infra.codec.CorruptEvent`."""
        handlers, rows, ignores = self.view.handlers, self.rows, self.view.ignores
        for user_id, version, name, state in events:
            handler = handlers.get(name)
            if handler is None:
                if name in ignores:
                    continue
                handler = self.view.project
            for change in handler(see(user_id, version, name, state)):
                change.apply(rows[change.table.name])


def fold(view: View, events: Iterable[StoredEvent]) -> MemoryTables:
    """`view` as it is after `events`, in the order of the log. Raises `infra.codec.CorruptEvent`."""
    tables = MemoryTables(view)
    tables.add((event.user_id, event.version, event.name, event.state) for event in events)
    return tables
