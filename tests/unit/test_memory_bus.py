"""What only the bus in memory can do: break on purpose, and stay small."""

from __future__ import annotations

import pytest

from infra import memory_bus
from infra.memory_bus import MemoryBus
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

USER = "07/user"


async def test_while_it_is_disconnected_everything_is_dropped() -> None:
    bus, got, hinted = MemoryBus(), list[bytes](), list[str]()

    async def receive(user_id: str) -> bool:
        hinted.append(user_id)
        return True

    await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
    await bus.subscribe_hints(receive, concurrency=1)
    bus.disconnect()
    assert not bus.connected
    assert bus.problem is not None
    bus.publish_token(USER, "reply", b"lost")
    bus.hint("lost")
    assert await bus.read_tokens(USER, "reply") == []
    bus.reconnect()
    bus.publish_token(USER, "reply", b"kept")
    bus.hint("kept")
    await until(lambda: got == [b"kept"] and hinted == ["kept"])
    assert await bus.read_tokens(USER, "reply") == [b"kept"]


async def test_a_wipe_takes_what_is_stored_and_leaves_who_listens() -> None:
    bus, got = MemoryBus(), list[bytes]()
    await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
    bus.publish_token(USER, "reply", b"before")
    await until(lambda: got == [b"before"])
    bus.wipe()
    assert await bus.read_tokens(USER, "reply") == []
    bus.publish_token(USER, "reply", b"after")
    await until(lambda: got == [b"before", b"after"])


async def test_the_oldest_tokens_go_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_bus, "TOKENS_PER_REPLY_MAX", 3)
    monkeypatch.setattr(memory_bus, "TOKEN_BYTES_MAX", 10)
    bus = MemoryBus()
    for number in range(5):
        bus.publish_token(USER, "first", b"%d" % number)
    assert await bus.read_tokens(USER, "first") == [b"2", b"3", b"4"]
    bus.publish_token(USER, "second", b"12345678")
    assert await bus.read_tokens(USER, "first") == []
    assert await bus.read_tokens(USER, "second") == [b"12345678"]


async def test_a_hint_that_nobody_ever_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_bus, "AGAIN_SECONDS_MIN", 0.0)
    bus, got = MemoryBus(), list[str]()

    async def receive(user_id: str) -> bool:
        got.append(user_id)
        return False

    await bus.subscribe_hints(receive, concurrency=1)
    bus.hint(USER)
    await until(lambda: len(got) == memory_bus.DELIVERIES_MAX)
    bus.hint("another")
    await until(lambda: "another" in got)
    assert got.count(USER) == memory_bus.DELIVERIES_MAX
