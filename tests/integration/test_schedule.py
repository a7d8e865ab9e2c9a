"""What comes due fires once, however many schedulers look, however far behind the view is, whoever is killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cli.worker import run_schedule
from commands.preferences import SetPreference
from commands.tasks import CreateTask, UpdateTask
from commands.write_side import WriteSide, open_write_side
from domain.errors import Unavailable
from domain.events import BrainEvent, MessageReceived, ReminderFired, ReplyRequested, WishScheduled
from domain.values import Json, Task
from infra.clock import ManualClock
from infra.settings import Settings
from projections.due_queries import fetch_due
from tests.support.views import catch_up
from workers import schedule as schedule_module
from workers.schedule import Schedule

pytestmark = pytest.mark.anyio


class Killed(BaseException):
    """The process is gone: nothing of it catches this."""


@dataclass
class World:
    """One user, whose clock stands where a test put it, and any number of processes that look for what is due."""

    settings: Settings
    sides: list[WriteSide]
    clock: ManualClock = field(default_factory=ManualClock)
    user_id: str = ""

    def schedule(self, number: int = 0) -> Schedule:
        """Of a process of its own, as far as caches go."""
        side = self.sides[number]
        return Schedule(
            queries=side.queries, keyring=side.keyring, handler=side.handler, clock=self.clock, poll_seconds=0.01
        )

    async def task(self, due: str, **more: Json) -> str:
        handled = await self.sides[0].handler.handle(
            self.user_id, CreateTask(task=Task(title="Call John", due=due, timezone="UTC", **more))
        )
        assert handled.outcome is not None
        return list(handled.outcome.after.tasks)[-1]

    async def prefer(self, key: str, value: Json) -> None:
        command = SetPreference(key=key, preference_ref=f"p_{key}", value=value)
        await self.sides[0].handler.handle(self.user_id, command)

    def project(self) -> None:
        catch_up(self.settings.database_url)

    async def events(self, kind: type[BrainEvent]) -> list[BrainEvent]:
        side = self.sides[0]
        facts = await side.keyring.open_events(self.user_id, await side.log.read_stream(self.user_id, after=0))
        return [fact.event for fact in facts if isinstance(fact.event, kind)]


@asynccontextmanager
async def open_world(settings: Settings) -> AsyncIterator[World]:
    world = World(settings, [])
    async with open_write_side(settings, "first") as first, open_write_side(settings, "second") as second:
        world.sides = [first, second]
        for side in world.sides:
            side.handler._clock = world.clock
        world.user_id = await first.keyring.ensure_user("", "u1")
        yield world


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    async with open_world(settings) as world:
        yield world


async def test_what_is_due_fires_and_is_not_due_any_more(world: World) -> None:
    task_id = await world.task("2025-06-15T15:06")  # the clock stands at 15:06:40
    await world.task("2025-06-15T15:07")
    world.project()
    assert await world.schedule().look() == 1
    (fired,) = await world.events(ReminderFired)
    assert isinstance(fired, ReminderFired)
    assert (fired.task_id, fired.message_id) == (task_id, None)
    assert await world.events(MessageReceived) == []
    world.project()
    queries = world.sides[0].queries
    assert await fetch_due(queries, now_ms=world.clock.user_now_ms(), after=None, limit=10) == []
    world.clock.advance(60)
    assert await world.schedule().look() == 1


async def test_two_schedulers_that_race_fire_each_once(world: World) -> None:
    await world.prefer("notifications", {"reminders": "message", "dailySummary": "15:06"})
    at_ms = (await world.sides[0].states.load(world.user_id)).wishes["daily_summary"]
    world.clock.advance((at_ms - world.clock.now_ms()) / 1000)
    for minute in range(6):
        await world.task(f"2025-06-16T15:0{minute}")
    world.project()
    looks = await asyncio.gather(*(world.schedule(number % 2).look() for number in range(4)))
    assert sum(looks) == 7
    assert len(await world.events(ReminderFired)) == 6
    assert len(await world.events(MessageReceived)) == 7
    assert len(await world.events(WishScheduled)) == 2


async def test_a_view_that_stands_still_makes_nothing_fire_again_and_nobody_ask_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.task("2025-06-15T15:06")
    world.project()
    schedule = world.schedule()
    assert [await schedule.look(), await schedule.look()] == [1, 0]
    asked: list[object] = []
    monkeypatch.setattr(Schedule, "_fire", lambda self, due: asked.append(due))
    await schedule.look()
    assert asked == []
    world.project()
    await schedule.look()
    assert schedule._settled == set()


async def test_pages_go_on_behind_what_a_still_view_shows(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule_module, "PAGE", 2)
    for _ in range(5):
        await world.task("2025-06-15T15:06")
    world.project()
    assert await world.schedule().look() == 5


@pytest.mark.parametrize("is_committed", [False, True])
async def test_one_that_is_killed_while_it_fires_is_followed_by_another_and_it_fires_once(
    world: World, is_committed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.prefer("notifications", {"reminders": "message"})
    await world.task("2025-06-15T15:06")
    world.project()
    handler = world.sides[0].handler
    handle = handler.handle

    async def dying(*given: Any) -> None:
        if is_committed:
            await handle(*given)
        raise Killed

    monkeypatch.setattr(handler, "handle", dying)
    with pytest.raises(Killed):
        await world.schedule(0).look()
    assert len(await world.events(ReminderFired)) == is_committed
    await world.schedule(1).look()
    assert len(await world.events(ReminderFired)) == 1
    assert len(await world.events(MessageReceived)) == 1


async def test_a_task_that_moved_after_the_view_saw_it_fires_at_its_new_instant(world: World) -> None:
    task_id = await world.task("2025-06-15T15:06")
    world.project()
    await world.sides[0].handler.handle(
        world.user_id, UpdateTask(task_id=task_id, patch={"due": "2025-06-15T15:30", "timezone": "UTC"})
    )
    assert await world.schedule(1).look() == 0
    world.project()
    world.clock.advance(3_600)
    assert await world.schedule(1).look() == 1


async def test_one_user_whose_reminder_cannot_fire_keeps_nobody_else_from_theirs(world: World) -> None:
    await world.task("2025-06-15T15:06")
    other = replace(world, user_id=await world.sides[0].keyring.ensure_user("", "u2"))
    await other.task("2025-06-15T15:06")
    world.project()
    broken = (await world.sides[0].keyring.load(world.user_id)).user_key_id
    await world.sides[0].keyring.destroy([broken])
    assert await world.schedule(1).look() == 1
    assert len(await other.events(ReminderFired)) == 1


async def test_the_daily_summary_waits_for_a_worker_at_the_users_hour_and_comes_the_next_day_again(
    world: World,
) -> None:
    await world.prefer("timezone", "America/New_York")
    await world.prefer("notifications", {"dailySummary": "11:30"})
    world.project()
    assert await world.schedule().look() == 0
    world.clock.advance(1_800)
    assert await world.schedule().look() == 1
    (requested,) = await world.events(ReplyRequested)
    assert isinstance(requested, ReplyRequested)
    assert requested.reply.origin == "schedule"
    world.project()
    world.clock.advance(86_400)
    assert await world.schedule(1).look() == 1


async def test_it_goes_on_when_the_store_was_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.task("2025-06-15T15:06")
    world.project()
    fetch, failures = schedule_module.fetch_due, [Unavailable("away"), RuntimeError("a mistake of ours")]

    async def failing(*given: object, **more: object) -> object:
        if failures:
            raise failures.pop()
        return await fetch(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(schedule_module, "fetch_due", failing)
    running = asyncio.create_task(world.schedule().run())
    async with asyncio.timeout(20):
        while not await world.events(ReminderFired):
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_worker_process_looks_for_what_is_due(settings: Settings) -> None:
    async with open_world(replace(settings, schedule_poll_seconds=0.01)) as world:
        world.sides[0].handler._clock = world.sides[0].clock
        await world.prefer("notifications", {"reminders": "message"})
        now = datetime.fromtimestamp(world.sides[0].clock.user_now_ms() / 1000, UTC)
        await world.task(now.strftime("%Y-%m-%dT%H:%M"))
        world.project()
        async with run_schedule(world.sides[0]), asyncio.timeout(20):
            while not await world.events(ReminderFired):
                await asyncio.sleep(0.01)
