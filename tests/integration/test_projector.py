"""The runner of the live views: every event once, in order, whatever happens to it."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import psycopg
import pytest

from domain.ports import StoredEvent
from infra import failpoints
from infra.codec import CorruptEvent
from projections import projector as projector_module
from projections.projector import ROLE, Projector
from projections.rebuild import Rebuild
from projections.views import VIEWS
from tests.support.postgres_proxy import postgres_proxy
from tests.support.views import (
    Silent,
    World,
    assert_views_equal_a_fold,
    commands,
    folded_rows,
    live_position,
    live_rows,
    open_world,
    projecting,
    shuffled,
    some_histories,
    start_runner,
    until_views_reach,
    user,
    write_log,
)
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def write_slowly(world: World, parts: list[list[StoredEvent]]) -> int:
    position = 0
    for start in range(0, len(parts), 15):
        some = [event for part in parts[start : start + 15] for event in part]
        position = await asyncio.to_thread(write_log, world.url, some)
    return position


async def test_the_views_equal_a_fold_of_the_log(database_url: str) -> None:
    async with open_world(database_url, projection_page=37) as world, projecting(world):
        parts = commands(some_histories(8, 120))
        await until_views_reach(world.url, await write_slowly(world, parts))
        assert_views_equal_a_fold(world.url, [event for part in parts for event in part])


async def test_a_page_that_is_shorter_than_a_command_is_taken_as_it_comes(database_url: str) -> None:
    async with open_world(database_url, projection_page=1) as world, projecting(world):
        events = shuffled(some_histories(2, 40))
        await until_views_reach(world.url, write_log(world.url, events))
        assert_views_equal_a_fold(world.url, events)


async def test_no_page_ends_within_a_command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages come with their replies, and often with a conversation: three events at once."""
    ends: list[bool] = []
    commit = Projector._commit

    async def watched(self: Projector, connection, builds, events, to):  # type: ignore[no-untyped-def]
        ends.append(events[-1].version == events[-1].end_version)
        return await commit(self, connection, builds, events, to)

    monkeypatch.setattr(Projector, "_commit", watched)
    async with open_world(database_url, projection_page=5) as world, projecting(world):
        events = shuffled(some_histories(6, 60))
        await until_views_reach(world.url, write_log(world.url, events))
        assert len(ends) > 10
        assert all(ends)


@pytest.mark.parametrize("place", ["before", "within", "after"])
async def test_an_error_at_any_commit_loses_and_doubles_nothing(database_url: str, place: str) -> None:
    async with open_world(database_url, projection_page=50) as world:
        events = shuffled(some_histories(4, 50))
        position = write_log(world.url, events)
        for nth in range(1, 4):
            with failpoints.armed(f"projections.commit.{place}", nth=nth):
                async with projecting(world):
                    await until_views_reach(world.url, min(position, 60 * nth))
        async with projecting(world):
            await until_views_reach(world.url, position)
        assert_views_equal_a_fold(world.url, events)


async def test_lost_connections_lose_and_double_nothing(database_url: str) -> None:
    dice = random.Random(5)
    async with open_world(database_url, projection_page=40) as world, projecting(world):
        parts = commands(some_histories(8, 80))
        writing = asyncio.create_task(write_slowly(world, parts))
        with psycopg.connect(world.url, autocommit=True) as connection:
            for _ in range(12):
                await asyncio.sleep(dice.random() / 20)
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'microcos-projections' AND datname = current_database()"
                )
        await until_views_reach(world.url, await writing)
        assert_views_equal_a_fold(world.url, [event for part in parts for event in part])


async def test_a_connection_that_fell_silent_is_given_up(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector_module, "COMMIT_SECONDS_MAX", 3.0)
    hasty = open_world(database_url, database_connect_timeout_seconds=5)
    async with hasty as world, postgres_proxy(database_url) as proxy:
        events = shuffled(some_histories(3, 40))
        half = len(events) // 2
        # Only what it writes goes through the network: it reads and leads on other connections.
        async with projecting(replace(world, settings=replace(world.settings, database_url=proxy.url))):
            await until_views_reach(world.url, write_log(world.url, events[:half]))
            connections = proxy.connections
            proxy.swallow("up", "down")
            position = write_log(world.url, events[half:])
            await until(lambda: proxy.connections > connections)
            proxy.swallow()
            await until_views_reach(world.url, position)
        assert_views_equal_a_fold(world.url, events)


