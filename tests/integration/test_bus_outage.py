"""The bus while NATS is away, frozen, wiped, or set up by somebody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from infra.keys.local import stored
from infra.nats.bus import NatsBus
from infra.nats.link import NatsAway
from infra.nats.streams import TOKENS_PER_REPLY_MAX, call_api
from infra.settings import Settings
from tests.support.nats_process import NatsProcess, nats_process
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

USER, OTHER = "07/4e8f6c1a-user", "42/0b1c2d3e-other"
STREAMS = ("EVT", "JOB", "TOK")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a reply is read, however slow this machine is."""
    monkeypatch.setattr("infra.nats.bus.READ_SECONDS_MAX", 60.0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsProcess]:
    with nats_process(tmp_path) as process:
        yield process


@asynccontextmanager
async def started_bus(url: str) -> AsyncIterator[NatsBus]:
    """Not waited for."""
    bus = NatsBus(Settings(nats_url=url), name="test")
    await bus.start()
    try:
        yield bus
    finally:
        await bus.close()


class Worker:
    def __init__(self) -> None:
        self.users: list[str] = []

    async def receive(self, user_id: str) -> bool:
        self.users.append(user_id)
        return True


async def test_a_process_starts_and_stops_while_nats_is_down(server: NatsProcess) -> None:
    server.kill()
    async with started_bus(server.url) as bus:
        assert not bus.connected
        bus.hint(USER)
        bus.publish_token(USER, "reply", b"dropped")
        assert await bus.read_tokens(USER, "reply") == []
    server.start()


async def test_without_a_url_it_says_so_and_all_else_goes_on() -> None:
    async with started_bus("") as bus:
        assert bus.problem == "MICROCOS_NATS_URL is not set"
        bus.hint(USER)
        bus.publish_token(USER, "reply", b"dropped")
        await bus.subscribe_tokens(USER, lambda _, entry: None)
        assert await bus.read_tokens(USER, "reply") == []


async def test_what_was_sent_just_before_the_end_arrives(nats_url: str) -> None:
    async with started_bus(nats_url) as other:
        await other.link.wait_connected()
        got: list[bytes] = []
        await other.subscribe_tokens(USER, lambda _, entry: got.append(entry))
        async with started_bus(nats_url) as bus:
            await bus.link.wait_connected()
            for number in range(1_000):
                bus.publish_token(USER, "reply", b"%d" % number)
        await until(lambda: len(got) == 1_000)


async def test_what_was_subscribed_while_nats_was_down_is_in_force_once_it_is_up(server: NatsProcess) -> None:
    server.kill()
    async with started_bus(server.url) as bus:
        got: list[bytes] = []
        worker = Worker()
        await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
        subscription = await bus.subscribe_hints(worker.receive, concurrency=1)
        await until(lambda: bus.problem is not None)
        server.start()
        await bus.link.wait_connected()
        bus.publish_token(USER, "reply", b"entry")
        bus.hint(USER)
        await until(lambda: got == [b"entry"] and worker.users == [USER])
        assert bus.problem is None
        await subscription.unsubscribe()


@pytest.mark.parametrize("wipe", [False, True])
async def test_it_goes_on_after_the_server_was_killed(server: NatsProcess, wipe: bool) -> None:
    async with started_bus(server.url) as bus:
        await bus.link.wait_connected()
        got: list[bytes] = []
        worker = Worker()
        await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
        subscription = await bus.subscribe_hints(worker.receive, concurrency=1)
        server.kill()
        await bus.link.session_over.wait()
        bus.publish_token(USER, "reply", b"stale by the time it could be sent")
        server.start()
        server.restart(wipe=wipe)
        await bus.link.wait_connected()
        await until(lambda: bus.connected)
        bus.publish_token(USER, "reply", b"fresh")
        bus.hint(USER)
        await until(lambda: got == [b"fresh"] and worker.users == [USER])
        assert await bus.read_tokens(USER, "reply") == [b"fresh"]
        await subscription.unsubscribe()


async def test_a_frozen_server_blocks_nobody_and_is_noticed(server: NatsProcess) -> None:
    async with started_bus(server.url) as bus:
        await bus.link.wait_connected()
        got: list[bytes] = []
        await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
        server.pause()
        for number in range(20_000):  # more than a socket holds
            bus.publish_token(USER, "reply", b"%600d" % number)
            if number % 100 == 0:
                await asyncio.sleep(0)
        assert await bus.read_tokens(USER, "reply") == []
        await bus.subscribe_tokens(USER, lambda _, entry: None)
        await bus.link.session_over.wait()
        assert not bus.connected
        server.resume()
        await bus.link.wait_connected()
        bus.publish_token(USER, "other", b"after")
        await until(lambda: b"after" in got)


async def test_requests_fail_with_the_connection_and_not_at_their_deadline(server: NatsProcess) -> None:
    async with started_bus(server.url) as bus:
        await bus.link.wait_connected()
        server.pause()
        asking = asyncio.ensure_future(bus.link.request("$JS.API.INFO", timeout_seconds=3_600.0))
        await bus.link.session_over.wait()
        with pytest.raises(NatsAway):
            await asking
        server.resume()


