"""The changes of a page, merged: at most one change a row, so that Postgres sees each row once. Pure.

A batch is sweeps first, then rows. A sweep that would have to come after rows of the same user begins a new batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from projections.view import Change, Insert, Key, Patch, Remove, RowChange, Shape, Sweep, Upsert, Values


class Verb(Enum):
    """What happens to a row; `REPLACE` is a removal and then an insert."""

    INSERT = "insert"
    UPSERT = "upsert"
    PATCH = "patch"
    REMOVE = "remove"
    REPLACE = "replace"


class Entry(NamedTuple):
    """`shape` says which columns `values` are; of no meaning for a removal."""

    verb: Verb
    shape: Shape
    values: Values


class Batch:
    """`rows` by table name and key."""

    __slots__ = ("rows", "sweeps", "users")

    def __init__(self) -> None:
        self.sweeps: list[Sweep] = []
        self.rows: dict[str, dict[Key, Entry]] = {}
        self.users: set[str | int] = set()

    def add_row(self, change: RowChange) -> None:
        name, key = change.table.name, change.key
        rows = self.rows.get(name)
        if rows is None:
            rows = self.rows[name] = {}
        self.users.add(key[0])
        known = rows.get(key)
        if known is None:
            rows[key] = _first(change)
            return
        entry = _after(known, change)
        if entry is None:
            del rows[key]
        else:
            rows[key] = entry


def merge(changes: Iterable[Change]) -> list[Batch]:
    """The batches to apply one after the other, in the order of the changes."""
    batch = Batch()
    batches = [batch]
    for change in changes:
        if not isinstance(change, Sweep):
            batch.add_row(change)
            continue
        if change.user_id in batch.users:
            batch = Batch()
            batches.append(batch)
        batch.sweeps.append(change)
    return batches


def _first(change: RowChange) -> Entry:
    match change:
        case Insert():
            return Entry(Verb.INSERT, change.table.whole, change.values)
        case Upsert():
            return Entry(Verb.UPSERT, change.table.whole, change.values)
        case Patch():
            return Entry(Verb.PATCH, change.shape, change.values)
        case Remove():
            return Entry(Verb.REMOVE, change.table.whole, ())


def _after(known: Entry, change: RowChange) -> Entry | None:
    """`known` and then `change` as one; None when the row came and went."""
    verb, shape, values = known
    match change:
        case Patch():
            if verb is Verb.REMOVE:
                return known
            if verb is Verb.PATCH:
                return _both(known, change)
            return Entry(verb, shape, _changed(values, change.shape, change.values))
        case Insert():
            assert verb in (Verb.REMOVE, Verb.PATCH), f"a second row in {change.table.name}"
            return Entry(Verb.REPLACE if verb is Verb.REMOVE else Verb.INSERT, change.table.whole, change.values)
        case Upsert():
            whole = change.table.whole
            if verb is Verb.REMOVE:
                return Entry(Verb.REPLACE, whole, change.values)
            if verb is Verb.PATCH:
                # Whether there is a row to patch is not known here, so what it had to add must not be counted.
                assert not shape.adds, f"{change.table.name} sums: patch it or upsert it, not both"
                return Entry(Verb.UPSERT, whole, change.values)
            return Entry(verb, whole, _changed(values, whole, change.values))
        case Remove():
            return None if verb is Verb.INSERT else Entry(Verb.REMOVE, shape, ())


def _changed(row: Values, shape: Shape, values: Values) -> Values:
    changed = list(row)
    shape.put(changed, values)
    return tuple(changed)


def _both(known: Entry, change: Patch) -> Entry:
    """Two patches as one."""
    merged = dict(zip(known.shape.places, known.values, strict=True))
    for place, sums, value in zip(change.shape.places, change.shape.sums, change.values, strict=True):
        merged[place] = merged[place] + value if sums and place in merged else value  # type: ignore[operator]
    if len(merged) == len(known.shape.places):
        return Entry(Verb.PATCH, known.shape, tuple(merged.values()))
    return Entry(Verb.PATCH, Shape(change.table, tuple(merged)), tuple(merged.values()))
