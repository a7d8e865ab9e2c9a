"""Read-your-writes: a query waits until the view shows the version that its caller has seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from domain.errors import Invalid, Unavailable
from projections.state_queries import fetch_state
from projections.wait import Freshness
from tests.support.histories import History
from tests.support.views import World, catch_up, open_world, projecting, reader_of, user, write_log

pytestmark = pytest.mark.anyio

USER = user(7)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with open_world(database_url) as world:
        yield world


@pytest.fixture
async def freshness(world: World) -> AsyncIterator[Freshness]:
    freshness = Freshness(world.queries)
    yield freshness
    await freshness.aclose()


async def test_it_returns_at_once_when_the_view_is_there(world: World, freshness: Freshness) -> None:
    history = History(USER).say()
    write_log(world.url, history.rows)
    catch_up(world.url)
    for version in (-1, 0, 1, len(history.rows)):
        await freshness.wait_for("state", USER, version, 0)


async def test_a_version_above_the_head_is_refused(world: World, freshness: Freshness) -> None:
    history = History(USER).say()
    write_log(world.url, history.rows)
    for user_id, version in ((USER, len(history.rows) + 1), (user(8), 1)):
        with pytest.raises(Invalid) as refusal:
            await freshness.wait_for("state", user_id, version, 30)
        assert refusal.value.code == "version_above_head"


async def test_a_view_that_stays_behind_is_unavailable(world: World, freshness: Freshness) -> None:
    write_log(world.url, History(USER).say().rows)
    with pytest.raises(Unavailable) as refusal:
        await freshness.wait_for("chat", USER, 1, 0.05)
    assert (refusal.value.code, refusal.value.retry_after_seconds) == ("view_behind", 1.0)


async def test_many_wait_for_different_versions_and_views(world: World, freshness: Freshness) -> None:
    history = History(USER).say().answer().say()
    write_log(world.url, history.rows)
    waiting = [
        asyncio.create_task(freshness.wait_for(view, USER, version, 30))
        for view in ("state", "chat", "tasks", "usage")
        for version in range(1, len(history.rows) + 1)
    ]
    await asyncio.sleep(0)
    catch_up(world.url)
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("names_version", [True, False])
async def test_a_write_is_in_the_next_read(world: World, freshness: Freshness, names_version: bool) -> None:
    """With a runner beside: each answer holds what was written just before it was asked for."""
    history = History(USER)
    async with projecting(world):
        for number in range(30):
            before = len(history.rows)
            history.say(f"m{number}")
            await asyncio.to_thread(write_log, world.url, history.rows[before:])
            if names_version:
                await freshness.wait_for("state", USER, len(history.rows), 30)
            else:
                await freshness.catch_up(["state", "chat"], USER, 30)
            fetched = await fetch_state(reader_of(world, history), USER)
            assert fetched.mark.version == len(history.rows)
            assert fetched.body["messages"][-2]["text"] == f"m{number}"


async def test_a_view_that_stands_still_is_read_as_it_is_and_others_are_waited_for(
    world: World, freshness: Freshness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.wait.STANDING_SECONDS", 3_600.0)
    await freshness.catch_up(["state"], USER, 30)  # there is nothing yet
    write_log(world.url, History(USER).say().rows)
    await freshness.catch_up(["chat"], USER, 0.05)
    await freshness.catch_up(["chat"], USER, 3_600)
    waiting = asyncio.create_task(freshness.catch_up(["chat", "state"], USER, 3_600))
    catch_up(world.url)
    await waiting


async def test_the_poller_rests_while_nobody_waits(world: World, freshness: Freshness) -> None:
    write_log(world.url, History(USER).say().rows)
    waiting = asyncio.create_task(freshness.wait_for("state", USER, 1, 30))
    catch_up(world.url)
    await waiting
    pollers = [task for task in asyncio.all_tasks() if task.get_name() == "view-positions"]
    async with asyncio.timeout(30):
        await asyncio.gather(*pollers)