async def test_a_client_that_the_server_turned_away_for_good_is_made_anew(server: NatsProcess) -> None:
    """nats-py closes itself for ever when it meets another token."""
    url, token_file = server.url, server.server.data_dir / "keys" / "nats_token"
    token = token_file.read_text()
    async with started_bus(url) as bus:
        await bus.link.wait_connected()
        got: list[bytes] = []
        await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
        server.kill()
        token_file.write_text("another-token")
        server.start()
        await until(lambda: bus.problem is not None)
        server.kill()
        token_file.write_text(token)
        server.start()
        assert stored(server.server.data_dir, "nats_token", str) == token
        await bus.link.wait_connected()
        bus.publish_token(USER, "reply", b"entry")
        await until(lambda: got == [b"entry"])


async def test_a_stream_that_was_deleted_under_a_worker_comes_back(nats_url: str) -> None:
    async with started_bus(nats_url) as bus:
        await bus.link.wait_connected()
        worker = Worker()
        subscription = await bus.subscribe_hints(worker.receive, concurrency=1)
        bus.hint(USER)
        await until(lambda: worker.users == [USER])
        await call_api(bus.link, "STREAM.DELETE.JOB", {})
        await bus.link.session_over.wait()
        await bus.link.wait_connected()
        bus.hint(OTHER)  # the first one may come again: it is not known whether its acknowledgement was stored
        await until(lambda: OTHER in worker.users)
        await subscription.unsubscribe()


async def test_streams_are_made_once_and_found_again(nats_url: str) -> None:
    async with started_bus(nats_url) as first:
        await first.link.wait_connected()
        made = {name: (await call_api(first.link, f"STREAM.INFO.{name}"))["created"] for name in STREAMS}
        async with started_bus(nats_url) as second:
            await second.link.wait_connected()
            found = {name: (await call_api(second.link, f"STREAM.INFO.{name}"))["created"] for name in STREAMS}
    assert found == made


async def test_many_processes_may_start_at_once(nats_url: str) -> None:
    buses = [NatsBus(Settings(nats_url=nats_url), name="test") for _ in range(12)]
    await asyncio.gather(*(bus.start() for bus in buses))
    await asyncio.gather(*(bus.link.wait_connected() for bus in buses))
    await asyncio.gather(*(bus.close() for bus in buses))


async def test_drift_is_corrected_and_what_is_the_operators_is_left_alone(nats_url: str) -> None:
    async with started_bus(nats_url) as bus:
        await bus.link.wait_connected()
        config = (await call_api(bus.link, "STREAM.INFO.EVT"))["config"]
        changed = {**config, "max_age": 60_000_000_000, "duplicate_window": 60_000_000_000, "description": "ours"}
        assert "error" not in await call_api(bus.link, "STREAM.UPDATE.EVT", changed)
        bus.link.distrust()
        await bus.link.wait_connected()
        found = (await call_api(bus.link, "STREAM.INFO.EVT"))["config"]
    assert {**found, "description": None} == {**config, "description": None}
    assert found["description"] == "ours"


async def test_what_cannot_be_corrected_is_refused_with_what_to_do(nats_url: str) -> None:
    async with started_bus(nats_url) as bus:
        await bus.link.wait_connected()
        await call_api(bus.link, "STREAM.DELETE.TOK", {})
        await call_api(bus.link, "STREAM.CREATE.TOK", {"name": "TOK", "subjects": ["tok.>"], "storage": "file"})
        bus.link.distrust()
        await until(lambda: bus.problem is not None)
        assert not bus.connected
        assert bus.problem is not None
        assert "TOK" in bus.problem
        assert "'storage': 'file'" in bus.problem
        assert "delete it" in bus.problem


async def test_somebody_elses_stream_over_our_subjects_is_told(server: NatsProcess) -> None:
    async with started_bus(server.url) as bus:
        await bus.link.wait_connected()
        await call_api(bus.link, "STREAM.DELETE.EVT", {})
        await call_api(bus.link, "STREAM.CREATE.FOREIGN", {"name": "FOREIGN", "subjects": ["evt.>"], "storage": "file"})
        bus.link.distrust()
        await until(lambda: bus.problem is not None)
        assert bus.problem is not None
        assert "overlap" in bus.problem


async def test_a_reply_with_more_tokens_than_one_batch_of_the_server_is_read_whole(nats_url: str) -> None:
    """The server ends a batch at 64 MiB."""
    async with started_bus(nats_url) as bus:
        await bus.link.wait_connected()
        got: list[bytes] = []
        await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
        entries = [b"%8d" % number + bytes(120_000) for number in range(600)]
        for entry in entries:
            bus.publish_token(USER, "long", entry)
            while len(got) < int(entry[:8]) - 20:
                await asyncio.sleep(0.001)
        await until(lambda: len(got) == len(entries))
        assert await bus.read_tokens(USER, "long") == entries


async def test_the_oldest_tokens_of_a_reply_go_first(nats_url: str) -> None:
    async with started_bus(nats_url) as bus:
        await bus.link.wait_connected()
        got: list[bytes] = []
        await bus.subscribe_tokens(USER, lambda _, entry: got.append(entry))
        count = TOKENS_PER_REPLY_MAX + 500
        for number in range(count):
            bus.publish_token(USER, "endless", b"%d" % number)
        await until(lambda: len(got) == count)
        kept = await bus.read_tokens(USER, "endless")
    assert kept == [b"%d" % number for number in range(500, count)]
