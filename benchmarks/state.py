"""`GET /state` of a user with a long history against one with a short one, over HTTP, by turns."""

from __future__ import annotations

import asyncio
import time

from benchmarks import machine
from benchmarks.figures import Figure, ms, percentile
from benchmarks.http_client import Connection
from benchmarks.long_streams import long_chat
from benchmarks.run import Run
from benchmarks.servers import whole_system
from commands.write_side import open_write_side
from infra.clock import SystemClock
from infra.dev_tokens import make_token
from tests.support.cluster import Cluster
from tests.support.model_process import ModelProcess, model_process

EVENTS_A_MESSAGE = 2  # question and request, claim and answer: four events, two messages
SHORT_MESSAGES = 100
GOAL = 1.2
VIEW_SECONDS_MAX = 60.0


def measure(run: Run) -> list[Figure]:
    messages, times = run.count(10_000, 2_000), run.count(300, 80)
    with model_process() as model:
        short, long = run.wait_for(_measure(run, model, messages, times), seconds=240)
    ratio = percentile(long[0], 0.5) / percentile(short[0], 0.5)
    return [
        Figure(
            name=f"GET /state with {messages:,} messages of history",
            measured=ms(percentile(long[0], 0.5)),
            against=f"with {SHORT_MESSAGES}: {ms(percentile(short[0], 0.5))}",
            ratio=ratio,
            goal=f"≤ {GOAL}×",
            met=ratio <= GOAL,
            note=f"p50 of {times} each, by turns, the last 50 messages; CPU of all processes"
            f" {long[1] * 1000:.2f} against {short[1] * 1000:.2f} ms a request",
        )
    ]


async def _measure(
    run: Run, model: ModelProcess, messages: int, times: int
) -> tuple[tuple[list[float], float], tuple[list[float], float]]:
    async with whole_system(model, roles={"api": 1, "projections": 1}) as cluster:
        users = {"short": SHORT_MESSAGES, "long": messages}
        async with open_write_side(cluster.settings, "bench") as side:
            for sub, count in users.items():
                await long_chat(side, "", sub, count * EVENTS_A_MESSAGE)
        run.say(f"a history of {messages:,} messages is in the log")
        connection = await Connection.open(cluster.url("api-1"))
        tokens = {sub: make_token(cluster.settings, SystemClock(), sub) for sub in users}
        for sub, count in users.items():
            await _until_shown(connection, tokens[sub], count * EVENTS_A_MESSAGE)
        took: dict[str, list[float]] = {sub: [] for sub in users}
        for _ in range(times):
            for sub, found in took.items():
                found.append(await _get(connection, tokens[sub]))
        cpu = {sub: await _cpu(cluster, connection, tokens[sub], times) for sub in users}
        connection.close()
    return (took["short"], cpu["short"]), (took["long"], cpu["long"])


async def _get(connection: Connection, token: str) -> float:
    began = time.perf_counter()
    status, _ = await connection.request("GET", "/api/v1/state", token)
    assert status == 200, status
    return time.perf_counter() - began


async def _cpu(cluster: Cluster, connection: Connection, token: str, times: int) -> float:
    """CPU seconds of API and Postgres for each request."""
    pids = [cluster.members[name].pid for name in ("api-1", "postgres")]
    before = machine.cpu_seconds(pids)
    for _ in range(times):
        await _get(connection, token)
    return (machine.cpu_seconds(pids) - before) / times


async def _until_shown(connection: Connection, token: str, version: int) -> None:
    async with asyncio.timeout(VIEW_SECONDS_MAX):
        # Each try waits for the view itself, for two seconds.
        while (await connection.request("GET", f"/api/v1/state?min_version={version}", token))[0] != 200:
            pass
