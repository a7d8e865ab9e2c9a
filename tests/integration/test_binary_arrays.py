"""Arrays that are packed by hand are what the server takes them for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from infra.event_log import binary_arrays
from infra.event_log.binary_arrays import BinaryArray

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="module")
def connection(module_database_url: str) -> Iterator[Connection]:
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        binary_arrays.accept(connection)
        yield connection


INT4, INT8 = 2**31 - 1, 2**63 - 1
CASES: list[tuple[LiteralString, Callable[[Any], BinaryArray], Sequence[Any]]] = [
    ("SELECT %b::text[]", binary_arrays.of_text, ["", "a", None, "é\U0001f600", "x" * 10_000, '{","}']),
    ("SELECT %b::bytea[]", binary_arrays.of_bytes, [b"", b"\x00\xff", None, b"x" * 10_000]),
    ("SELECT %b::int[]", binary_arrays.of_int4, [0, -1, INT4, -INT4 - 1]),
    ("SELECT %b::int[]", binary_arrays.of_int4, [0, None, INT4]),
    ("SELECT %b::bigint[]", binary_arrays.of_int8, [0, -1, INT8, -INT8 - 1]),
    ("SELECT %b::float8[]", binary_arrays.of_float8, [0.0, -1.5, 1e300]),
    ("SELECT %b::text[]", binary_arrays.of_text, []),
    ("SELECT %b::bigint[]", binary_arrays.of_int8, []),
]


@pytest.mark.parametrize(("query", "pack", "given"), CASES)
def test_an_array_arrives_as_it_was(
    connection: Connection, query: LiteralString, pack: Callable[[Any], BinaryArray], given: Sequence[Any]
) -> None:
    row = connection.execute(query, (pack(given),)).fetchone()
    assert row == (list(given),)


def test_uuids_arrive_and_nothing_else_is_taken_for_one(connection: Connection) -> None:
    given = "0b8e7d0a-30c7-4a52-9b80-5f2f0a1c9f01"
    row = connection.execute("SELECT %b::uuid[]", (binary_arrays.of_uuids([given]),)).fetchone()
    assert row == ([UUID(given)],)
    for wrong in ("", "42", given[:-1], given + "00", "g" * 32):
        with pytest.raises(ValueError):
            binary_arrays.of_uuids([wrong])
