"""P3: the commands of one user take effect one after the other, whichever process they go to and whatever is cut."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

import pytest

from tests.support import checkers
from tests.support.chaos_client import ChaosClient
from tests.support.history import Op
from tests.support.linearizability import Access, check_refused, check_versions, is_linearizable
from tests.support.postgres_proxy import PostgresProxy, postgres_proxy
from tests.support.world import World

pytestmark = pytest.mark.chaos

USERS = 3
CLIENTS_A_USER = 16
TASKS_A_USER = 2
OPS_A_RUN = 5_000
SHORT_OPS, SHORT_CLIENTS = 300, 8  # what the search looks at
PROXIED = "api-9"
TERMINATE = """SELECT pg_terminate_backend(pid) FROM (
    SELECT pid FROM pg_stat_activity WHERE application_name IN ('microcos-api', 'microcos-append')
    ORDER BY random() LIMIT 2) AS victims"""


@dataclass
class Register:
    """One task, whose title is what is written and read."""

    user: str
    task_id: str
    version: int

    def holds(self, op: Op) -> bool:
        """Whether `op` is about this task."""
        if op.what == "create_task":
            return op.is_acknowledged and op.body["id"] == self.task_id
        return self.task_id in op.path or (op.sent is not None and op.sent.get("task", {}).get("id") == self.task_id)


class Player:
    """One client at the tasks of its user. `seen`: the newest version that it was told."""

    def __init__(self, client: ChaosClient, registers: Sequence[Register]) -> None:
        self.client = client
        self._versions = {register.task_id: register.version for register in registers}
        self._number = 0
        self._seen = max(self._versions.values())

    async def play(self, ops: int) -> None:
        for _ in range(ops):
            await self._once()

    async def _once(self) -> None:
        task_id = self.client.rng.choice(list(self._versions))
        what = self.client.rng.choice(("write", "write", "write_if", "read", "read", "look"))
        if what == "look":
            op = await self.client.send("look", "GET", f"/tasks/{task_id}?min_version={self._seen}")
        else:
            op = await self._command(what, task_id)
        if op.is_acknowledged:
            assert op.version is not None
            self._seen = max(self._seen, op.version)
            self._versions[task_id] = op.body["version"]

    async def _command(self, what: str, task_id: str) -> Op:
        """Once, or until it is answered. A read is an update that changes nothing: it is judged against the head."""
        task = {"id": task_id}
        if what != "read":
            self._number += 1
            task["title"] = f"{self.client.name} {self._number}"
        expected = self._versions[task_id] if what == "write_if" else None
        body = {"action": "update", "task": task}
        key = self.client.new_key()
        for _ in range(self.client.rng.choice((1, 200))):
            op = await self.client.send(what, "POST", "/tasks", body, key=key, expected=expected)
            if op.is_known:
                break
            await asyncio.sleep(0.05)
        return op


async def cut_and_kill(world: World, proxy: PostgresProxy, is_over: asyncio.Event) -> None:
    """One process dies and is frozen; the other's connections to Postgres are cut anywhere, and ended by Postgres."""
    member = world.cluster.members["api-1"]
    async with world.ledger() as ledger:
        while not is_over.is_set():
            await asyncio.sleep(world.rng.uniform(0.3, 1.5))
            match world.rng.randrange(10):
                case 0:
                    await member.kill()
                case 1 if member.is_ready:
                    # It comes back with a state that the other has left behind.
                    member.freeze()
                    await asyncio.sleep(world.rng.uniform(0.2, 1.5))
                    member.thaw()
                case 2:
                    await ledger.fetch(TERMINATE)
                case _:
                    proxy.cut_after(world.rng.randrange(4_000), world.rng.choice(("up", "down")))


async def test_commands_of_one_user_are_linearizable(world: World) -> None:
    ops = OPS_A_RUN if world.share == 1 else OPS_A_RUN // 4
    async with postgres_proxy(world.cluster.settings.database_url) as proxy:
        settings = replace(world.cluster.settings, database_url=proxy.url)
        member = world.cluster.add_role(PROXIED, settings=settings)
        try:
            await member.until_ready()
            for run in range(world.count(20)):
                await one_run(world, proxy, run, ops)
        finally:
            await world.cluster.remove(PROXIED)


