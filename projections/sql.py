"""The SQL of views: tables of a build, and the statements that apply merged changes to them. Does no I/O.

A build is one copy of a view's tables, `<table>_b<n>`; readers know only the SQL views `<table>`, which show the live
one. Rows travel as arrays, one a column, packed in binary form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from struct import Struct
from typing import Any

from psycopg import sql

from infra.event_log.binary_arrays import INT8, BinaryArray, of_bytes, of_int8, of_text
from projections.batch import Batch, Entry, Verb
from projections.view import USER, Column, Key, Sweep, Table, View

BOOL = 16

Statement = tuple[sql.Composed, Sequence[object]]

_INT8 = Struct(">q").pack


def build_name(view: View, build: int) -> str:
    """What the tracking table calls it."""
    return f"{view.name}_b{build}"


def physical(table: Table, build: int) -> str:
    return f"{table.name}_b{build}"


# --- tables ---------------------------------------------------------------------------------------------------


def create_tables(view: View, build: int) -> list[sql.Composed]:
    """Empty tables without any index."""
    statements = []
    for table in view.tables:
        name = sql.Identifier(physical(table, build))
        columns = [
            sql.SQL("{} {}{}").format(
                sql.Identifier(column.name),
                sql.SQL(column.type),
                sql.SQL("") if column.nullable else sql.SQL(" NOT NULL"),
            )
            for column in table.all_columns
        ]
        statements.append(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(columns)))
        # What is sealed does not compress, and nobody looks for it: trying either costs time.
        statements += [
            sql.SQL("ALTER TABLE {} ALTER COLUMN {} SET STORAGE EXTERNAL, ALTER COLUMN {} SET STATISTICS 0").format(
                name, sql.Identifier(column.name), sql.Identifier(column.name)
            )
            for column in table.columns
            if column.type == "bytea"
        ]
    return statements


def create_indexes(view: View, build: int) -> list[sql.Composed]:
    """The keys first. Each may be run again."""
    statements = []
    for table in view.tables:
        name = physical(table, build)
        statements.append(
            sql.SQL("CREATE UNIQUE INDEX IF NOT EXISTS {} ON {} ({})").format(
                sql.Identifier(f"{name}_key"), sql.Identifier(name), _names(table.key)
            )
        )
        statements += [
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({}){}").format(
                sql.Identifier(f"{name}_{'_'.join(index.columns)}_idx"),
                sql.Identifier(name),
                sql.SQL(", ").join(
                    map(sql.Identifier, (*index.columns, USER) if index.across_users else (USER, *index.columns))
                ),
                sql.SQL("")
                if index.present is None
                else sql.SQL(" WHERE {} IS NOT NULL").format(sql.Identifier(index.present)),
            )
            for index in table.indexes
        ]
    return statements


def hide(view: View) -> list[sql.Composed]:
    """Take the SQL views away that readers use."""
    return [sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(table.name)) for table in view.tables]


def show_build(view: View, build: int) -> list[sql.Composed]:
    """Point the SQL views at this build. They are made anew, for its columns may be others."""
    shown = [
        sql.SQL("CREATE VIEW {} AS SELECT {} FROM {}").format(
            sql.Identifier(table.name), _names(table.all_columns), sql.Identifier(physical(table, build))
        )
        for table in view.tables
    ]
    return [*hide(view), *shown]


def drop_tables(view: View, build: int) -> list[sql.Composed]:
    return [sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(physical(table, build))) for table in view.tables]


def first_build(view: View) -> list[str]:
    """All that a view needs at its beginning: empty tables, live, from the start of the log."""
    statements = [*create_tables(view, 1), *create_indexes(view, 1), *show_build(view, 1)]
    registered = sql.SQL("INSERT INTO view_builds (view, build, version, status) VALUES ({}, 1, {}, 'live')").format(
        sql.Literal(view.name), sql.Literal(view.version)
    )
    tracked = sql.SQL("INSERT INTO log0_tracking (application_name, notification_id) VALUES ({}, 0)").format(
        sql.Literal(build_name(view, 1))
    )
    return [statement.as_string() for statement in (*statements, registered, tracked)]


def analyze(view: View, build: int) -> list[sql.Composed]:
    return [sql.SQL("ANALYZE {}").format(sql.Identifier(physical(table, build))) for table in view.tables]


# --- changes --------------------------------------------------------------------------------------------------


def statements_for(view: View, build: int, batches: Iterable[Batch]) -> Iterator[Statement]:
    """What applies merged changes to a build, in order."""
    for batch in batches:
        for change in batch.sweeps:
            yield _sweep(physical(change.table, build), change)
        for table in view.tables:
            entries = batch.rows.get(table.name)
            if entries:
                yield from _row_statements(physical(table, build), table, entries)


def _row_statements(name: str, table: Table, entries: dict[Key, Entry]) -> Iterator[Statement]:
    """Removals before inserts: a row that is replaced is in both."""
    rows: dict[Verb, list[Sequence[object]]] = {verb: [] for verb in Verb}
    patches: dict[tuple[int, ...], list[Sequence[object]]] = {}
    for key, entry in entries.items():
        if entry.verb is Verb.PATCH:
            patches.setdefault(entry.shape.places, []).append((*key, *entry.values))
        else:
            rows[entry.verb].append((*key, *entry.values))
    keys = [row[: len(table.key)] for row in (*rows[Verb.REMOVE], *rows[Verb.REPLACE])]
    if keys:
        yield _remove(name, table), _packed(table.key, keys)
    inserts = [*rows[Verb.INSERT], *rows[Verb.REPLACE]]
    if inserts:
        yield _insert(name, table), _packed(table.all_columns, inserts)
    if rows[Verb.UPSERT]:
        yield _upsert(name, table), _packed(table.all_columns, rows[Verb.UPSERT])
    for places, patched in patches.items():
        columns = (*table.key, *(table.columns[place] for place in places))
        yield _patch(name, table, places), _packed(columns, patched)


def _names(columns: Iterable[Column]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)


def _arrays(columns: Sequence[Column]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("%b::{}[]").format(sql.SQL(column.type)) for column in columns)


def _assignments(columns: Iterable[Column], new: str) -> sql.Composed:
    """`c = new.c`, and `c = t.c + new.c` for what sums."""
    return sql.SQL(", ").join(
        sql.SQL("{c} = t.{c} + {new}.{c}" if column.sums else "{c} = {new}.{c}").format(
            c=sql.Identifier(column.name), new=sql.SQL(new)
        )
        for column in columns
    )


def _same_key(table: Table) -> sql.Composed:
    return sql.SQL(" AND ").join(sql.SQL("t.{c} = u.{c}").format(c=sql.Identifier(column.name)) for column in table.key)


@cache
def _insert(name: str, table: Table) -> sql.Composed:
    return sql.SQL("INSERT INTO {} ({}) SELECT * FROM unnest({})").format(
        sql.Identifier(name), _names(table.all_columns), _arrays(table.all_columns)
    )


@cache
def _upsert(name: str, table: Table) -> sql.Composed:
    return sql.SQL("INSERT INTO {} AS t ({}) SELECT * FROM unnest({}) ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.Identifier(name),
        _names(table.all_columns),
        _arrays(table.all_columns),
        _names(table.key),
        _assignments(table.columns, "excluded"),
    )


@cache
def _patch(name: str, table: Table, places: tuple[int, ...]) -> sql.Composed:
    columns = tuple(table.columns[place] for place in places)
    return sql.SQL("UPDATE {} t SET {} FROM unnest({}) AS u({}) WHERE {}").format(
        sql.Identifier(name),
        _assignments(columns, "u"),
        _arrays((*table.key, *columns)),
        _names((*table.key, *columns)),
        _same_key(table),
    )


@cache
def _remove(name: str, table: Table) -> sql.Composed:
    return sql.SQL("DELETE FROM {} t USING unnest({}) AS u({}) WHERE {}").format(
        sql.Identifier(name), _arrays(table.key), _names(table.key), _same_key(table)
    )


def _sweep(name: str, change: Sweep) -> Statement:
    where = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in (USER, *change.where))
    conditions = [change.user_id, *change.where.values()]
    if change.shape is None:
        return sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(name), where), conditions
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = %s").format(sql.Identifier(column.name)) for column in change.shape.columns
    )
    statement = sql.SQL("UPDATE {} SET {} WHERE {}").format(sql.Identifier(name), assignments, where)
    return statement, [*change.values, *conditions]


# --- values ---------------------------------------------------------------------------------------------------


def _packed(columns: Sequence[Column], rows: Sequence[Sequence[object]]) -> list[BinaryArray]:
    """One array a column."""
    return [_array(column, values) for column, values in zip(columns, zip(*rows, strict=True), strict=True)]


def _array(column: Column, values: Sequence[Any]) -> BinaryArray:
    match column.type:
        case "text":
            return of_text(values)
        case "bytea":
            return of_bytes(values)
        case "bigint":
            if column.nullable:
                return of_bytes([None if value is None else _INT8(value) for value in values], INT8)
            return of_int8(values)
        case "boolean":
            return of_bytes([b"\x01" if value else b"\x00" for value in values], BOOL)
