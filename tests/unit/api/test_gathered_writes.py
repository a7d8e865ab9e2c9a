"""Writes of one turn of the event loop leave together, in their order, and before a close."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from api.http.gathered_writes import GatheredWrites

pytestmark = pytest.mark.anyio


class Wire:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[bytes | str] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        assert not self.closing, "a closed transport takes nothing"
        self.told.append(data)

    def close(self) -> None:
        self.closing = True
        self.told.append("closed")

    def abort(self) -> None:
        self.closing = True
        self.told.append("aborted")

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str) -> str:
        return f"its {name}"


def gathered() -> tuple[GatheredWrites, Wire]:
    wire = Wire()
    return GatheredWrites(cast(asyncio.Transport, wire), asyncio.get_running_loop()), wire


async def turn() -> None:
    await asyncio.sleep(0)


async def test_a_head_and_its_body_are_one_packet() -> None:
    writes, wire = gathered()
    writes.write(b"head ")
    writes.write(b"body")
    assert wire.told == []
    await turn()
    assert wire.told == [b"head body"]


async def test_what_is_written_in_the_next_turn_leaves_then() -> None:
    writes, wire = gathered()
    for part in (b"one", b"two"):
        writes.write(part)
        await turn()
    assert wire.told == [b"one", b"two"]


async def test_answers_of_several_connections_leave_back_to_back() -> None:
    first, wire = gathered()
    second = GatheredWrites(cast(asyncio.Transport, wire), asyncio.get_running_loop())
    first.write(b"1a")
    second.write(b"2a")
    first.write(b"1b")
    await turn()
    assert wire.told == [b"1a1b", b"2a"]


async def test_a_close_sends_first_what_was_written() -> None:
    writes, wire = gathered()
    writes.write(b"last words")
    writes.close()
    await turn()
    assert wire.told == [b"last words", "closed"]


async def test_an_abort_drops_what_was_written() -> None:
    writes, wire = gathered()
    writes.write(b"unsent")
    writes.abort()
    await turn()
    assert wire.told == ["aborted"]


async def test_a_connection_that_was_lost_meanwhile_takes_nothing_more() -> None:
    writes, wire = gathered()
    writes.write(b"too late")
    wire.closing = True
    await turn()
    assert wire.told == []


async def test_everything_else_is_the_transports_own() -> None:
    writes, _ = gathered()
    assert writes.get_extra_info("peername") == "its peername"
