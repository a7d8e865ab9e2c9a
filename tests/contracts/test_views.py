"""Changes of rows mean the same in memory and in Postgres: one suite on both, and random changes compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from infra.event_log import binary_arrays
from projections.batch import merge
from projections.builds import SESSION
from projections.sql import create_indexes, create_tables, physical, statements_for
from projections.view import Change, Column, Index, Insert, Key, Patch, Remove, Sweep, Table, Upsert, Values, View

# Every type, with and without null, and a column that sums.
THINGS = Table(
    "things",
    [Column("id", "text")],
    [
        Column("place", "text", nullable=True),
        Column("is_big", "boolean"),
        Column("weight", "bigint"),
        Column("price", "bigint", nullable=True),
        Column("photo", "bytea", nullable=True),
    ],
    indexes=[Index(("place",), present="place")],
)
COUNTS = Table("counts", [Column("day", "bigint")], [Column("seen", "bigint", sums=True), Column("last", "text")])
TEST_VIEW = View(name="test", version=1, tables=(THINGS, COUNTS), handlers={})
PLACE, WEIGHT_AND_PHOTO = THINGS.shape("place"), THINGS.shape("weight", "photo")
SEEN = COUNTS.shape("seen")

Content = dict[str, dict[Key, Values]]
Apply = Callable[[list[Change]], Content]

BIG: Values = ("Größe\n'\\", True, 2**62, None, bytes(range(256)))
SMALL: Values = (None, False, -1, 5, b"")


def in_memory(changes: list[Change]) -> Content:
    rows: dict[str, Any] = {table.name: {} for table in TEST_VIEW.tables}
    for change in changes:
        change.apply(rows[change.table.name])
    return {name: {key: tuple(row) for key, row in kept.items()} for name, kept in rows.items()}


def in_postgres(connection: psycopg.Connection[Any], pages: list[list[Change]]) -> Content:
    for table in TEST_VIEW.tables:
        connection.execute(f"TRUNCATE {physical(table, 1)}")
    for page in pages:
        with connection.transaction(), connection.pipeline():
            for statement, parameters in statements_for(TEST_VIEW, 1, merge(page)):
                connection.execute(statement, parameters)
    content: Content = {}
    for table in TEST_VIEW.tables:
        names = ", ".join(column.name for column in table.all_columns)
        rows = connection.cursor(binary=True).execute(f"SELECT {names} FROM {physical(table, 1)}").fetchall()
        content[table.name] = {row[: len(table.key)]: row[len(table.key) :] for row in rows}
    return content


@pytest.fixture(scope="module")
def connection(module_database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        binary_arrays.accept(connection)
        connection.execute(SESSION)
        for statement in (*create_tables(TEST_VIEW, 1), *create_indexes(TEST_VIEW, 1)):
            connection.execute(statement)
        yield connection


@pytest.fixture(params=["memory", "postgres", "postgres, page by page"])
def apply(request: pytest.FixtureRequest) -> Apply:
    if request.param == "memory":
        return in_memory
    connection: psycopg.Connection[Any] = request.getfixturevalue("connection")
    if request.param == "postgres":
        return lambda changes: in_postgres(connection, [changes])
    return lambda changes: in_postgres(connection, [[change] for change in changes])


def test_rows_come_back_as_they_were(apply: Apply) -> None:
    given: list[Change] = [Insert(THINGS, ("u", "a"), BIG), Upsert(THINGS, ("u", "b"), SMALL)]
    assert apply(given)["things"] == {("u", "a"): BIG, ("u", "b"): SMALL}


def test_an_upsert_replaces_a_row_and_adds_what_sums(apply: Apply) -> None:
    given: list[Change] = [
        Upsert(THINGS, ("u", "a"), BIG),
        Upsert(COUNTS, ("u", 1), (2, "x")),
        Upsert(THINGS, ("u", "a"), SMALL),
        Upsert(COUNTS, ("u", 1), (3, "y")),
    ]
    assert apply(given) == {"things": {("u", "a"): SMALL}, "counts": {("u", 1): (5, "y")}}


def test_a_patch_changes_its_columns_alone_and_makes_no_row(apply: Apply) -> None:
    given: list[Change] = [
        Insert(THINGS, ("u", "a"), BIG),
        Insert(COUNTS, ("u", 1), (2, "x")),
        Patch(WEIGHT_AND_PHOTO, ("u", "a"), (7, None)),
        Patch(PLACE, ("u", "nobody"), ("here",)),
        Patch(SEEN, ("u", 1), (5,)),
        Patch(SEEN, ("u", 1), (1,)),
        Patch(SEEN, ("u", 2), (1,)),
    ]
    assert apply(given) == {
        "things": {("u", "a"): (*BIG[:2], 7, None, None)},
        "counts": {("u", 1): (8, "x")},
    }


def test_a_removed_row_may_come_again(apply: Apply) -> None:
    given: list[Change] = [
        Insert(THINGS, ("u", "a"), BIG),
        Remove(THINGS, ("u", "a")),
        Insert(THINGS, ("u", "a"), SMALL),
        Remove(THINGS, ("u", "nobody")),
    ]
    assert apply(given)["things"] == {("u", "a"): SMALL}


def test_a_sweep_reaches_one_users_rows_that_match_and_none_that_come_later(apply: Apply) -> None:
    here, there = ("here", *BIG[1:]), ("there", *BIG[1:])
    given: list[Change] = [
        *(Insert(THINGS, (user, name), here) for user in "uv" for name in "ab"),
        Insert(THINGS, ("u", "c"), there),
        Sweep(THINGS, "u", {"place": "here"}, WEIGHT_AND_PHOTO, (0, None)),
        Insert(THINGS, ("u", "d"), here),
        Sweep(THINGS, "v", {"place": "here"}),
    ]
    swept = (here[0], here[1], 0, None, None)
    assert apply(given)["things"] == {
        ("u", "a"): swept,
        ("u", "b"): swept,
        ("u", "c"): there,
        ("u", "d"): here,
    }


def test_a_second_row_under_one_key_is_refused(connection: psycopg.Connection[Any]) -> None:
    insert = Insert(THINGS, ("u", "a"), BIG)
    with pytest.raises(AssertionError):
        in_memory([insert, insert])
    with pytest.raises(psycopg.errors.UniqueViolation):
        in_postgres(connection, [[insert], [insert]])


def random_change(dice: random.Random, keys: set[Key]) -> Change:
    """Inserts under new keys only, as views make them."""
    key: Key = (dice.choice("uv"), dice.choice("abcd"))
    where = {"place": dice.choice(["here", "there"])}
    values: Values = (dice.choice(["here", "there", None]), dice.random() < 0.5, dice.randint(0, 9), None, b"x")
    kind = dice.choice(["insert", "upsert", "patch", "patch", "remove", "sweep", "unsweep", "count"])
    if kind == "insert" and key not in keys:
        return Insert(THINGS, key, values)
    match kind:
        case "patch":
            return Patch(dice.choice([PLACE]), key, (values[0],))
        case "insert":
            return Patch(WEIGHT_AND_PHOTO, key, (values[2], values[4]))
        case "upsert":
            return Upsert(THINGS, key, values)
        case "remove":
            return Remove(THINGS, key)
        case "sweep":
            return Sweep(THINGS, str(key[0]), where, PLACE, ("away",))
        case "unsweep":
            return Sweep(THINGS, str(key[0]), where)
        case _:
            return Upsert(COUNTS, (key[0], dice.randint(1, 2)), (1, str(key[1])))


def test_random_changes_in_random_pages_mean_the_same_in_both(connection: psycopg.Connection[Any]) -> None:
    for seed in range(60):
        dice = random.Random(seed)
        changes: list[Change] = []
        pages: list[list[Change]] = [[]]
        for _ in range(40):
            changes.append(random_change(dice, set(in_memory(changes)["things"])))
            pages[-1].append(changes[-1])
            if dice.random() < 0.2:
                pages.append([])
        assert in_postgres(connection, pages) == in_memory(changes), f"seed {seed}"
