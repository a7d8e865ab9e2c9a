"""The windowed publisher against a real server, and what goes wrong between the two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.nats.bus import NatsBus
from infra.nats.fact_stream import FactMessage, PublishFailed, StreamEnd
from infra.nats.publisher import Stored, WindowedPublisher
from infra.nats.streams import call_api
from infra.settings import Settings
from tests.support.nats_process import NatsProcess, nats_process
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.waiting import until, until_true

pytestmark = pytest.mark.anyio

SUBJECT = "evt.v1.07/user.task.TaskCreated"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsProcess]:
    with nats_process(tmp_path) as process:
        yield process


PATIENCE_SECONDS = 30.0  # with a server that is slow and not away


@asynccontextmanager
async def connected_bus(url: str, *, ping_seconds: float = PATIENCE_SECONDS) -> AsyncIterator[NatsBus]:
    bus = NatsBus(Settings(nats_url=url, nats_ping_seconds=ping_seconds), name="test")
    await bus.start()
    try:
        await bus.link.wait_connected()
        yield bus
    finally:
        await bus.close()


async def open_publisher(
    bus: NatsBus, *, window: int = 256, timeout_seconds: float = PATIENCE_SECONDS
) -> WindowedPublisher:
    publisher = WindowedPublisher(bus.link, window=window, timeout_seconds=timeout_seconds)
    await publisher.open()
    return publisher


@pytest.fixture
async def bus(nats_url: str) -> AsyncIterator[NatsBus]:
    async with connected_bus(nats_url) as bus:
        yield bus


def identified(number: int) -> dict[str, str]:
    return {"Nats-Msg-Id": f"test:{number}"}


async def publish_from(
    publisher: WindowedPublisher, numbers: range, *, after: int
) -> list[Stored | PublishFailed | BaseException]:
    """What became of each that was sent; the publisher's refusal ends the sending."""
    futures = []
    try:
        for place, number in enumerate(numbers):
            body = str(number).encode()
            futures.append(await publisher.publish(SUBJECT, body, identified(number), after=after + place))
    except PublishFailed:
        pass
    return await asyncio.gather(*futures, return_exceptions=True)


async def stored_bodies(bus: NatsBus) -> list[bytes]:
    """All messages of the stream in order."""
    state = await stream_state(bus)
    bodies = []
    for sequence in range(state["first_seq"], state["last_seq"] + 1):
        asked = b'{"seq":%d}' % sequence
        message = await bus.link.request("$JS.API.DIRECT.GET.EVT", asked, timeout_seconds=PATIENCE_SECONDS)
        bodies.append(message.data)
    return bodies if state["messages"] else []


async def stream_state(bus: NatsBus) -> dict[str, int]:
    answer = await bus.link.request("$JS.API.STREAM.INFO.EVT", timeout_seconds=PATIENCE_SECONDS)
    state: dict[str, int] = json.loads(answer.data)["state"]
    return state


async def last_sequence(bus: NatsBus) -> int:
    return (await stream_state(bus))["last_seq"]


async def test_all_are_stored_in_the_order_of_publishing(bus: NatsBus) -> None:
    publisher = await open_publisher(bus, window=50)
    outcomes = await publish_from(publisher, range(500), after=0)
    assert outcomes == [Stored(sequence) for sequence in range(1, 501)]
    assert await stored_bodies(bus) == [str(n).encode() for n in range(500)]
    assert publisher.unacknowledged == 0


async def test_never_more_than_the_window_is_on_its_way(bus: NatsBus) -> None:
    publisher = await open_publisher(bus, window=8)
    most = 0
    futures = []
    for number in range(200):
        futures.append(await publisher.publish(SUBJECT, b"x", identified(number)))
        most = max(most, publisher.unacknowledged)
    await asyncio.gather(*futures)
    assert most == 8


async def test_the_same_id_again_is_stored_once_and_says_where(bus: NatsBus) -> None:
    publisher = await open_publisher(bus)
    first = await (await publisher.publish(SUBJECT, b"x", identified(1)))
    second = await (await publisher.publish(SUBJECT, b"x", identified(1)))
    assert (first, second) == (Stored(1), Stored(1, duplicate=True))
    assert await last_sequence(bus) == 1


