"""The relay's rate: the whole log out of Postgres, into NATS, each event acknowledged, in order.

Against the publisher alone with the same messages, which is all that NATS and its client let through.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.figures import Figure
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_servers
from infra import codec
from infra.clock import SystemClock
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.leases import PostgresLeaders
from infra.nats.bus import NatsBus
from infra.nats.fact_stream import FactMessage, fact_message
from infra.nats.streams import call_api
from infra.postgres import open_pool
from infra.queries import Queries
from tests.support.facts import append_sessions
from tests.support.waiting import until_true
from workers.relay import Relay

USERS = 50
EVENTS_A_COMMAND = 20
GOAL_PER_SECOND = 10_000


def measure(run: Run) -> list[Figure]:
    events = run.count(100_000, 20_000)
    with fresh_servers() as database:
        relay_rate, publisher_rate = run.wait_for(_rates(database, events), seconds=300.0)
    return [
        Figure(
            name=f"relay, {events:,} events out of the log, acknowledged by NATS",
            measured=f"{relay_rate:,.0f} events/s",
            against=f"{publisher_rate:,.0f} events/s, publishing alone",
            ratio=relay_rate / publisher_rate,
            goal=f"≥ {GOAL_PER_SECOND:,} events/s",
            met=relay_rate >= GOAL_PER_SECOND,
            note="one process, the window of the default settings; short events, 11 headers each",
        )
    ]


async def _rates(database: Database, events: int) -> tuple[float, float]:
    settings = database.settings
    bus = NatsBus(settings, name="benchmark")
    await bus.start()
    async with open_pool(settings, "benchmark") as pool, open_event_log(settings, pool) as log:
        await asyncio.gather(*(_fill(log, f"{n:02d}/user", events // USERS) for n in range(USERS)))
        await bus.link.wait_connected()
        relay = Relay(
            log, await bus.fact_stream(), PostgresLeaders(Queries(pool), "benchmark"), SystemClock(), settings
        )
        began = time.perf_counter()
        relaying = asyncio.create_task(relay.run())
        await _until_stored(bus, events)
        relay_rate = events / (time.perf_counter() - began)
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)

        messages = await _messages(log)
        await call_api(bus.link, "STREAM.DELETE.EVT", {})
        bus.link.distrust()
        await bus.link.wait_connected()
        facts = await bus.fact_stream()
        began = time.perf_counter()
        await facts.publish(messages, after=0)
        publisher_rate = len(messages) / (time.perf_counter() - began)
    await bus.close()
    return relay_rate, publisher_rate


async def _fill(log: PostgresEventLog, user_id: str, count: int) -> None:
    now_ms, version = SystemClock().now_ms(), 0
    while version < count:
        version = await append_sessions(log, user_id, version, EVENTS_A_COMMAND, at_ms=now_ms)


async def _until_stored(bus: NatsBus, count: int) -> None:
    async def are_stored() -> bool:
        return bool((await call_api(bus.link, "STREAM.INFO.EVT"))["state"]["messages"] >= count)

    await until_true(are_stored, seconds=200.0)


async def _messages(log: PostgresEventLog) -> list[FactMessage]:
    messages: list[FactMessage] = []
    after = 0
    while page := await log.read_log(after=after):
        after = page[-1].position
        messages += [fact_message(event, codec.peek(event), log="0", generation="benchmark") for event in page]
    return messages
