"""A token from the worker's hand to the client's queue in an API process, against core NATS alone at the same pace.

Two processes in both cases. Ours: sealed, stored in a memory stream, republished, opened, merged and encoded, kept in
segments. The floor: published, received, put into a queue.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import msgspec
import nats

from api.app import open_api
from api.live.frames import Encoded
from api.live.hub_registry import HubRegistry
from benchmarks.figures import Figure, p50_p99, percentile
from benchmarks.http_client import fields_of
from benchmarks.programs import Program, program
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_servers
from benchmarks.token_program import FLOOR_SUBJECT
from infra.settings import Settings

STREAMS = 50
TOKENS_A_SECOND = 100.0
SETTLE_SECONDS = 2.0
GOAL = 3.0

_decode = msgspec.json.decode


def measure(run: Run) -> list[Figure]:
    seconds = float(run.count(10, 4))
    with fresh_servers() as database:
        floor, lost_floor = run.wait_for(_floor(database, seconds), seconds=60)
        run.say(f"core NATS: {p50_p99(floor)}")
        ours, lost = run.wait_for(_ours(database, seconds), seconds=90)
        run.say(f"ours: {p50_p99(ours)}")
        again, _ = run.wait_for(_floor(database, seconds), seconds=60)
        run.say(f"core NATS again: {p50_p99(again)}")
    both = floor + again
    ratios = [percentile(ours, part) / percentile(both, part) for part in (0.5, 0.99)]
    return [
        Figure(
            name=f"token latency, {STREAMS} replies × {TOKENS_A_SECOND:.0f} tokens/s",
            measured=f"p50/p99 {p50_p99(ours)}",
            against=f"core NATS: {p50_p99(floor)} before, {p50_p99(again)} after",
            ratio=max(ratios),
            goal=f"p50, p99 ≤ {GOAL:.0f}×",
            met=max(ratios) <= GOAL and not lost,
            note=f"{ratios[0]:.2f}× at p50, {ratios[1]:.2f}× at p99; of {len(ours) + lost:,} tokens {lost} lost"
            f" (core NATS: {lost_floor})",
        )
    ]


async def _floor(database: Database, seconds: float) -> tuple[list[float], int]:
    """Latencies in seconds, and how many never came."""
    took: list[float] = []
    client = await nats.connect(database.nats_url)
    queues: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in range(STREAMS)]

    async def receive(message: Any) -> None:
        queues[int(message.subject.rpartition(".")[2])].put_nowait(message.data)

    async def read(queue: asyncio.Queue[bytes]) -> None:
        while True:
            token = (await queue.get()).partition(b" ")[0]
            took.append(time.monotonic() - int(token.rpartition(b":")[2], 16) / 1e6)

    await client.subscribe(f"{FLOOR_SUBJECT}.*", cb=receive)
    await client.flush()
    readers = [asyncio.create_task(read(queue)) for queue in queues]
    with _sender("floor", seconds, database.settings) as sender:
        sent = await _send(sender)
    for reader in readers:
        reader.cancel()
    await client.close()
    return took, sent - len(took)


async def _ours(database: Database, seconds: float) -> tuple[list[float], int]:
    took: list[float] = []
    with _sender("ours", seconds, database.settings) as sender:
        async with open_api(database.settings) as opened:
            readers = [
                asyncio.create_task(_read(opened.streams, user_id, session_id, took))
                for user_id, session_id in sender.told["users"]
            ]
            await asyncio.sleep(SETTLE_SECONDS)
            sent = await _send(sender)
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
    return took, sent - len(took)


def _sender(which: str, seconds: float, settings: Settings) -> Any:
    arguments = (which, str(STREAMS), str(TOKENS_A_SECOND), str(seconds))
    return program("benchmarks.token_program", *arguments, settings=settings)


async def _send(sender: Program) -> int:
    """How many tokens it sent, once they have had the time to come."""
    sender.write_line()
    sent = int((await sender.next_line())["sent"])
    await asyncio.sleep(SETTLE_SECONDS)
    return sent


async def _read(registry: HubRegistry, user_id: str, session_id: str, took: list[float]) -> None:
    """One client of a user, that takes what its channel has."""
    expires_at = time.time() + 3_600
    async with registry.connect(user_id, session_id, expires_at=expires_at, cut=lambda: None) as (hub, client):
        async for batch in hub.replay(client, None):
            _note(batch, time.monotonic(), took)
        with suppress(asyncio.CancelledError):
            while batch := await client.channel.take():
                _note(batch, time.monotonic(), took)


def _note(batch: list[Encoded], arrived: float, took: list[float]) -> None:
    for frame in batch:
        name, _, data = fields_of(frame.sse)
        if name == "llm.token":
            for token in _decode(data)["token"].split():
                took.append(arrived - int(token.rpartition(":")[2], 16) / 1e6)
