"""Sync with a calendar that somebody keeps elsewhere, on real stores: the difference, once; failures; one leader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from commands.calendar import SetCalendarEvent
from commands.write_side import WriteSide, open_write_side
from domain import limits
from domain.events import CalendarEventAdded, CalendarEventChanged, CalendarEventRemoved, TripDetected
from domain.foreign_calendar import CalendarAway, CalendarPage, ForeignEvent
from domain.local_times import local_time
from infra.leases import PostgresLeaders
from infra.settings import Settings
from tests.support.google_calendar import GoogleStandIn, event
from workers.calendar_sync import DAYS_AFTER, DAYS_BEFORE, ROLE, CalendarSync

pytestmark = pytest.mark.anyio


@dataclass
class Script:
    """A calendar that answers what it is told to, page by page; the last one again and again."""

    pages: list[CalendarPage | CalendarAway]
    windows: list[tuple[int, int]] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def events(self, from_ms: int, until_ms: int) -> CalendarPage:
        self.windows.append((from_ms, until_ms))
        self.asked.set()
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, CalendarAway):
            raise page
        return page


@pytest.fixture
async def side(settings: Settings) -> AsyncIterator[WriteSide]:
    async with open_write_side(settings, "test") as opened:
        yield opened


def sync_of(side: WriteSide, reader: Any, **changes: Any) -> CalendarSync:
    sync = CalendarSync(
        reader=reader,
        handler=side.handler,
        keyring=side.keyring,
        leaders=PostgresLeaders(side.queries, "one"),
        clock=side.clock,
        issuer="",
        sub="u1",
        every_seconds=60.0,
    )
    return replace(sync, **changes)


def tomorrow(side: WriteSide, hour: int = 9) -> str:
    return f"{local_time(side.clock.user_now_ms() + limits.DAY_MS, 'UTC')[:10]}T{hour:02}:00:00Z"


def foreign(side: WriteSide, uid: str, **more: Any) -> ForeignEvent:
    given = {"title": uid, "start": tomorrow(side), "end": tomorrow(side, 10), **more}
    return ForeignEvent(uid=uid, **given)


async def kinds_of(side: WriteSide, user_id: str) -> list[type]:
    facts = await side.keyring.open_events(user_id, await side.log.read_stream(user_id, after=0))
    return [type(fact.event) for fact in facts]


async def test_the_difference_is_appended_once_and_what_failed_in_part_deletes_nothing(side: WriteSide) -> None:
    user_id = await side.keyring.ensure_user("", "u1")
    a, b, trip = foreign(side, "a"), foreign(side, "b"), foreign(side, "Trip to Paris")
    reader = Script(
        [
            CalendarPage(events=(a, b, trip)),
            CalendarPage(events=(a, b, trip)),
            CalendarPage(events=(a,), is_complete=False),
            CalendarPage(events=(a, trip), unread=("b",)),
            CalendarPage(events=(a, trip, replace(b, end="nonsense"))),
            CalendarPage(events=(replace(a, title="moved"), trip)),
        ]
    )
    sync = sync_of(side, reader)
    assert [await sync.sync() for _ in range(6)] == [True, False, False, False, False, True]
    added = [CalendarEventAdded] * 3
    assert await kinds_of(side, user_id) == [*added, TripDetected, CalendarEventRemoved, CalendarEventChanged]
    brain = await side.states.load(user_id)
    assert sorted(state.entry.title for state in brain.calendar.values()) == ["Trip to Paris", "moved"]


async def test_the_window_slides_with_the_users_day(side: WriteSide) -> None:
    await side.keyring.ensure_user("", "u1")
    reader = Script([CalendarPage(events=())])
    before = side.clock.user_now_ms()
    await sync_of(side, reader).sync()
    [(from_ms, until_ms)] = reader.windows
    assert until_ms - from_ms == (DAYS_BEFORE + DAYS_AFTER) * limits.DAY_MS
    assert from_ms >= before - DAYS_BEFORE * limits.DAY_MS


async def test_events_of_the_user_stay_and_nobody_is_made_who_was_not_there(side: WriteSide) -> None:
    reader = Script([CalendarPage(events=())])
    assert not await sync_of(side, reader, sub="nobody").sync()
    assert reader.windows == []
    assert await side.keyring.find_user("", "nobody") is None
    user_id = await side.keyring.ensure_user("", "u1")
    mine = SetCalendarEvent(fields={"title": "mine", "start": tomorrow(side)})
    await side.handler.handle(user_id, mine)
    assert not await sync_of(side, reader).sync()
    assert len((await side.states.load(user_id)).calendar) == 1


async def test_a_calendar_that_is_away_is_asked_again_and_only_by_the_leader(side: WriteSide) -> None:
    await side.keyring.ensure_user("", "u1")
    reader = Script([CalendarAway("unavailable"), CalendarPage(events=(foreign(side, "a"),))])
    idle = Script([CalendarPage(events=())])
    running = asyncio.create_task(sync_of(side, reader, every_seconds=0.01).run())
    await reader.asked.wait()
    second = sync_of(side, idle, leaders=PostgresLeaders(side.queries, "two"), every_seconds=0.01)
    waiting = asyncio.create_task(second.run())
    async with asyncio.timeout(20):
        while len(reader.windows) < 5:
            await asyncio.sleep(0.01)
    assert idle.windows == []
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(20):
        await idle.asked.wait()  # the first one resigned, and did not let its lease run out
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_reader_that_breaks_in_any_way_does_not_end_the_sync(side: WriteSide) -> None:
    await side.keyring.ensure_user("", "u1")

    class Broken(Script):
        async def events(self, from_ms: int, until_ms: int) -> CalendarPage:
            await super().events(from_ms, until_ms)
            raise [OSError("no"), KeyError("what"), CalendarAway("timeout")][len(self.windows) % 3]

    broken = Broken([CalendarPage(events=())])
    running = asyncio.create_task(sync_of(side, broken, every_seconds=0.001).run())
    async with asyncio.timeout(20):
        while len(broken.windows) < 4:
            await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert await PostgresLeaders(side.queries, "two").acquire(ROLE, 1.0) is not None


async def test_googles_events_come_in_over_mcp_with_their_zone(side: WriteSide) -> None:
    user_id = await side.keyring.ensure_user("", "u1")
    google = GoogleStandIn([event("g1", tomorrow(side), tomorrow(side, 11), summary="Review")])
    sync = sync_of(side, google.calendar())
    assert [await sync.sync(), await sync.sync()] == [True, False]
    [state] = (await side.states.load(user_id)).calendar.values()
    assert (state.source, state.entry.title, state.entry.timezone) == ("google", "Review", "Europe/Berlin")
    google.events.clear()
    google.more = {"partialFailures": [{"accountId": "x", "reason": "y"}]}
    assert not await sync.sync()
    google.more = {}
    assert await sync.sync()
    assert not (await side.states.load(user_id)).calendar