async def test_one_leads_and_another_takes_over_when_it_ends(database_url: str) -> None:
    async with open_world(database_url) as world:
        events = shuffled(some_histories(4, 60))
        half = len(events) // 2
        ready: list[str] = []

        first = start_runner(world, "first", lambda: ready.append("first"))
        await until_views_reach(world.url, write_log(world.url, events[:half]))
        second = start_runner(world, "second", lambda: ready.append("second"))
        async with asyncio.timeout(30):
            while ready != ["first", "second"]:
                await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await until_views_reach(world.url, write_log(world.url, events[half:]))
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert_views_equal_a_fold(world.url, events)


async def test_a_runner_that_was_overtaken_writes_nothing(database_url: str) -> None:
    """It believes to lead, as one that was frozen would: its commit is refused by the epoch."""
    # It does not look again whether it leads: it would find out by that, and stand by.
    never = {"leader_lease_seconds": 7_200.0, "leader_renew_seconds": 3_600.0}
    async with open_world(database_url, **never) as world:
        events = shuffled(some_histories(2, 40))
        async with projecting(world):
            await until_views_reach(world.url, write_log(world.url, events[:10]))
            with psycopg.connect(world.url) as connection:
                connection.execute(
                    "UPDATE leaders SET owner = 'other', epoch = epoch + 1, until = now() + interval '1 hour'"
                    " WHERE role = %s",
                    (ROLE,),
                )
            before = live_position(world.url, "state")
            with failpoints.counted() as reached:
                write_log(world.url, events[10:])
                async with asyncio.timeout(30):
                    while reached.get("projections.commit.before", 0) < 1:
                        await asyncio.sleep(0.01)
            assert live_position(world.url, "state") == before
        assert_views_equal_a_fold(world.url, events[:10])


async def test_an_event_that_cannot_be_read_stops_the_runner_before_it(database_url: str) -> None:
    async with open_world(database_url) as world:
        events = some_histories(1, 30)[0].rows
        bad = replace(events[-1], user_id=user(9), version=1, name="NobodyKnowsThis")
        before = write_log(world.url, events)
        running = start_runner(world)
        await until_views_reach(world.url, before)
        write_log(world.url, [bad])
        with pytest.raises(CorruptEvent):
            async with asyncio.timeout(30):
                await running
        assert live_position(world.url, "state") == before
        assert_views_equal_a_fold(world.url, events)


async def test_a_view_that_is_behind_the_others_catches_up_alone(database_url: str) -> None:
    async with open_world(database_url, projection_page=20) as world:
        events = shuffled(some_histories(4, 60))
        half = len(events) // 2
        position = write_log(world.url, events[:half])
        # Nobody keeps the live views, so these builds end up further than the others.
        Rebuild(world.settings, VIEWS["chat"], Silent()).run()
        assert live_position(world.url, "chat") == position
        write_log(world.url, events[half:-3])
        Rebuild(world.settings, VIEWS["usage"], Silent()).run()
        async with projecting(world):
            await until_views_reach(world.url, write_log(world.url, events[-3:]))
        assert_views_equal_a_fold(world.url, events)


async def test_a_view_of_another_version_is_left_alone_until_it_is_rebuilt(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = {**VIEWS, "tasks": replace(VIEWS["tasks"], version=7)}
    monkeypatch.setattr(projector_module, "VIEWS", newer)
    async with open_world(database_url, leader_renew_seconds=0.05) as world:
        events = shuffled(some_histories(3, 60))
        async with projecting(world):
            half = write_log(world.url, events[: len(events) // 2])
            await until_views_reach(world.url, half, ["state", "chat", "usage"])
            assert live_position(world.url, "tasks") == 0
            await asyncio.to_thread(Rebuild(world.settings, newer["tasks"], Silent()).run)
            await until_views_reach(world.url, write_log(world.url, events[len(events) // 2 :]))
        assert live_rows(world.url, newer["tasks"]) == folded_rows(newer["tasks"], events)


async def test_the_runner_waits_for_postgres(database_url: str) -> None:
    """It starts while nobody can be asked, and leads once somebody can."""
    async with open_world(database_url) as world:
        events = shuffled(some_histories(2, 30))
        with failpoints.armed("leaders.acquire.before"):
            async with projecting(world):
                await until_views_reach(world.url, write_log(world.url, events))
        assert_views_equal_a_fold(world.url, events)
