"""P16, P18: each event is in the views exactly once, whoever dies in the middle of a page; and soon enough."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from tests.support import checkers
from tests.support.chaos_client import ChaosClient
from tests.support.ledger import Ledger
from tests.support.model_process import slow
from tests.support.waiting import eventually_true
from tests.support.world import World

pytestmark = pytest.mark.chaos

USERS = ("ann", "ben", "cleo", "dan")
FAULTS = ("freeze", "kill", "terminate")
FAULT_WEIGHTS = (1, 2, 10)
COUNTERS = ("messages", "calls", "input_tokens", "output_tokens", "completed", "canned", "failed", "stopped")

HOLD_LEADER = "SELECT 1 FROM leaders WHERE role = 'projections' FOR UPDATE"
# A leader asks for that row as the last thing before it commits: it waits with a page written and not committed.
IN_MID_PAGE = """SELECT pid FROM pg_stat_activity WHERE application_name = 'microcos-projections'
AND wait_event_type = 'Lock' AND query LIKE '%%FOR SHARE%%'"""
USAGE = f"SELECT {', '.join(f'sum({name})::bigint' for name in COUNTERS)} FROM usage_days WHERE user_id = %s"


async def chat(client: ChaosClient, is_over: asyncio.Event) -> None:
    number = 0
    while not is_over.is_set():
        number += 1
        await client.say(f"{client.name} says {number}")
        await asyncio.sleep(0.1 * client.rng.random())


async def fault(world: World, ledger: Ledger, kind: str) -> None:
    """In mid-page the leader sleeps past its lease, all runners die, or the database ends the transaction."""
    if kind == "freeze":
        await freeze(world, ledger)
        return
    async with in_mid_page(ledger, world.cluster.settings.database_url) as backend:
        if kind == "kill":
            await asyncio.gather(*(runner.kill() for runner in world.cluster.named("projections")))
        else:
            await ledger.fetch("SELECT pg_terminate_backend(%s)", (backend,))


async def freeze(world: World, ledger: Ledger) -> None:
    """The leader sleeps with a page written and not committed, until another has brought that page in."""
    await world.cluster.all_ready()
    runners = world.cluster.named("projections")
    async with in_mid_page(ledger, world.cluster.settings.database_url):
        for runner in runners:
            runner.freeze()
    leader = world.cluster.last_leader("projections")
    for runner in runners:
        if runner is not leader:
            runner.thaw()
    await until_views_go_on(ledger)
    await world.cluster.all_ready()


@asynccontextmanager
async def in_mid_page(ledger: Ledger, database_url: str) -> AsyncIterator[int]:
    """The pid of the backend in which a page of the views is written and can't be committed while the block runs."""
    await until_views_go_on(ledger)
    connection = await psycopg.AsyncConnection.connect(database_url)
    async with connection:
        await connection.execute(HOLD_LEADER)
        rows = await eventually_true(lambda: ledger.fetch(IN_MID_PAGE), "a page in writing", every_seconds=0.01)
        yield int(rows[0][0])


async def until_views_go_on(ledger: Ledger) -> None:
    """Until somebody has brought in what is in the log now."""
    last = await ledger.last_position()

    async def somebody_has() -> bool:
        rows = await ledger.fetch("SELECT min(position) FROM view_positions")
        return int(rows[0][0]) >= last

    await eventually_true(somebody_has, "the views to go on", every_seconds=0.01)


async def test_each_event_is_counted_once_whoever_dies_in_mid_page(world: World) -> None:
    await world.model.plan(slow("As you wish.", tokens_per_second=0))
    is_over = asyncio.Event()
    for user in USERS:
        await world.client(user, "s").say(f"{user} is here")
    chats = [world.spawn(chat(world.client(user), is_over)) for user in USERS]
    async with world.ledger() as ledger:
        count = world.count(200, least=len(FAULTS))
        for kind in (*FAULTS, *world.rng.choices(FAULTS, FAULT_WEIGHTS, k=count - len(FAULTS))):
            await fault(world, ledger, kind)
        is_over.set()
        await asyncio.gather(*chats)
    await world.cluster.all_ready()
    problems: list[str] = []
    async with world.ledger() as ledger:
        for user in USERS:
            facts = await world.settled(ledger, user)
            counted = checkers.usage_of(facts)
            due = tuple(counted.get(name, 0) for name in COUNTERS)
            # The view has come so far when a query for this version is answered.
            op = await world.client(user, "reader").insist("usage", "GET", f"/usage?min_version={len(facts)}")
            assert op.status == 200, op
            rows = await ledger.fetch(USAGE, (await ledger.user_id(world.sub(user)),))
            if rows != [due]:
                problems.append(f"{user}: the view has {rows}, the stream {due}")
    assert not problems, "\n".join(problems)


async def test_who_was_answered_finds_it_in_the_state_of_another_process(world: World) -> None:
    pairs = world.count(5_000)
    clients = [world.client(f"u{number % 4}", f"c{number}") for number in range(8)]
    problems: list[str] = []
    await asyncio.gather(*(write_and_read(client, pairs // len(clients) + 1, problems) for client in clients))
    problems += [f"{op} failed" for op in world.history.ops if (op.status or 0) >= 500 and op.status != 503]
    assert not problems, "\n".join(problems)


async def write_and_read(client: ChaosClient, pairs: int, problems: list[str]) -> None:
    for number in range(pairs):
        api = client.rng.randrange(2)
        title = f"{client.name} {number}"
        written = await client.create_task(title, api=api)
        assert written.status == 201, written
        task_id, version = written.body["id"], written.body["version"]
        # A view that is held up says so, and is asked again; it never shows less than was asked for.
        read = await client.insist("state", "GET", f"/state?min_version={version}", api=api + 1)
        assert read.status == 200, read
        shown = {task["id"]: task["title"] for task in read.body["tasks"]}
        if shown.get(task_id) != title or not version <= read.body["version"] == read.version:
            problems.append(f"{title} of version {version} is not in the state of version {read.version}")
        done = await client.insist("delete", "POST", "/tasks", {"action": "delete", "task": {"id": task_id}}, api=api)
        assert done.status == 200, done
