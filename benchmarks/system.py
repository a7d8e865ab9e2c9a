"""The whole system, one process a role, with a model that speaks at 50 tokens a second: 10 users, then 50.

Each token carries the microsecond at which the model sent it, so what is added is measured at the client for every
single token. CPU is that of all our processes, Postgres and NATS together; the model's and the clients' is not.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import msgspec

from benchmarks import machine
from benchmarks.accounts import BASE, Account, open_account
from benchmarks.figures import Figure, ms, p50_p99, percentile
from benchmarks.http_client import EventStream, fields_of, follow
from benchmarks.run import Run
from benchmarks.servers import whole_system
from tests.support.cluster import Cluster
from tests.support.model_process import ModelProcess, model_process
from tests.support.model_server import Plan

TOKENS, TOKENS_A_SECOND = 100, 50.0
REPLY_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Goals:
    """Latencies in seconds, as (p50, p99); CPU seconds for 1,000 tokens."""

    ack: tuple[float, float]
    first: tuple[float, float] | None
    token: tuple[float, float]
    cpu: float
    tokens_a_second: float = 0.0


GOALS = {
    10: Goals(ack=(0.005, 0.010), first=(0.010, 0.020), token=(0.0007, 0.004), cpu=0.49),
    50: Goals(ack=(0.013, 0.052), first=None, token=(0.0035, 0.048), cpu=0.31, tokens_a_second=2_100),
}


@dataclass(slots=True)
class Seen:
    """What the clients of one run saw. `finished`: replies that ended as completed, with all of their tokens."""

    acks: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    finished: int = 0
    asked: int = 0
    cpu: dict[str, float] = field(default_factory=dict)  # by process, with its children
    elapsed: float = 0.0


class Client:
    """One user: says something, follows the answer to its end, and says the next thing."""

    def __init__(self, account: Account, seen: Seen) -> None:
        self._account = account
        self._seen = seen
        self._asked_at = 0.0
        self._has_begun = False
        self._tokens = 0
        self._ended: asyncio.Future[str]
        self._stream: EventStream

    async def connect(self) -> None:
        account = self._account
        path = f"{BASE}/stream/{account.session_id}"
        self._stream = await follow(account.url, path, account.token, self._take)

    def close(self) -> None:
        self._stream.close()
        self._account.connection.close()

    async def ask(self, text: str) -> None:
        self._ended = asyncio.get_running_loop().create_future()
        self._has_begun, self._tokens = False, 0
        self._seen.asked += 1
        self._asked_at = time.monotonic()
        await self._account.say(text)
        self._seen.acks.append(time.monotonic() - self._asked_at)
        async with asyncio.timeout(REPLY_SECONDS_MAX):
            name = await self._ended
        self._seen.finished += name == "message.completed" and self._tokens == TOKENS

    def _take(self, block: bytes, arrived: float) -> None:
        name, _, data = fields_of(block)
        if name == "llm.token":
            for token in msgspec.json.decode(data)["token"].split():
                self._tokens += 1
                self._seen.tokens.append(arrived - int(token.rpartition(":")[2], 16) / 1e6)
            if not self._has_begun:
                self._has_begun = True
                self._seen.firsts.append(arrived - self._asked_at)
        elif name in ("message.completed", "message.failed", "message.stopped"):
            self._ended.set_result(name)


def measure(run: Run) -> list[Figure]:
    figures = []
    with model_process() as model:
        for users, rounds in ((10, run.count(6, 2)), (50, run.count(2, 1))):
            seen, fsync = run.wait_for(_measure(model, users, rounds), seconds=150)
            run.say(f"{users} users: {seen.finished} of {seen.asked} replies, {p50_p99(seen.tokens)} a token")
            figures += _figures(users, seen, fsync)
    return figures


async def _measure(model: ModelProcess, users: int, rounds: int) -> tuple[Seen, float]:
    await model.plan(Plan(tokens=TOKENS, tokens_per_second=TOKENS_A_SECOND))
    async with whole_system(model) as cluster:
        seen = Seen()
        clients = [Client(await open_account(cluster, f"user.{number}"), seen) for number in range(users)]
        for client in clients:
            await client.connect()
        # A user's first message makes a conversation and its key; connections open, caches fill.
        await model.answer_next(*(Plan(tokens=1) for _ in clients))
        await asyncio.gather(*(client.ask("Hello") for client in clients))
        for warm in (seen.acks, seen.firsts, seen.tokens):
            warm.clear()
        seen.asked = seen.finished = 0
        await _talk(cluster, clients, rounds, seen)
        for client in clients:
            client.close()
        return seen, machine.fsync_seconds(cluster.data_dir)


async def _talk(cluster: Cluster, clients: list[Client], rounds: int, seen: Seen) -> None:
    def cpu() -> dict[str, float]:
        return {name: machine.cpu_seconds([member.pid]) for name, member in cluster.members.items()}

    began, before = time.monotonic(), cpu()

    async def talk(client: Client) -> None:
        for number in range(rounds):
            await client.ask(f"Tell me more about the {number}th thing on my mind.")

    await asyncio.gather(*(talk(client) for client in clients))
    seen.elapsed = time.monotonic() - began
    seen.cpu = {name: seconds - before[name] for name, seconds in cpu().items()}


def _figures(users: int, seen: Seen, fsync: float) -> list[Figure]:
    goals = GOALS[users]
    name = f"whole system, {users} users × {TOKENS_A_SECOND:.0f} tokens/s"
    slack = 2 * fsync if fsync > machine.FAST_FSYNC_SECONDS else 0.0
    suffix = " + 2 fsyncs" if slack else ""
    latencies: list[tuple[str, list[float], tuple[float, float] | None, float]] = [
        ("ack", seen.acks, goals.ack, slack),
        ("added to first token", seen.firsts, goals.first, slack),
        ("added a token", seen.tokens, goals.token, 0.0),
    ]
    figures = []
    for what, took, goal, more in latencies:
        figures.append(
            Figure(
                name=f"{name}: {what}",
                measured=f"p50/p99 {p50_p99(took)}",
                goal="–" if goal is None else f"≤ {goal[0] * 1000:g}/{goal[1] * 1000:g} ms{suffix if more else ''}",
                met=None if goal is None else _within(took, goal, more),
                note=f"fsync {ms(fsync)}" if what == "ack" else "",
            )
        )
    return [*figures, *_totals(name, seen, goals)]


def _within(took: list[float], goal: tuple[float, float], more: float) -> bool:
    return percentile(took, 0.5) <= goal[0] + more and percentile(took, 0.99) <= goal[1] + more


def _totals(name: str, seen: Seen, goals: Goals) -> list[Figure]:
    thousands, rate = len(seen.tokens) / 1000, len(seen.tokens) / seen.elapsed
    cpu = sum(seen.cpu.values()) / thousands
    by_process = ", ".join(f"{process} {seconds / thousands:.3f}" for process, seconds in seen.cpu.items())
    goal: dict[str, Any] = {}
    if goals.tokens_a_second:
        goal = {"goal": f"all, ≥ {goals.tokens_a_second:,.0f}/s"}
        goal["met"] = seen.finished == seen.asked and rate >= goals.tokens_a_second
    else:
        goal = {"goal": "all", "met": seen.finished == seen.asked}
    return [
        Figure(
            name=f"{name}: CPU",
            measured=f"{cpu:.2f} s a 1,000 tokens",
            goal=f"≤ {goals.cpu} s",
            met=cpu <= goals.cpu,
            note=f"{by_process}; {cpu * thousands / seen.elapsed:.2f} cores over {seen.elapsed:.1f} s",
        ),
        Figure(
            name=f"{name}: replies",
            measured=f"{seen.finished} of {seen.asked}, {rate:,.0f} tokens/s",
            **goal,
        ),
    ]
