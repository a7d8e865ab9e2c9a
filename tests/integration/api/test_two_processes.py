"""What one process knows of a user may be a moment behind another: no answer rests on that alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from infra.clock import SystemClock
from tests.support.api_world import HOLD, ApiWorld, User
from tests.support.calendar_files import calendar_file

pytestmark = pytest.mark.anyio

BEHIND = 1  # the process that has heard of nothing since the user's first task
ZONE = "Pacific/Kiritimati"  # fourteen hours ahead of UTC
AFTERNOON_MS = 1_768_046_400_000  # 2026-01-10T12:00Z, the 11th there


@pytest.fixture
async def user(world: ApiWorld) -> AsyncIterator[User]:
    """Known to the second process, which does not hear what the first one is told from now on."""
    user, side = world.user(), world.apps[BEHIND].side
    await user.task("All that the second process knows", at=BEHIND)
    side.feed.remove(side.states)
    yield user
    side.feed.add(side.states)


async def moves_to(user: User, zone: str) -> None:
    assert (await user.put("/preferences/timezone", {"value": zone})).status_code == 200


async def test_a_file_is_imported_by_the_clock_that_was_just_set(user: User) -> None:
    await moves_to(user, ZONE)
    file = calendar_file("floating.ics")
    answer = await user.post("/calendar/import", content=file, content_type="text/calendar", at=BEHIND)
    assert answer.json()["imported"] > 0, answer.text
    page = await user.read("/calendar/events?from=2025-01-01T00:00&to=2025-12-31T00:00")
    assert {event["title"]: event["timezone"] for event in page["events"]} == {
        "Wake up": ZONE,
        "A moment": ZONE,
        "In the gap": "Europe/Berlin",  # as the file says
    }


async def test_days_of_the_calendar_are_those_of_the_clock_that_was_just_set(user: User) -> None:
    await moves_to(user, ZONE)
    late = {"title": "Late", "start": "2025-10-23T12:00:00Z", "end": "2025-10-23T13:00:00Z"}
    await user.made("/calendar/event", late)
    page = await user.read("/calendar/events?from=2025-10-24T00:00&to=2025-10-25T00:00", at=BEHIND)
    assert [event["title"] for event in page["events"]] == ["Late"]


async def test_a_trip_is_over_by_the_clock_that_was_just_set(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystemClock, "user_now_ms", lambda self: AFTERNOON_MS)
    trip = {"title": "Paris trip", "start": "2026-01-09T08:00:00Z", "end": "2026-01-10T09:00:00Z"}
    await user.made("/calendar/event", trip)
    assert len((await user.read("/travel/suggestions", at=BEHIND))["upcoming_trips"]) == 1
    await moves_to(user, ZONE)
    assert (await user.read("/travel/suggestions", at=BEHIND))["upcoming_trips"] == []


async def test_what_a_running_reply_may_cost_is_told_by_whoever_is_asked(world: ApiWorld, user: User) -> None:
    reply_id = (await user.say(HOLD))["replyId"]
    await user.message(reply_id, "streaming")
    told = [(await user.read("/usage", at=at))["tokens"]["reserved"] for at in (0, BEHIND)]
    world.model.may_go_on.set()
    await user.ended(reply_id)
    assert told[0] > 0
    assert told[1] == told[0]
    assert (await user.read("/usage", at=BEHIND))["tokens"]["reserved"] == 0


async def test_tickets_and_archives_name_the_version_that_the_stream_has(user: User) -> None:
    await user.task("Not known to the second process")
    ticket = await user.post("/stream/ticket", {}, at=BEHIND)
    archive = await user.get("/export", at=BEHIND)
    assert (ticket.json()["version"], ticket.headers["x-stream-version"]) == (2, "2")
    assert archive.headers["x-stream-version"] == "2"
