"""Whatever users do, in whatever pages it is read: views in tables, merged pages and rebuilt ones equal a fold."""

from __future__ import annotations

import random
from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ports import StoredEvent
from infra.event_log import binary_arrays
from projections.batch import Verb, merge
from projections.builds import SESSION
from projections.fold import MemoryTables, fold
from projections.peek import see
from projections.sql import create_indexes, create_tables, drop_tables, statements_for
from projections.streams import folded
from projections.view import Rows, View
from projections.views import VIEWS
from tests.support.histories import History, random_history
from tests.support.views import build_rows, folded_rows, shuffled, user

SEEDS = st.integers(0, 2**32)
BUILD = 99


def some_users(seed: int, count: int, steps: int) -> list[StoredEvent]:
    dice = random.Random(seed)
    histories: list[History] = []
    for number in range(count):
        history = random_history(user(number), steps, dice)
        histories.append(history.erase() if dice.random() < 0.1 else history)
    return shuffled(histories, seed)


def pages_of(events: list[StoredEvent], seed: int) -> list[list[StoredEvent]]:
    dice = random.Random(seed)
    pages: list[list[StoredEvent]] = []
    start = 0
    while start < len(events):
        size = dice.choice([1, 2, 5, 20, 100])
        pages.append(events[start : start + size])
        start += size
    return pages


def apply_merged(view: View, pages: list[list[StoredEvent]]) -> MemoryTables:
    """What Postgres would do with merged pages, on rows in memory."""
    tables = MemoryTables(view)
    for page in pages:
        seen = [see(event.user_id, event.version, event.name, event.state) for event in page]
        for batch in merge(change for event in seen for change in view.project(event)):
            for sweep in batch.sweeps:
                sweep.apply(tables.rows[sweep.table.name])
            for name, entries in batch.rows.items():
                rows: Rows = tables.rows[name]
                for key, (verb, shape, values) in entries.items():
                    if verb in (Verb.REMOVE, Verb.REPLACE):
                        rows.pop(key, None)
                    if verb in (Verb.INSERT, Verb.REPLACE):
                        assert key not in rows
                        rows[key] = list(values)
                    elif key in rows and verb is not Verb.REMOVE:
                        shape.put(rows[key], values)
                    elif verb is Verb.UPSERT:
                        rows[key] = list(values)
    return tables


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_merged_pages_equal_a_fold(seed: int) -> None:
    events = some_users(seed, count=3, steps=60)
    for view in VIEWS.values():
        assert apply_merged(view, pages_of(events, seed)).rows == fold(view, events).rows


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_every_row_has_all_of_its_columns_and_only_nulls_that_it_may_have(seed: int) -> None:
    events = some_users(seed, count=2, steps=80)
    types: dict[str, type] = {"text": str, "bigint": int, "boolean": bool, "bytea": bytes}
    for view in VIEWS.values():
        tables = fold(view, events)
        for table in view.tables:
            for key, row in tables.rows[table.name].items():
                for column, value in zip(table.all_columns, (*key, *row), strict=True):
                    assert type(value) is types[column.type] or (value is None and column.nullable), column


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_streams_folded_in_chunks_equal_a_fold(seed: int) -> None:
    events = some_users(seed, count=4, steps=40)
    by_user = sorted(events, key=lambda event: (event.user_id, event.version))
    pages = pages_of(by_user, seed)
    rows = [[(event.user_id, event.version, event.name, event.state) for event in page] for page in pages]
    for view in VIEWS.values():
        together: dict[str, Rows] = {table.name: {} for table in view.tables}
        last = ""
        for chunk in folded(view, rows):
            for name, found in chunk.rows.items():
                assert all(last < str(key[0]) <= chunk.last_user for key in found)
                together[name].update(found)
            last = chunk.last_user
        assert together == fold(view, events).rows


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_views_in_tables_equal_a_fold(module_database_url: str, seed: int) -> None:
    events = some_users(seed, count=3, steps=60)
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        binary_arrays.accept(connection)
        connection.execute(SESSION)
        for view in VIEWS.values():
            fill(connection, view, pages_of(events, seed))
            assert build_rows(module_database_url, view, BUILD) == folded_rows(view, events)


def fill(connection: psycopg.Connection[Any], view: View, pages: list[list[StoredEvent]]) -> None:
    for statement in (*drop_tables(view, BUILD), *create_tables(view, BUILD), *create_indexes(view, BUILD)):
        connection.execute(statement)
    for page in pages:
        seen = [see(event.user_id, event.version, event.name, event.state) for event in page]
        with connection.transaction(), connection.pipeline():
            changes = (change for event in seen for change in view.project(event))
            for statement, parameters in statements_for(view, BUILD, merge(changes)):
                connection.execute(statement, parameters)
