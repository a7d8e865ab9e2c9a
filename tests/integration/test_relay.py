"""The relay between a real Postgres and a real NATS, with what can happen to both."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from domain.ports import StoredEvent
from infra.clock import SystemClock
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.nats.bus import NatsBus
from infra.nats.link import NatsAway
from infra.nats.streams import call_api
from infra.postgres import open_pool
from infra.settings import Settings
from tests.support.facts import append_sessions
from tests.support.nats_process import NatsProcess, nats_process
from tests.support.patience import PATIENCE
from tests.support.tcp_proxy import tcp_proxy
from tests.support.waiting import until, until_true
from workers.relay import Relay

pytestmark = pytest.mark.anyio

USERS = ("00/one", "17/two", "63/three")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsProcess]:
    with nats_process(tmp_path / "nats") as process:
        yield process


@pytest.fixture
async def log(database_url: str) -> AsyncIterator[PostgresEventLog]:
    settings = Settings(database_url=database_url, **PATIENCE)
    async with open_pool(settings, "test") as pool, open_event_log(settings, pool) as log:
        yield log


class AlwaysLeads:
    async def acquire(self, role: str, lease_seconds: float) -> int | None:
        return 1

    async def resign(self, role: str) -> None:
        pass


class Writer:
    """Appends events of now, as users do."""

    def __init__(self, log: PostgresEventLog) -> None:
        self._log = log
        self._versions = dict.fromkeys(USERS, 0)

    async def append(self, count: int, user_id: str | None = None) -> None:
        user = user_id or random.choice(USERS)
        now_ms = SystemClock().now_ms()
        self._versions[user] = await append_sessions(self._log, user, self._versions[user], count, at_ms=now_ms)


@asynccontextmanager
async def relaying(log: PostgresEventLog, url: str) -> AsyncIterator[NatsBus]:
    """A relay that thinks it leads, over a connection of its own."""
    settings = Settings(nats_url=url)
    bus = NatsBus(settings, name="relay")
    await bus.start()
    relay = Relay(log, await bus.fact_stream(), AlwaysLeads(), SystemClock(), settings)
    task = asyncio.create_task(relay.run())
    try:
        yield bus
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bus.close()


async def published(bus: NatsBus) -> list[tuple[str, dict[str, str], bytes]]:
    """Subject, headers and body of all messages, in order; none while the server does not answer."""
    await bus.link.wait_connected()
    try:
        info = await call_api(bus.link, "STREAM.INFO.EVT")
        if "error" in info or not info["state"]["messages"]:
            return []
        body = {"seq": info["state"]["first_seq"], "next_by_subj": "evt.v1.>", "batch": 100_000}
        replies, _ = await bus.link.exchange(
            "$JS.API.DIRECT.GET.EVT",
            json.dumps(body).encode(),
            is_last=lambda message: "Status" in (message.headers or {}),
            timeout_seconds=30.0,
        )
    except NatsAway:
        return []
    return [(m.headers["Nats-Subject"], m.headers, m.data) for m in replies if m.headers and m.data]


async def until_published(bus: NatsBus, log: PostgresEventLog) -> list[tuple[str, dict[str, str], bytes]]:
    """Everything that stands in the log stands in the stream: once, in that order, in those bytes."""
    last = await log.last_position()
    messages: list[tuple[str, dict[str, str], bytes]] = []

    async def is_complete() -> bool:
        nonlocal messages
        messages = await published(bus)
        return bool(messages) and messages[-1][1]["ce-globalpos"] == str(last)

    await until_true(is_complete)
    events = await whole_log(log)
    assert [int(headers["ce-globalpos"]) for _, headers, _ in messages] == [event.position for event in events]
    assert [body for *_, body in messages] == [event.state for event in events]
    return messages


async def whole_log(log: PostgresEventLog) -> list[StoredEvent]:
    return [event async for event in all_events(log)]


async def all_events(log: PostgresEventLog) -> AsyncIterator[StoredEvent]:
    after = 0
    while page := await log.read_log(after=after):
        after = page[-1].position
        for event in page:
            yield event


async def test_an_event_becomes_a_cloudevent(log: PostgresEventLog, nats_url: str) -> None:
    await Writer(log).append(1, "17/two")
    async with relaying(log, nats_url) as bus:
        [(subject, headers, body)] = await until_published(bus, log)
    [event] = await whole_log(log)
    assert subject == "evt.v1.17/two.session.SessionOpened"
    assert body == event.state
    generation = await log.generation()
    assert {name: value for name, value in headers.items() if name != "ce-time" and "Nats" not in name} == {
        "ce-specversion": "1.0",
        "ce-id": json.loads(body)["event_id"],
        "ce-source": "urn:microcos:log:0",
        "ce-type": "microcos.SessionOpened",
        "ce-subject": "17/two",
        "ce-userversion": "1",
        "ce-globalpos": str(event.position),
        "ce-generation": generation,
        "content-type": "application/json",
    }
    assert headers["Nats-Msg-Id"] == f"{generation}:{event.position}"


async def test_all_events_are_published_while_they_come(log: PostgresEventLog, nats_url: str) -> None:
    writer = Writer(log)
    async with relaying(log, nats_url) as bus:
        for _ in range(60):
            await writer.append(random.randint(1, 30))
        await until_published(bus, log)


async def test_the_next_relay_goes_on_where_the_last_one_stopped(log: PostgresEventLog, nats_url: str) -> None:
    writer = Writer(log)
    for _ in range(3):
        await writer.append(50)
        async with relaying(log, nats_url) as bus:
            await until_published(bus, log)


async def test_two_relays_that_both_lead_publish_nothing_twice(log: PostgresEventLog, nats_url: str) -> None:
    writer = Writer(log)
    async with relaying(log, nats_url) as bus, relaying(log, nats_url):
        for _ in range(60):
            await writer.append(random.randint(1, 30))
        await until_published(bus, log)


async def test_a_killed_server_misses_nothing(log: PostgresEventLog, server: NatsProcess) -> None:
    writer = Writer(log)
    async with relaying(log, server.url) as bus:
        await writer.append(1_000)
        await bus.link.wait_connected()
        for _ in range(3):
            await writer.append(1_000)
            server.restart()
            await writer.append(10)
        await until_published(bus, log)


async def test_a_wiped_store_is_filled_again_though_nothing_new_happens(
    log: PostgresEventLog, server: NatsProcess
) -> None:
    async with relaying(log, server.url) as bus:
        await Writer(log).append(1_000)
        await until_published(bus, log)
        server.restart(wipe=True)
        await bus.link.session_over.wait()
        await until_published(bus, log)


async def test_a_store_set_back_to_an_older_copy_gets_what_it_lost(
    log: PostgresEventLog, server: NatsProcess, tmp_path: Path
) -> None:
    writer = Writer(log)
    async with relaying(log, server.url) as bus:
        await writer.append(500)
        await until_published(bus, log)
        server.kill()
        older = server.copy_store(tmp_path / "copy")
        server.start()
        await writer.append(700)
        await until_published(bus, log)
        server.restart(store=older)
        await bus.link.session_over.wait()
        await until_published(bus, log)


async def test_a_stream_that_was_deleted_is_filled_again(log: PostgresEventLog, nats_url: str) -> None:
    writer = Writer(log)
    async with relaying(log, nats_url) as bus:
        await writer.append(100)
        await until_published(bus, log)
        await call_api(bus.link, "STREAM.DELETE.EVT", {})
        await writer.append(100)
        await until_published(bus, log)


async def test_a_purged_stream_is_filled_again_by_the_next_relay(log: PostgresEventLog, nats_url: str) -> None:
    """The server remembers the ids of what it purged and would swallow it."""
    await Writer(log).append(100)
    async with relaying(log, nats_url) as bus:
        await until_published(bus, log)
        await call_api(bus.link, "STREAM.PURGE.EVT", {})
    async with relaying(log, nats_url) as bus:
        await until_published(bus, log)


async def test_somebody_elses_message_at_the_end_only_costs_a_repetition(log: PostgresEventLog, nats_url: str) -> None:
    """With ids that the server remembers, or without: each event of ours is there at least once, and goes on."""
    writer = Writer(log)
    await writer.append(5)
    async with relaying(log, nats_url) as bus:
        await until_published(bus, log)
        bus.link.send("evt.v1.17/two.session.Forged", b"{}")
        await bus.link.round_trip(timeout_seconds=30.0)
    await writer.append(5)
    async with relaying(log, nats_url) as bus:
        last = await log.last_position()
        messages: list[tuple[str, dict[str, str], bytes]] = []
        async with asyncio.timeout(60):
            while not messages or messages[-1][1].get("ce-globalpos") != str(last):
                messages = await published(bus)
    ours = [headers["ce-globalpos"] for _, headers, _ in messages if "ce-globalpos" in headers]
    assert list(dict.fromkeys(ours)) == [str(event.position) for event in await whole_log(log)]


async def test_a_frozen_server_gets_each_event_once(log: PostgresEventLog, server: NatsProcess) -> None:
    """What was on its way is stored after the thaw, from a connection that was given up: it must not double."""
    writer = Writer(log)
    async with relaying(log, server.url) as bus:
        await writer.append(200)
        await until_published(bus, log)
        server.pause()
        await writer.append(2_000)
        await bus.link.session_over.wait()
        await writer.append(100)
        server.resume()
        await until_published(bus, log)


async def test_lost_acknowledgements_lead_to_no_doubles(log: PostgresEventLog, server: NatsProcess) -> None:
    writer = Writer(log)
    address = urlsplit(server.url)
    assert address.hostname is not None
    assert address.port is not None
    async with tcp_proxy(address.hostname, address.port) as proxy:
        url = f"nats://{address.username}@127.0.0.1:{proxy.port}"
        async with relaying(log, url) as bus:
            await writer.append(100)
            await until_published(bus, log)
            for round_number in range(6):
                over = bus.link.session_over
                if round_number % 2:
                    proxy.swallow("down")
                else:
                    proxy.cut_after(random.randint(1, 40_000), "up")
                await writer.append(300)
                await over.wait()
                proxy.swallow()
                proxy.cut()
                await until_published(bus, log)


async def test_a_server_that_is_down_at_start_is_waited_for(log: PostgresEventLog, server: NatsProcess) -> None:
    server.kill()
    await Writer(log).append(10)
    async with relaying(log, server.url) as bus:
        await until(lambda: bus.problem is not None)
        server.start()
        await until_published(bus, log)
