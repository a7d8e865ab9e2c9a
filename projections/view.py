"""What a view is: a name, a version, tables, and a pure function from an event to changes of their rows.

Knows no SQL. The same changes are applied to Postgres (sql.py) and to tables in memory (fold.py), which is what makes
a view checkable against the log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

ColumnType = Literal["text", "bigint", "boolean", "bytea"]
Value = str | int | bool | bytes | None
Key = tuple[str | int, ...]
Values = tuple[Value, ...]
Row = list[Value]
Rows = dict[Key, Row]

USER = "user_id"


@dataclass(frozen=True, slots=True)
class Column:
    """`sums`: what a change brings is added to what is there."""

    name: str
    type: ColumnType
    nullable: bool = False
    sums: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """Columns after the user's id, or before it for one that is searched across users; `present` leaves out rows in
    which that column is null."""

    columns: tuple[str, ...]
    present: str | None = None
    across_users: bool = False


class Table:
    """Rows that belong to users: the user's id comes first in the key, and in every index but those across users.

    `columns` are those beside the key, in the order of a row's values. `indexes` are made after a bulk load.
    """

    def __init__(
        self, name: str, key: Sequence[Column], columns: Sequence[Column], *, indexes: Sequence[Index] = ()
    ) -> None:
        self.name = name
        self.key = (Column(USER, "text"), *key)
        self.columns = tuple(columns)
        self.indexes = tuple(indexes)
        self.whole = Shape(self, tuple(range(len(self.columns))))
        self._places = {column.name: place for place, column in enumerate(self.columns)}

    @property
    def all_columns(self) -> tuple[Column, ...]:
        return (*self.key, *self.columns)

    def shape(self, *names: str) -> Shape:
        """Some columns, for a patch."""
        return Shape(self, tuple(self._places[name] for name in names))

    def row(self, **values: Value) -> Values:
        """A whole row by name; a column that is not named is null, which it must be able to be."""
        unknown = values.keys() - self._places.keys()
        missing = {column.name for column in self.columns if not column.nullable} - values.keys()
        assert not unknown, f"{self.name} has no {unknown}"
        assert not missing, f"{self.name} needs {missing}"
        return tuple(values.get(column.name) for column in self.columns)


class Shape:
    """Some of a table's columns, as places in a row. Neighbours that do not sum are changed at one stroke."""

    __slots__ = ("adds", "places", "stroke", "sums", "table")

    def __init__(self, table: Table, places: tuple[int, ...]) -> None:
        self.table = table
        self.places = places
        self.sums = tuple(table.columns[place].sums for place in places)
        self.adds = any(self.sums)
        are_neighbours = places == tuple(range(places[0], places[-1] + 1))
        self.stroke = slice(places[0], places[-1] + 1) if are_neighbours and not self.adds else None

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(self.table.columns[place] for place in self.places)

    def put(self, row: Row, values: Values) -> None:
        """Change `row`, which is whole, in these places."""
        if self.stroke is not None:
            row[self.stroke] = values
            return
        for place, sums, value in zip(self.places, self.sums, values, strict=True):
            row[place] = row[place] + value if sums else value  # type: ignore[operator]


# --- changes --------------------------------------------------------------------------------------------------
# Structs, because a rebuild makes some for every event of the log. `apply` is what they mean, on rows in memory.


class Insert(msgspec.Struct, frozen=True, gc=False):
    """A row under a key that no row has had since it was last removed."""

    table: Table
    key: Key
    values: Values

    def apply(self, rows: Rows) -> None:
        assert self.key not in rows, f"a second row in {self.table.name}"
        rows[self.key] = list(self.values)


class Upsert(msgspec.Struct, frozen=True, gc=False):
    """A row, whether there is one or not. Columns that sum are added to the row that is there."""

    table: Table
    key: Key
    values: Values

    def apply(self, rows: Rows) -> None:
        known = rows.get(self.key)
        if known is None:
            rows[self.key] = list(self.values)
        else:
            self.table.whole.put(known, self.values)


class Patch(msgspec.Struct, frozen=True, gc=False):
    """Some columns of a row, if there is one."""

    shape: Shape
    key: Key
    values: Values

    @property
    def table(self) -> Table:
        return self.shape.table

    def apply(self, rows: Rows) -> None:
        known = rows.get(self.key)
        if known is not None:
            self.shape.put(known, self.values)


class Remove(msgspec.Struct, frozen=True, gc=False):
    table: Table
    key: Key

    def apply(self, rows: Rows) -> None:
        rows.pop(self.key, None)


class Sweep(msgspec.Struct, frozen=True, gc=False):
    """All of a user's rows whose columns have the values of `where`: patched, or removed where `shape` is None."""

    table: Table
    user_id: str
    where: Mapping[str, Value]
    shape: Shape | None = None
    values: Values = ()

    def apply(self, rows: Rows) -> None:
        names = [column.name for column in self.table.all_columns]
        for key, row in list(rows.items()):
            whole = dict(zip(names, (*key, *row), strict=True))
            if key[0] != self.user_id or any(whole[name] != value for name, value in self.where.items()):
                continue
            if self.shape is None:
                del rows[key]
            else:
                self.shape.put(row, self.values)


RowChange = Insert | Upsert | Patch | Remove
Change = RowChange | Sweep


# --- views ----------------------------------------------------------------------------------------------------


class Seen(msgspec.Struct, frozen=True, gc=False):
    """An event as views see it: its place, its clear fields that views read (`data`), and its bytes to be kept."""

    user_id: str
    version: int
    name: str
    state: bytes
    at_ms: int
    end_version: int
    data: Any


Handler = Callable[[Seen], Sequence[Change]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`version` grows when its rows would come out otherwise: then the view has to be rebuilt.

    Each event name stands in `handlers` or in `ignores`, so that a new event is decided upon and not forgotten.
    An erased user leaves no row in any view.
    """

    name: str
    version: int
    tables: tuple[Table, ...]
    handlers: Mapping[str, Handler]
    ignores: frozenset[str] = frozenset()

    def project(self, event: Seen) -> Sequence[Change]:
        handler = self.handlers.get(event.name)
        if handler is not None:
            return handler(event)
        if event.name == "UserErased":
            return [Sweep(table, event.user_id, {}) for table in self.tables]
        return ()

    @property
    def wanted(self) -> list[str]:
        """The names of the events that can change it."""
        return [*self.handlers, "UserErased"]
