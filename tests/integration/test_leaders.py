"""What a leader writes, it writes only while it leads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from domain.errors import Unavailable
from infra.leases import LeadershipLost, PostgresLeaders
from infra.postgres import open_pool
from infra.queries import Queries
from infra.settings import Settings
from tests.support.patience import PATIENCE

pytestmark = pytest.mark.anyio

ROLE, LONG, OVER = "projections", 600.0, 0.0


@pytest.fixture
async def queries(database_url: str) -> AsyncIterator[Queries]:
    async with open_pool(Settings(database_url=database_url, **PATIENCE), "test") as pool:
        yield Queries(pool)


async def write_as(leader: PostgresLeaders, queries: Queries, epoch: int, position: int) -> None:
    async with queries.transaction() as connection:
        await connection.execute("INSERT INTO log0_tracking VALUES (%s, %s)", (f"view{position}", position))
        await leader.still_leads(connection, ROLE, epoch)


async def test_the_older_leaders_transaction_is_rolled_back(queries: Queries) -> None:
    old, new = PostgresLeaders(queries, "old"), PostgresLeaders(queries, "new")
    assert await old.acquire(ROLE, OVER) == 1
    await write_as(old, queries, 1, 10)
    assert await new.acquire(ROLE, LONG) == 2
    with pytest.raises(LeadershipLost):
        await write_as(old, queries, 1, 11)
    await write_as(new, queries, 2, 12)
    rows = await queries.fetch("SELECT notification_id FROM log0_tracking WHERE notification_id > 1 ORDER BY 1")
    assert rows == [(10,), (12,)]


async def test_nobody_takes_over_before_a_leaders_transaction_has_ended(queries: Queries) -> None:
    old, new = PostgresLeaders(queries, "old"), PostgresLeaders(queries, "new")
    await old.acquire(ROLE, OVER)
    async with queries.transaction() as connection:
        await old.still_leads(connection, ROLE, 1)
        rival = asyncio.create_task(new.acquire(ROLE, LONG))
        done, _ = await asyncio.wait([rival], timeout=0.1)
        assert not done
    assert await rival == 2


async def test_a_transaction_that_fails_leaves_nothing(queries: Queries) -> None:
    with pytest.raises(Unavailable):
        async with queries.transaction() as connection:
            await connection.execute("INSERT INTO log0_tracking VALUES ('view', 7)")
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await queries.fetch("SELECT 1 FROM log0_tracking WHERE application_name = 'view'") == []


async def test_a_statement_whose_connection_broke_is_sent_again(queries: Queries) -> None:
    for _ in range(3):
        await queries.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert await queries.fetch("SELECT %s::int", (7,)) == [(7,)]


async def test_a_mistake_in_a_statement_is_no_outage(queries: Queries) -> None:
    with pytest.raises(Exception, match="nowhere") as raised:
        await queries.fetch("SELECT 1 FROM nowhere")
    assert not isinstance(raised.value, Unavailable)
