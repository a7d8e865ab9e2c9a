"""Reminders and the daily summary as clients see them: in the state, in lists, in the stream, and as messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from domain.events import ReminderFired
from domain.frames import frame_of
from domain.ports import Clock
from infra.clock import SystemClock
from infra.embedded.nats import EmbeddedNats
from tests.support.api_world import ApiWorld, User, open_world, world_settings
from workers.schedule import Schedule

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def world(
    module_database_url: str, nats_server: EmbeddedNats, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ApiWorld]:
    """Its worker looks for what is due once, before anything is: what fires, fires when a test looks."""
    settings = world_settings(
        module_database_url, nats_server.url, tmp_path_factory.mktemp("data"), schedule_poll_seconds=3_600.0
    )
    async with open_world(settings) as opened:
        yield opened


def this_minute() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")


async def fire(world: ApiWorld, user: User, clock: Clock) -> None:
    """One look at what is due, into views that have seen everything so far."""
    await user.read("/tasks")
    side = world.apps[0].side
    schedule = Schedule(queries=side.queries, keyring=side.keyring, handler=side.handler, clock=clock, poll_seconds=1)
    assert await schedule.look() == 1


async def test_a_due_reminder_becomes_visible_wherever_its_task_is_shown(world: ApiWorld) -> None:
    user = world.user()
    made = await user.task("Call John", due=this_minute())
    assert made["remindedAt"] is None
    await fire(world, user, SystemClock())
    expected = {**made, "remindedAt": made["dueAt"], "version": 2}
    assert await user.read(f"/tasks/{made['id']}") == expected
    assert (await user.read("/tasks"))["tasks"] == [expected]
    state = await user.read("/state")
    assert (state["tasks"], state["messages"]) == ([expected], [])
    assert (await user.read("/state?since=1"))["tasks"] == [expected]
    assert (await user.read("/state?as_of=1"))["tasks"] == [made]
    assert (await user.read("/state?as_of=2"))["tasks"] == [expected]
    (fact,) = [fact for fact in await user.facts() if isinstance(fact.event, ReminderFired)]
    frame = frame_of(fact)
    assert frame is not None
    assert frame.data == {
        "type": "reminder.due",
        "taskId": made["id"],
        "dueAt": made["dueAt"],
        "task": expected,
        "version": 2,
    }
    done = await user.made("/tasks", {"action": "complete", "task": {"id": made["id"]}})
    assert done["remindedAt"] == made["dueAt"]


async def test_who_opted_in_gets_a_reminder_as_a_message_that_is_answered_already(world: ApiWorld) -> None:
    user = world.user()
    await user.put("/preferences/notifications", {"value": {"reminders": "message"}})
    due = this_minute()
    await user.task("Call John", due=due)
    await fire(world, user, SystemClock())
    messages = (await user.read("/state"))["messages"]
    shown = [(m["role"], m["origin"], m["status"], m["text"], m["conversationId"]) for m in messages]
    assert shown == [
        ("user", "schedule", "accepted", "Reminder: Call John", "main"),
        ("assistant", "schedule", "completed", f"Reminder: Call John ({due[11:]}).", "main"),
    ]
    assert (await user.read("/usage"))["version"] == await user.head()
    assert "canned" not in messages[1]


async def test_the_daily_summary_is_answered_by_a_worker_without_any_action(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = world.user()
    at_ms = (SystemClock().now_ms() // 60_000 + 2) * 60_000
    hour = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M")
    answer = await user.put("/preferences/notifications", {"value": {"dailySummary": hour}})
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    later = SystemClock(user_offset_ms=120_000)
    monkeypatch.setattr(world.apps[0].side.handler, "_clock", later)
    await fire(world, user, later)
    asked, reply = (await user.read("/state"))["messages"]
    assert (asked["origin"], asked["text"][:18]) == ("schedule", "Daily summary for ")
    ended = await user.ended(reply["id"])
    assert (ended["status"], ended["origin"], ended["actions"]) == ("completed", "schedule", [])