async def test_an_id_that_the_server_remembers_from_a_purged_message_is_told_apart(bus: NatsBus) -> None:
    publisher = await open_publisher(bus)
    await publish_from(publisher, range(3), after=0)
    await call_api(bus.link, "STREAM.PURGE.EVT", {})
    future = await publisher.publish(SUBJECT, b"1", identified(1), after=3)
    with pytest.raises(PublishFailed) as failure:
        await future
    assert failure.value.code == "remembered"


async def test_an_error_answer_fails_that_message_and_all_after_it(bus: NatsBus) -> None:
    """Message 3 of 10 expects another end of the stream: 1 and 2 are stored, the rest is not."""
    publisher = await open_publisher(bus, window=100)
    futures = []
    for number in range(10):
        after = 77 if number == 2 else number
        futures.append(await publisher.publish(SUBJECT, b"%d" % number, identified(number), after=after))
    outcomes = await asyncio.gather(*futures, return_exceptions=True)
    assert outcomes[:2] == [Stored(1), Stored(2)]
    assert [getattr(outcome, "code", None) for outcome in outcomes[2:]] == ["moved"] * 8
    with pytest.raises(PublishFailed):
        await publisher.publish(SUBJECT, b"later", identified(99), after=2)
    assert await stored_bodies(bus) == [b"0", b"1"]


async def test_a_relay_that_is_wrong_about_the_end_stores_nothing(bus: NatsBus) -> None:
    """Two may lead for a moment. Were all sent at once, those of the late one that expect what the other has
    reached by now would be taken, over a gap."""
    facts = await bus.fact_stream()
    end = await facts.end()
    other = await open_publisher(bus)
    await publish_from(other, range(5), after=0)
    messages = [FactMessage(SUBJECT, identified(1_000 + number), b"late %d" % number) for number in range(20)]
    with pytest.raises(PublishFailed) as failure:
        await facts.publish(messages, after=end.sequence)
    assert failure.value.code == "moved"
    await bus.link.round_trip()
    assert await stored_bodies(bus) == [b"0", b"1", b"2", b"3", b"4"]


async def test_the_end_of_a_stream_whose_last_messages_were_deleted_can_be_published_after(bus: NatsBus) -> None:
    facts = await bus.fact_stream()
    publisher = await open_publisher(bus)
    headers = {"ce-globalpos": "70", "ce-generation": "g"}
    await (await publisher.publish(SUBJECT, b"kept", headers))
    await publish_from(publisher, range(2), after=1)
    for sequence in (2, 3):
        await call_api(bus.link, "STREAM.MSG.DELETE.EVT", {"seq": sequence})
    assert await facts.end() == StreamEnd(3, 70, "g")
    await facts.publish([FactMessage(SUBJECT, identified(9), b"next")], after=3)
    assert await last_sequence(bus) == 4


async def test_after_a_restart_of_the_publisher_it_goes_on(bus: NatsBus) -> None:
    publisher = await open_publisher(bus)
    await publish_from(publisher, range(1), after=55)
    publisher.restart()
    assert await publish_from(publisher, range(3), after=0) == [Stored(1), Stored(2), Stored(3)]


async def test_a_subject_without_a_stream_is_told_at_once(bus: NatsBus) -> None:
    publisher = await open_publisher(bus)
    future = await publisher.publish("nobody.listens", b"x", {})
    with pytest.raises(PublishFailed) as failure:
        await future
    assert failure.value.code == "no_stream"


async def test_a_message_that_is_too_large_for_the_server_is_refused_before_it_is_sent(bus: NatsBus) -> None:
    publisher = await open_publisher(bus)
    with pytest.raises(PublishFailed):
        await publisher.publish(SUBJECT, bytes(2_000_000), {})
    publisher.restart()
    assert await publish_from(publisher, range(1), after=0) == [Stored(1)]


async def test_every_future_resolves_when_the_server_is_killed_in_mid_window(server: NatsProcess) -> None:
    async with connected_bus(server.url) as bus:
        publisher = await open_publisher(bus, window=400)
        sending = asyncio.ensure_future(publish_from(publisher, range(5_000), after=0))
        await until(lambda: publisher.unacknowledged > 100)
        server.kill()
        outcomes = await sending
        acknowledged = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
        assert outcomes[: len(acknowledged)] == acknowledged, "after the first failure nothing succeeds"
        assert {type(outcome) for outcome in outcomes[len(acknowledged) :]} == {PublishFailed}

        server.start()
        await bus.link.wait_connected()
        stored = await stored_bodies(bus)
        assert len(stored) >= len(acknowledged), "what was acknowledged outlives a killed server"
        assert stored == [b"%d" % n for n in range(len(stored))], "no hole, no double"
        publisher.restart()
        rest = range(len(stored), len(stored) + 1_000)
        assert all(isinstance(o, Stored) for o in await publish_from(publisher, rest, after=len(stored)))


