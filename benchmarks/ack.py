"""The ack of `POST /message`, from the request's first byte to the answer's last, with 1 and with 16 clients.

Postgres, NATS and one API process; no worker, so that nothing but accepting is measured: the rows of the whole
system have their acks under load.
"""

from __future__ import annotations

import asyncio
import time

from benchmarks import machine
from benchmarks.accounts import Account, open_account
from benchmarks.figures import Figure, ms, p50_p99, percentile
from benchmarks.run import Run
from benchmarks.servers import whole_system
from tests.support.cluster import Cluster
from tests.support.model_process import ModelProcess, model_process

MESSAGES_EACH_MAX = 90  # below what may wait for a user's answers
GOALS = {1: 0.010, 16: 0.050}


def measure(run: Run) -> list[Figure]:
    with model_process() as model:
        found, fsync = run.wait_for(_measure(run, model), seconds=180)
    slack = 2 * fsync if fsync > machine.FAST_FSYNC_SECONDS else 0.0
    figures = []
    for clients, (took, elapsed, cpu) in found.items():
        goal, p99 = GOALS[clients], percentile(took, 0.99)
        figures.append(
            Figure(
                name=f"ack of POST /message, {clients} client{'s' * (clients > 1)}",
                measured=f"p50/p99 {p50_p99(took)}",
                goal=f"p99 ≤ {goal * 1000:.0f} ms" + (" + 2 fsyncs" if slack else ""),
                met=p99 <= goal + slack,
                note=f"{len(took)} messages, {len(took) / elapsed:,.0f}/s; CPU a message {cpu * 1e6:.0f} µs"
                f" of the API process; fsync {ms(fsync)}",
            )
        )
    return figures


async def _measure(run: Run, model: ModelProcess) -> tuple[dict[int, tuple[list[float], float, float]], float]:
    found = {}
    async with whole_system(model, roles={"api": 1}) as cluster:
        for clients in GOALS:
            found[clients] = await _post(cluster, clients, run.count(8, 3) if clients == 1 else run.count(3, 1))
            run.say(f"{clients}: {p50_p99(found[clients][0])}")
        fsync = machine.fsync_seconds(cluster.data_dir)
    return found, fsync


async def _post(cluster: Cluster, clients: int, users_each: int) -> tuple[list[float], float, float]:
    """How long each ack took, all of them together, and the API's CPU seconds for each."""
    accounts = [
        [await open_account(cluster, f"ack.{clients}.{client}.{user}") for user in range(users_each)]
        for client in range(clients)
    ]
    # A user's first message makes a conversation and its key.
    await asyncio.gather(*(account.say("Hello there") for own in accounts for account in own))
    api = [cluster.members["api-1"].pid]
    began, cpu_before = time.perf_counter(), machine.cpu_seconds(api)
    took = [seconds for own in await asyncio.gather(*(_client(own) for own in accounts)) for seconds in own]
    elapsed, cpu = time.perf_counter() - began, machine.cpu_seconds(api) - cpu_before
    for own in accounts:
        for account in own:
            account.connection.close()
    return took, elapsed, cpu / len(took)


async def _client(accounts: list[Account]) -> list[float]:
    took = []
    for number in range(MESSAGES_EACH_MAX):
        for account in accounts:
            began = time.perf_counter()
            await account.say(f"What is on my agenda today? I ask for the {number}th time.")
            took.append(time.perf_counter() - began)
    return took
