"""What we add to the time to the first token: a message through the whole system, against the model called directly.

One client, one message at a time; both from the request's first byte to the first token's arrival.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from benchmarks import machine
from benchmarks.accounts import BASE, open_account
from benchmarks.figures import Figure, ms, p50_p99, percentile
from benchmarks.http_client import EventStream, fields_of, follow, request_bytes
from benchmarks.run import Run
from benchmarks.servers import whole_system
from tests.support.model_process import ModelProcess, model_process
from tests.support.model_server import Plan

WARM_UP = 10
PAUSE_SECONDS = 0.05  # the views and the relay still work on the last answer; nobody asks again that soon
P50_GOAL, P99_GOAL = 0.005, 0.025


def measure(run: Run) -> list[Figure]:
    times = run.count(300, 60)
    with model_process() as model:
        ours, acks, direct, fsync = run.wait_for(_measure(run, model, times), seconds=180)
    added = {part: percentile(ours, part) - percentile(direct, part) for part in (0.5, 0.99)}
    slack = 2 * fsync if fsync > machine.FAST_FSYNC_SECONDS else 0.0
    return [
        Figure(
            name="time to first token added by us, 1 client",
            measured=f"p50/p99 +{added[0.5] * 1000:.3g}/{added[0.99] * 1000:.3g} ms",
            against=f"the model called directly: {p50_p99(direct)}",
            goal="p50 ≤ 5 ms, p99 ≤ 25 ms" + (" + 2 fsyncs" if slack else ""),
            met=added[0.5] <= P50_GOAL + slack and added[0.99] <= P99_GOAL + slack,
            note=f"{times} messages; through us {p50_p99(ours)}, of which the ack {p50_p99(acks)}; fsync {ms(fsync)}",
        )
    ]


async def _measure(run: Run, model: ModelProcess, times: int) -> tuple[list[float], list[float], list[float], float]:
    await model.plan(Plan(tokens=2))
    async with whole_system(model) as cluster:
        account = await open_account(cluster, "first")
        arrivals: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

        def take(block: bytes, arrived: float) -> None:
            name = fields_of(block)[0]
            if name in ("llm.token", "message.completed"):
                arrivals.put_nowait((name, arrived))

        stream = await follow(account.url, f"{BASE}/stream/{account.session_id}", account.token, take)
        ours, acks, direct = [], [], []
        for number in range(times + WARM_UP):
            await asyncio.sleep(PAUSE_SECONDS)
            began = time.monotonic()
            await account.say("What is on my mind?")
            acked = time.monotonic() - began
            first = await _first_of(arrivals)
            called = await _call(model)
            if number >= WARM_UP:
                ours.append(first - began)
                acks.append(acked)
                direct.append(called)
        stream.close()
        run.say(f"{times} messages answered")
        return ours, acks, direct, machine.fsync_seconds(cluster.data_dir)


async def _first_of(arrivals: asyncio.Queue[tuple[str, float]]) -> float:
    """When a reply's first token came; returns once the reply has ended."""
    _, first = await arrivals.get()
    while (await arrivals.get())[0] != "message.completed":
        pass
    return first


async def _call(model: ModelProcess) -> float:
    """Seconds to the first token of a call on an open connection, as a client of the model would have it."""
    host, _, port = model.base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    body = {"model": "stand-in", "stream": True, "messages": [{"role": "user", "content": "What is on my mind?"}]}
    came: asyncio.Queue[float] = asyncio.Queue()

    def take(block: bytes, arrived: float) -> None:
        data = fields_of(block)[2]
        choices = msgspec.json.decode(data)["choices"] if data.startswith(b"{") else []
        if choices and choices[0]["delta"].get("content"):
            came.put_nowait(arrived)

    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: EventStream(b"", take), host, int(port))
    began = time.monotonic()
    stream.send(request_bytes("POST", "/v1/chat/completions", host, "", body))
    first = await came.get()
    stream.close()
    return first - began
