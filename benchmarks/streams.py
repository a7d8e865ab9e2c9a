"""1,000 SSE clients of one API process, 20 events a second to each: nothing lost, how late, how much CPU and memory.

One user with many clients, so that each event is encoded once; the events are tokens that come over NATS. The
clients are in this process, on the other core, and take what they can.
"""

from __future__ import annotations

import asyncio

from benchmarks import machine
from benchmarks.accounts import BASE
from benchmarks.figures import Figure, p50_p99, percentile
from benchmarks.http_client import EventStream, follow
from benchmarks.programs import program
from benchmarks.run import Run
from benchmarks.servers import whole_system
from infra.clock import SystemClock
from infra.dev_tokens import make_token
from tests.support.model_process import ModelProcess, model_process

EVENTS_A_SECOND = 20.0
SETTLE_SECONDS = 3.0
CONNECTS_AT_ONCE = 50
LOST_GOAL, P99_GOAL, CPU_GOAL, KIB_GOAL = 0, 0.075, 32e-6, 20.0


class _Heard:
    """What all clients heard. Only the mark of a token is looked for: parsing 20,000 a second is not our subject."""

    def __init__(self) -> None:
        self.took: list[float] = []
        self.count = 0

    def take(self, block: bytes, arrived: float) -> None:
        place = block.find(b'"token":"w')
        if place < 0:
            return
        self.count += 1
        end = block.index(b" ", place + 10)
        self.took.append(arrived - int(block[block.index(b":", place + 10) + 1 : end], 16) / 1e6)


def measure(run: Run) -> list[Figure]:
    clients, seconds = run.count(1_000, 300), float(run.count(8, 4))
    with model_process() as model:
        heard, sent, cpu, kib = run.wait_for(_measure(run, model, clients, seconds), seconds=120)
    lost, p99 = sent * clients - heard.count, percentile(heard.took, 0.99)
    met = lost <= LOST_GOAL and p99 <= P99_GOAL and cpu <= CPU_GOAL and kib <= KIB_GOAL
    return [
        Figure(
            name=f"SSE, {clients:,} clients × {EVENTS_A_SECOND:.0f} events/s",
            measured=f"{lost} lost, p99 {p99 * 1000:.0f} ms, {cpu * 1e6:.1f} µs CPU, {kib:.1f} KiB",
            goal="0 lost, p99 ≤ 75 ms, ≤ 32 µs a delivery, ≤ 20 KiB a client",
            met=met,
            note=f"{heard.count:,} deliveries, p50/p99 {p50_p99(heard.took)}; CPU of the API process;"
            " memory: its growth with the clients connected and served",
        )
    ]


async def _measure(run: Run, model: ModelProcess, clients: int, seconds: float) -> tuple[_Heard, int, float, float]:
    async with whole_system(model, roles={"api": 1}) as cluster:
        arguments = ("ours", "1", str(EVENTS_A_SECOND), str(seconds))
        with program("benchmarks.token_program", *arguments, settings=cluster.settings) as sender:
            token = make_token(cluster.settings, SystemClock(), "tokens.0")
            path = f"{BASE}/stream/{sender.told['users'][0][1]}"
            url, api = cluster.url("api-1"), cluster.members["api-1"].pid
            warm = await follow(url, path, token, lambda block, arrived: None)
            before = machine.resident_bytes(api)
            heard = _Heard()
            streams = await _connect(url, path, token, clients, heard)
            run.say(f"{clients} clients connected")
            await asyncio.sleep(SETTLE_SECONDS)
            cpu_before = machine.cpu_seconds([api])
            sender.write_line()
            sent = int((await sender.next_line())["sent"])
            await _until_still(heard)
            cpu = machine.cpu_seconds([api]) - cpu_before
            kib = (machine.resident_bytes(api) - before) / clients / 1024
            for stream in (warm, *streams):
                stream.close()
    return heard, sent, cpu / max(1, heard.count), kib


async def _connect(url: str, path: str, token: str, clients: int, heard: _Heard) -> list[EventStream]:
    streams: list[EventStream] = []
    while len(streams) < clients:
        count = min(CONNECTS_AT_ONCE, clients - len(streams))
        streams += await asyncio.gather(*(follow(url, path, token, heard.take) for _ in range(count)))
    return streams


async def _until_still(heard: _Heard) -> None:
    """Until nothing has come for a second."""
    count = -1
    while count != heard.count:
        count = heard.count
        await asyncio.sleep(1.0)
