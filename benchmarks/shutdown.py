"""SIGTERM to an API process with 200 open streams: until it is gone, each stream ended with its cursor intact."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time

from benchmarks.accounts import BASE, open_account
from benchmarks.figures import Figure, ms
from benchmarks.http_client import EventStream, fields_of, follow
from benchmarks.run import Run
from benchmarks.servers import whole_system
from tests.support.cluster import Cluster
from tests.support.model_process import ModelProcess, model_process
from tests.support.waiting import eventually

STREAMS = 200
TIMES = 3
GOAL = 1.0
GIVE_UP_SECONDS = 30.0


def measure(run: Run) -> list[Figure]:
    with model_process() as model:
        took, closed = run.wait_for(_measure(run, model), seconds=150)
    return [
        Figure(
            name=f"SIGTERM with {STREAMS} open streams",
            measured=f"{', '.join(ms(seconds) for seconds in took)} until the process is gone",
            goal=f"≤ {GOAL:.0f} s",
            met=max(took) <= GOAL and closed == STREAMS * len(took),
            note=f"{closed} of {STREAMS * len(took)} streams were told `server.closing`",
        )
    ]


async def _measure(run: Run, model: ModelProcess) -> tuple[list[float], int]:
    took, closed = [], 0
    async with whole_system(model, roles={"api": 1}) as cluster:
        for number in range(run.count(TIMES, 1)):
            seconds, told = await _close(cluster, f"closing.{number}")
            run.say(f"gone after {seconds:.2f} s")
            took.append(seconds)
            closed += told
    return took, closed


async def _close(cluster: Cluster, sub: str) -> tuple[float, int]:
    """How long it took to end, and how many of its streams were told so."""
    account = await open_account(cluster, sub)
    names: list[str] = []

    def take(block: bytes, _: float) -> None:
        names.append(fields_of(block)[0])

    path = f"{BASE}/stream/{account.session_id}"
    streams: list[EventStream] = [await follow(account.url, path, account.token, take) for _ in range(STREAMS)]
    account.connection.close()
    member, pid = cluster.members["api-1"], cluster.members["api-1"].pid
    seconds = await _terminated(pid)
    await asyncio.wait([stream.closed for stream in streams], timeout=GIVE_UP_SECONDS)
    # Its supervisor starts it again.
    await eventually(lambda: member.is_alive and member.pid != pid and member.is_ready, "the next API process")
    return seconds, names.count("server.closing")


async def _terminated(pid: int) -> float:
    """Seconds from the signal to the process's end. Raises `AssertionError` when it does not end."""
    descriptor = os.pidfd_open(pid)
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        # In a thread: this loop has 200 streams to read meanwhile.
        assert await asyncio.to_thread(poller.poll, GIVE_UP_SECONDS * 1000), "it does not end"
        return time.monotonic() - began
    finally:
        os.close(descriptor)
