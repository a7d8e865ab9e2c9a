"""Postgres arrays in their binary form, packed by hand: a batch has 18 of them, and the driver's own packing, item by
item, would cost more than everything else that a command does here. Knows no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct, pack

from psycopg import AsyncConnection, Connection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

INT4, INT8, FLOAT8, TEXT, BYTEA, UUID = 23, 20, 701, 25, 17, 2950

_LENGTH = Struct(">i").pack
_NULL = _LENGTH(-1)


class BinaryArray(bytes):
    """A whole array as the server reads it; `accept` teaches a connection to pass it on untouched."""


class _Untouched(Dumper):
    """Names no type: the server takes it from the function's signature."""

    format = Format.BINARY
    oid = 0

    def dump(self, obj: bytes) -> Buffer:
        return obj


def accept(connection: AsyncConnection[object] | Connection[object]) -> None:
    connection.adapters.register_dumper(BinaryArray, _Untouched)


def _header(count: int, oid: int, has_null: bool = False) -> bytes:
    if count == 0:
        return pack(">iii", 0, 0, oid)
    return pack(">iiiii", 1, has_null, oid, count, 1)


def of_bytes(values: Sequence[bytes | None], oid: int = BYTEA) -> BinaryArray:
    parts = [_header(len(values), oid, None in values)]
    for value in values:
        if value is None:
            parts.append(_NULL)
        else:
            parts.append(_LENGTH(len(value)))
            parts.append(value)
    return BinaryArray(b"".join(parts))


def of_text(values: Sequence[str | None]) -> BinaryArray:
    return of_bytes([None if value is None else value.encode() for value in values], TEXT)


def of_uuids(values: Sequence[str]) -> BinaryArray:
    """Raises `ValueError` for what is no UUID."""
    packed = [bytes.fromhex(value.replace("-", "")) for value in values]
    if any(len(value) != 16 for value in packed):
        raise ValueError("not a UUID")
    return of_bytes(packed, UUID)


def of_int4(values: Sequence[int | None]) -> BinaryArray:
    if None in values:
        return of_bytes([None if value is None else _LENGTH(value) for value in values], INT4)
    return _fixed(values, "i", 4, INT4)


def of_int8(values: Sequence[int]) -> BinaryArray:
    return _fixed(values, "q", 8, INT8)


def of_float8(values: Sequence[float]) -> BinaryArray:
    return _fixed(values, "d", 8, FLOAT8)


def _fixed(values: Sequence[int | None] | Sequence[float], code: str, size: int, oid: int) -> BinaryArray:
    flat: list[int | float | None] = [size] * (2 * len(values))
    flat[1::2] = values
    return BinaryArray(_header(len(values), oid) + _layout(code, len(values)).pack(*flat))


@lru_cache(maxsize=2048)
def _layout(code: str, count: int) -> Struct:
    return Struct(">" + f"i{code}" * count)
