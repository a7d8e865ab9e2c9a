"""What every bus does, over NATS and in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from domain.ports import Bus
from infra.memory_bus import MemoryBus
from infra.nats.bus import NatsBus
from infra.settings import Settings
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

USER, OTHER = "07/4e8f6c1a-user", "42/0b1c2d3e-other"


@pytest.fixture(params=["nats", "memory"])
async def bus(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bus]:
    # All of a reply is read, however slow this machine is.
    monkeypatch.setattr("infra.nats.bus.READ_SECONDS_MAX", 60.0)
    if request.param == "memory":
        yield MemoryBus()
        return
    nats_bus = NatsBus(Settings(nats_url=request.getfixturevalue("nats_url")), name="test")
    await nats_bus.start()
    await nats_bus.link.wait_connected()
    try:
        yield nats_bus
    finally:
        await nats_bus.close()


def collect(into: list[tuple[str, bytes]]) -> Callable[[str, bytes], None]:
    return lambda reply_id, entry: into.append((reply_id, entry))


async def test_tokens_arrive_in_order_with_their_reply(bus: Bus) -> None:
    got: list[tuple[str, bytes]] = []
    await bus.subscribe_tokens(USER, collect(got))
    sent = [(f"reply-{n % 3}", b"%d" % n) for n in range(300)]
    for reply_id, entry in sent:
        bus.publish_token(USER, reply_id, entry)
    await until(lambda: len(got) == len(sent))
    assert got == sent


async def test_tokens_go_to_every_subscriber_of_their_user_and_to_nobody_else(bus: Bus) -> None:
    first: list[tuple[str, bytes]] = []
    second: list[tuple[str, bytes]] = []
    other: list[tuple[str, bytes]] = []
    await bus.subscribe_tokens(USER, collect(first))
    await bus.subscribe_tokens(USER, collect(second))
    await bus.subscribe_tokens(OTHER, collect(other))
    bus.publish_token(USER, "reply", b"mine")
    bus.publish_token(OTHER, "reply", b"theirs")
    await until(lambda: bool(first and second and other))
    assert (first, second, other) == ([("reply", b"mine")], [("reply", b"mine")], [("reply", b"theirs")])


async def test_a_token_that_a_subscriber_saw_can_be_read(bus: Bus) -> None:
    got: list[tuple[str, bytes]] = []
    await bus.subscribe_tokens(USER, collect(got))
    bus.publish_token(USER, "reply", b"stored before it is repeated")
    await until(lambda: bool(got))
    assert await bus.read_tokens(USER, "reply") == [b"stored before it is repeated"]


async def test_stored_tokens_of_one_reply_are_read_in_order(bus: Bus) -> None:
    got: list[tuple[str, bytes]] = []
    await bus.subscribe_tokens(USER, collect(got))
    entries = [b"entry %d" % n for n in range(3_000)]
    for entry in entries:
        bus.publish_token(USER, "long", entry)
        bus.publish_token(USER, "other", b"noise")
    await until(lambda: len(got) == 6_000)
    assert await bus.read_tokens(USER, "long") == entries


async def test_an_unknown_reply_has_no_tokens(bus: Bus) -> None:
    bus.publish_token(USER, "reply", b"entry")
    assert await bus.read_tokens(USER, "no-such-reply") == []
    assert await bus.read_tokens(OTHER, "reply") == []


async def test_binary_and_empty_entries_pass_unchanged(bus: Bus) -> None:
    got: list[tuple[str, bytes]] = []
    await bus.subscribe_tokens(USER, collect(got))
    entries = [bytes(range(256)), b"", b"\r\nPUB x 0\r\n"]
    for entry in entries:
        bus.publish_token(USER, "reply", entry)
    await until(lambda: len(got) == 3)
    assert [entry for _, entry in got] == entries
    assert await bus.read_tokens(USER, "reply") == entries


async def test_nothing_arrives_after_unsubscribing(bus: Bus) -> None:
    got: list[tuple[str, bytes]] = []
    still: list[tuple[str, bytes]] = []
    subscription = await bus.subscribe_tokens(USER, collect(got))
    await bus.subscribe_tokens(USER, collect(still))
    await subscription.unsubscribe()
    bus.publish_token(USER, "reply", b"entry")
    await until(lambda: bool(still))
    assert got == []


async def test_a_subscriber_that_raises_harms_nobody_else(bus: Bus) -> None:
    def fail(reply_id: str, entry: bytes) -> None:
        raise RuntimeError("a bug")

    got: list[tuple[str, bytes]] = []
    await bus.subscribe_tokens(USER, fail)
    await bus.subscribe_tokens(USER, collect(got))
    bus.publish_token(USER, "reply", b"1")
    bus.publish_token(USER, "reply", b"2")
    await until(lambda: len(got) == 2)


async def test_a_hint_reaches_one_worker(bus: Bus) -> None:
    got: list[str] = []

    async def receive(user_id: str) -> bool:
        got.append(user_id)
        return True

    for _ in range(3):
        await bus.subscribe_hints(receive, concurrency=4)
    bus.hint(USER)
    await until(lambda: got == [USER])
    bus.hint(OTHER)
    await until(lambda: got == [USER, OTHER])


async def test_a_hint_from_before_waits_for_its_worker(bus: Bus) -> None:
    bus.hint(USER)
    got: list[str] = []

    async def receive(user_id: str) -> bool:
        got.append(user_id)
        return True

    await bus.subscribe_hints(receive, concurrency=1)
    await until(lambda: got == [USER])


async def test_each_user_that_was_hinted_is_received(bus: Bus) -> None:
    users = {f"{n % 64:02d}/user-{n}" for n in range(500)}
    got: set[str] = set()

    async def receive(user_id: str) -> bool:
        got.add(user_id)
        return True

    await bus.subscribe_hints(receive, concurrency=8)
    await bus.subscribe_hints(receive, concurrency=8)
    for user_id in users:
        bus.hint(user_id)
    await until(lambda: got == users)


async def test_a_hint_during_its_own_handling_is_received_again(bus: Bus) -> None:
    """Else a message that came just after the worker looked would wait for the next poll."""
    got: list[str] = []

    async def receive(user_id: str) -> bool:
        got.append(user_id)
        if len(got) == 1:
            bus.hint(user_id)
        return True

    await bus.subscribe_hints(receive, concurrency=4)
    bus.hint(USER)
    await until(lambda: got == [USER, USER])


async def test_a_hint_that_was_not_taken_comes_again(bus: Bus) -> None:
    answers = [False, False, True]
    got: list[str] = []

    async def receive(user_id: str) -> bool:
        got.append(user_id)
        return answers[len(got) - 1]

    await bus.subscribe_hints(receive, concurrency=1)
    bus.hint(USER)
    await until(lambda: len(got) == 3)


async def test_a_worker_that_raises_gets_the_hint_again(bus: Bus) -> None:
    got: list[str] = []

    async def receive(user_id: str) -> bool:
        got.append(user_id)
        if len(got) == 1:
            raise RuntimeError("a bug")
        return True

    await bus.subscribe_hints(receive, concurrency=1)
    bus.hint(USER)
    await until(lambda: len(got) == 2)


async def test_no_more_hints_run_at_once_than_was_asked_for(bus: Bus) -> None:
    running, most, done, full = 0, 0, 0, asyncio.Event()

    async def receive(user_id: str) -> bool:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        if running == 3:
            full.set()
        await full.wait()
        await asyncio.sleep(0.001)
        running -= 1
        done += 1
        return True

    await bus.subscribe_hints(receive, concurrency=3)
    for number in range(60):
        bus.hint(f"00/user-{number}")
    await until(lambda: done == 60)
    assert most == 3


async def test_unsubscribing_waits_for_what_runs_and_takes_no_more(bus: Bus) -> None:
    started, release, got = asyncio.Event(), asyncio.Event(), []

    async def receive(user_id: str) -> bool:
        started.set()
        await release.wait()
        got.append(user_id)
        return True

    subscription = await bus.subscribe_hints(receive, concurrency=1)
    bus.hint(USER)
    await started.wait()
    ending = asyncio.ensure_future(subscription.unsubscribe())
    bus.hint(OTHER)
    release.set()
    await ending
    assert got == [USER]