async def test_a_frozen_server_fails_what_is_on_its_way_and_its_late_storing_does_no_harm(server: NatsProcess) -> None:
    async with connected_bus(server.url, ping_seconds=1.0) as bus:
        publisher = await open_publisher(bus, window=400)
        assert await publish_from(publisher, range(3), after=0) == [Stored(1), Stored(2), Stored(3)]
        hasty = await open_publisher(bus, window=400, timeout_seconds=1.0)
        server.pause()
        outcomes = await publish_from(hasty, range(3, 200), after=3)
        assert {getattr(outcome, "code", None) for outcome in outcomes} <= {"timeout", "away"}
        await bus.link.session_over.wait()  # noticed by the pings alone
        server.resume()
        await bus.link.wait_connected()
        publisher.restart()
        end = await last_sequence(bus)
        rest = await publish_from(publisher, range(end, 200), after=end)
        if not all(isinstance(outcome, Stored) for outcome in rest):  # the old ones came in while we looked
            publisher.restart()
            end = await last_sequence(bus)
            await publish_from(publisher, range(end, 200), after=end)
        assert await stored_bodies(bus) == [b"%d" % n for n in range(200)]


async def test_lost_acknowledgements_are_found_stored(server: NatsProcess) -> None:
    """The proxy throws away what the server answers: all is stored, nothing is known."""
    async with proxied(server) as (proxy, url), connected_bus(url) as bus, connected_bus(server.url) as witness:
        publisher = await open_publisher(bus, window=100, timeout_seconds=0.5)
        proxy.swallow("down")
        outcomes = await publish_from(publisher, range(100), after=0)
        assert {getattr(outcome, "code", None) for outcome in outcomes} == {"timeout"}
        assert publisher.unacknowledged == 0, "memory is bounded"

        async def is_stored() -> bool:
            return await last_sequence(witness) == 100

        await until_true(is_stored)
        proxy.swallow()
        proxy.cut()
        await bus.link.session_over.wait()
        await bus.link.wait_connected()
        assert await stored_bodies(bus) == [b"%d" % n for n in range(100)]


async def test_a_connection_cut_in_mid_message_leaves_no_hole(server: NatsProcess) -> None:
    async with proxied(server) as (proxy, url), connected_bus(url) as bus:
        publisher = await open_publisher(bus, window=100)
        proxy.cut_after(10_001, "up")
        outcomes = await publish_from(publisher, range(1_000), after=0)
        assert isinstance(outcomes[-1], PublishFailed)
        await bus.link.wait_connected()
        end = await last_sequence(bus)
        assert await stored_bodies(bus) == [b"%d" % n for n in range(end)]
        publisher.restart()
        rest = await publish_from(publisher, range(end, 1_000), after=end)
        assert all(isinstance(outcome, Stored) for outcome in rest)


async def test_a_slow_network_only_makes_it_slow(server: NatsProcess) -> None:
    async with proxied(server) as (proxy, url), connected_bus(url) as bus:
        publisher = await open_publisher(bus, window=100)
        proxy.delay_seconds = 0.02
        outcomes = await publish_from(publisher, range(500), after=0)
        assert outcomes == [Stored(sequence) for sequence in range(1, 501)]


async def test_nothing_is_sent_while_nats_is_away(server: NatsProcess) -> None:
    async with connected_bus(server.url) as bus:
        publisher = await open_publisher(bus)
        server.kill()
        await bus.link.session_over.wait()
        publisher.restart()
        with pytest.raises(PublishFailed) as failure:
            await publisher.publish(SUBJECT, b"x", {})
        assert failure.value.code == "away"


@asynccontextmanager
async def proxied(server: NatsProcess) -> AsyncIterator[tuple[TcpProxy, str]]:
    """A proxy before the server, and the server's URL through it."""
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    async with tcp_proxy(address.hostname, address.port) as proxy:
        yield proxy, f"nats://{address.username}@127.0.0.1:{proxy.port}"