async def one_run(world: World, proxy: PostgresProxy, run: int, ops: int) -> None:
    urls = [world.cluster.url("api-1"), world.cluster.url(PROXIED)]
    registers: list[Register] = []
    few: list[Player] = []
    players: list[Player] = []
    for number in range(USERS):
        user = f"u{run}-{number}"
        creator = world.client(user, "creator", urls=urls)
        own = [await make_register(creator, user, each) for each in range(TASKS_A_USER)]
        registers += own
        those = [Player(world.client(user, f"c{each}", urls=urls), own) for each in range(CLIENTS_A_USER)]
        players += those
        few += those[:SHORT_CLIENTS]
    is_over = asyncio.Event()
    faults = world.spawn(cut_and_kill(world, proxy, is_over))
    try:
        await asyncio.gather(*(player.play(SHORT_OPS // SHORT_CLIENTS) for player in few))
        short_until = monotonic()
        await asyncio.gather(*(player.play((ops - SHORT_OPS * USERS) // len(players)) for player in players))
    finally:
        is_over.set()
        await faults
    await judge(world, registers, short_until)


async def make_register(creator: ChaosClient, user: str, number: int) -> Register:
    op = await creator.create_task(f"{user} {number}")
    return Register(user, op.body["id"], op.body["version"])


async def judge(world: World, registers: Sequence[Register], short_until: float) -> None:
    problems: list[str] = []
    known = 0
    async with world.ledger() as ledger:
        for register in registers:
            written = checkers.title_writes(await ledger.facts(world.sub(register.user)), register.task_id)
            ops = merged(op for op in world.history.ops if register.holds(op))
            known += sum(op.is_known for op in ops)
            problems += losses(ops, written)
            history = accesses(ops, written)
            problems += check_versions(history)
            problems += refusals(ops, history)
            problems += stale_views(ops, written)
            early = [access for access in history if access.called_at < short_until]
            if not is_linearizable(early):
                problems.append(f"no order explains the first {len(early)} accesses of {register}")
    print(f"{known} commands and reads were answered")
    assert not problems, "\n".join(problems[:20])


def merged(ops: Iterable[Op]) -> list[Op]:
    """What was sent again under its key is one op: from the first call to the answer."""
    by_key: dict[tuple[str, str], Op] = {}
    found: list[Op] = []
    for op in ops:
        if op.key is None:
            found.append(op)
            continue
        first = by_key.get((op.client, op.key))
        by_key[op.client, op.key] = op if first is None else replace(op, called_at=first.called_at)
    return [*found, *by_key.values()]


def losses(ops: Sequence[Op], written: dict[str, int]) -> list[str]:
    """Each write that was acknowledged stands at the version that was told; each that was refused stands nowhere."""
    problems: list[str] = []
    for op in ops:
        if op.what in ("write", "write_if", "create_task") and op.is_known:
            stands_at = written.get(op.sent["task"]["title"])
            if op.is_acknowledged and not stands_at == op.version == op.body["version"]:
                problems.append(f"{op} stands at version {stands_at}")
            if not op.is_acknowledged and stands_at is not None:
                problems.append(f"{op} was refused and stands at version {stands_at}")
    return problems


def accesses(ops: Sequence[Op], written: dict[str, int]) -> list[Access]:
    """Writes as the stream has them, with the times that clients know; reads as clients saw them."""
    found: list[Access] = []
    for op in ops:
        returned_at = math.inf if op.returned_at is None else op.returned_at
        if op.what in ("write", "write_if", "create_task"):
            title = op.sent["task"]["title"]
            if title in written:
                found.append(Access("write", title, written[title], op.called_at, returned_at, op.expected))
        elif op.what == "read" and op.is_acknowledged:
            assert op.version is not None
            found.append(Access("read", op.body["title"], op.version, op.called_at, returned_at))
    return found


def refusals(ops: Sequence[Op], history: Sequence[Access]) -> list[str]:
    refused = [op for op in ops if op.status == 412 and op.expected is not None and op.returned_at is not None]
    found = (check_refused(history, op.expected or 0, op.called_at, op.returned_at or 0) for op in refused)
    return [problem for problem in found if problem is not None]


def stale_views(ops: Sequence[Op], written: dict[str, int]) -> list[str]:
    """A query shows what stood there at the version that it names, which is no older than was asked for."""
    problems: list[str] = []
    for op in ops:
        if op.what in ("look", "read") and op.is_acknowledged:
            assert op.version is not None
            title, version = max(
                ((title, version) for title, version in written.items() if version <= op.version), key=lambda w: w[1]
            )
            if (op.body["title"], op.body["version"]) != (title, version):
                problems.append(f"{op} shows not what stood at version {op.version}: {title!r} of version {version}")
            if op.what == "look" and op.version < int(op.path.partition("min_version=")[2]):
                problems.append(f"{op} is older than what was asked for")
    return problems
