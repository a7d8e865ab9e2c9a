"""A search for flights by chat, with the embedded server and the offline model: from the message's first byte to the
first words of the answer, and to its end. What the search itself costs is ours here, so there is nothing to compare.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks.accounts import BASE, open_account
from benchmarks.figures import Figure, ms, p50_p99
from benchmarks.http_client import fields_of, follow
from benchmarks.run import Run
from benchmarks.servers import whole_system
from tests.support.model_process import model_process

SENTENCE = "Find me flights from JFK to Boston next week"
PAUSE_SECONDS = 0.05
ENDS = ("message.completed", "message.failed", "message.stopped")


def measure(run: Run) -> list[Figure]:
    times = run.count(40, 8)
    firsts, dones = run.wait_for(_measure(run, times), seconds=180)
    note = f"{times} searches of a week for one city pair, one client; the first, which starts the server: "
    return [
        Figure(
            name="flights by chat: to the first token",
            measured=p50_p99(firsts[1:]),
            note=note + ms(firsts[0]),
        ),
        Figure(name="flights by chat: to the end of the answer", measured=p50_p99(dones[1:]), note=note + ms(dones[0])),
    ]


async def _measure(run: Run, times: int) -> tuple[list[float], list[float]]:
    with model_process() as model:  # the cluster wants one; nobody asks it
        async with whole_system(model, llm_provider="offline", limit_flight_searches_per_day=0) as cluster:
            account = await open_account(cluster, "traveller")
            arrivals: asyncio.Queue[tuple[str, float]] = asyncio.Queue()

            def take(block: bytes, arrived: float) -> None:
                arrivals.put_nowait((fields_of(block)[0], arrived))

            stream = await follow(account.url, f"{BASE}/stream/{account.session_id}", account.token, take)
            firsts, dones = [], []
            for _ in range(times + 1):
                await asyncio.sleep(PAUSE_SECONDS)
                began = time.monotonic()
                await account.say(SENTENCE)
                first, done = await _answer(arrivals)
                firsts.append(first - began)
                dones.append(done - began)
            stream.close()
            run.say(f"{times} searches answered")
            return firsts, dones


async def _answer(arrivals: asyncio.Queue[tuple[str, float]]) -> tuple[float, float]:
    """When the first token and when the end came. Raises `AssertionError` where the reply did not complete."""
    first = 0.0
    while True:
        name, arrived = await arrivals.get()
        if name == "llm.token" and not first:
            first = arrived
        elif name in ENDS:
            assert name == "message.completed", name
            return first, arrived
