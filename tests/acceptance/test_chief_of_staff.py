"""What people say to their chief of staff, by HTTP and SSE with the offline model: the sentences of the seed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from infra.embedded.nats import EmbeddedNats
from tests.support.api_world import ApiWorld, User, open_world, world_settings
from tests.support.sse_reader import ENDS, Reducer, read_events

pytestmark = pytest.mark.anyio

NOW = "2025-11-19T09:00:00-05:00"  # a Wednesday in New York
ZONE = "America/New_York"


@pytest.fixture(scope="module")
async def world(
    module_database_url: str, nats_server: EmbeddedNats, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ApiWorld]:
    settings = world_settings(module_database_url, nats_server.url, tmp_path_factory.mktemp("data"), now=NOW)
    async with open_world(settings, apis=1) as opened:
        yield opened


@dataclass
class Said:
    """One message's answer, as the stream told it."""

    ack: dict[str, Any]
    text: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event["data"] for event in self.events if event["event"] == name]

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]


async def say(user: User, text: str, **more: Any) -> Said:
    """Send it, follow its stream to the reply's end, and hold the stream to the rules on the way."""
    ack = await user.say(text, **more)
    headers = {"authorization": f"Bearer {user.token}"}
    data = b""
    async with user.world.clients[0].stream("GET", ack["streamUrl"], headers=headers) as response:
        async for part in response.aiter_bytes():
            data += part
            events = read_events(data)
            if any(e["event"] in ENDS and e["data"]["messageId"] == ack["replyId"] for e in events):
                break
    reducer = Reducer()
    for event in events:
        reducer.apply(event)
    end = next(e["data"] for e in events if e["event"] in ENDS and e["data"]["messageId"] == ack["replyId"])
    assert end["type"] == "message.completed"
    return Said(ack, end["text"], events)


async def somebody(world: ApiWorld) -> User:
    user = world.user()
    await user.put("/preferences/timezone", {"value": ZONE})
    return user


async def paris_trip(user: User) -> dict[str, Any]:
    trip = {"title": "Paris trip", "start": "2026-05-10T08:00:00Z", "end": "2026-05-15T22:00:00Z"}
    return await user.made("/calendar/event", {**trip, "description": "Business trip to Paris"})


async def event(user: User, title: str, start: str, **more: Any) -> dict[str, Any]:
    return await user.made("/calendar/event", {"title": title, "start": start, **more})


async def test_the_agenda_of_today_has_events_and_what_is_due_overdue_or_open(world: ApiWorld) -> None:
    user = await somebody(world)
    await event(user, "Budget meeting", "2025-11-19T15:00", location="Room 4")
    await event(user, "Stand-up", "2025-11-17T09:30", recurrence="FREQ=DAILY")
    await event(user, "Tomorrow's lunch", "2025-11-20T12:00")
    await user.task("Send the report", due="2025-11-19")
    await user.task("Pay rent", due="2025-11-17")
    await user.task("Some day")
    said = await say(user, "Hey – what's on my agenda today?")
    lines = said.text.splitlines()
    assert lines[0] == "Your agenda for 2025-11-19:"
    assert lines[1:3] == [
        "- Wednesday 2025-11-19 09:30–10:30 Stand-up",
        "- Wednesday 2025-11-19 15:00–16:00 Budget meeting (Room 4)",
    ]
    assert "- Due that day: Send the report" in lines
    assert any(line.startswith("- Overdue: Pay rent") for line in lines)
    assert "lunch" not in said.text


async def test_a_reminder_without_a_time_is_a_task(world: ApiWorld) -> None:
    user = await somebody(world)
    said = await say(user, "Remind me to call John")
    assert said.text.startswith("Done: call John.")
    (action,) = said.named("llm.action")
    assert (action["action"], action["payload"]) == ("create_task", {"title": "call John"})
    assert said.names.index("llm.action") < said.names.index("task.created") < said.names.index("llm.token")


async def test_the_week_is_summed_up_with_what_was_done_and_what_was_said(world: ApiWorld) -> None:
    user = await somebody(world)
    task = await user.task("Send budget")
    await user.made("/tasks", {"action": "complete", "task": {"id": task["id"]}})
    await event(user, "Board meeting", "2025-11-20T10:00")
    await say(user, "Hello, I am preparing the board meeting")
    said = await say(user, "Summarize my week")
    assert "Board meeting" in said.text
    assert "Completed:\n- Wednesday 2025-11-19 Send budget" in said.text
    assert "You wrote about:\n- Hello, I am preparing the board meeting" in said.text


async def test_a_plan_is_made_kept_shown_again_and_made_anew_when_its_basis_changed(world: ApiWorld) -> None:
    user = await somebody(world)
    for title in ("Write the offer", "Call John", "Buy milk", "Read", "Sleep"):
        await user.task(title)
    first = await say(user, "Plan my day")
    assert first.text.startswith("Your plan for Wednesday 2025-11-19:\n\nPriorities:\n1. ")
    (action,) = first.named("llm.action")
    assert action["action"] == "set_plan"
    assert len(action["payload"]["priorities"]) == 3
    assert "plan.updated" in first.names
    again = await say(user, "What's my plan for today?")
    assert again.text == first.text
    assert not again.named("llm.action")
    await user.task("Something urgent", priority="high")
    changed = await say(user, "What's my plan for today?")
    assert "1. Something urgent" in changed.text
    plan = await user.read("/plan/2025-11-19")
    assert plan["priorities"][0] == "Something urgent"


async def test_a_plan_of_the_users_own_is_shown_and_not_overwritten_unasked(world: ApiWorld) -> None:
    user = await somebody(world)
    await user.put("/plan/2025-11-19", {"priorities": ["Rest"], "todos": [], "notes": []})
    said = await say(user, "Plan my day")
    assert said.text.startswith("Your own plan for Wednesday 2025-11-19:")
    assert "1. Rest" in said.text
    anew = await say(user, "Plan my day again")
    assert "Rest" not in anew.text


async def test_flights_are_searched_ranked_kept_and_told(world: ApiWorld) -> None:
    user = await somebody(world)
    said = await say(user, "Find me flights to Boston next week")
    assert said.text.startswith("Flights from New York to Boston, Monday 2025-11-24 to Sunday 2025-11-30:\n1. ")
    progress = [(each["stage"], each.get("tool"), each["label"]) for each in said.named("message.progress")]
    assert ("tool", "find_flights", "Searching flights") in progress
    assert any(stage == "thinking" for stage, _, _ in progress)
    (action,) = said.named("llm.action")
    assert action["action"] == "find_flights"
    workflow_id = action["payload"]["workflow_id"]
    (kept,) = said.named("travel.suggestions")
    assert kept["workflowId"] == workflow_id
    (trip,) = (await user.read("/travel/suggestions"))["upcoming_trips"]
    assert (trip["workflow_id"], trip["destination"], trip["travel_event_id"]) == (workflow_id, "Boston", None)
    best = trip["ranked_flights"][0]
    assert said.text.splitlines()[1].startswith(f"1. {best['airline']} {best['origin']}–{best['destination']}")
    usage = await user.read("/usage")
    assert usage["searches"]["used"] == 1


async def test_a_trip_in_the_calendar_says_where_and_when(world: ApiWorld) -> None:
    user = await somebody(world)
    stored = await paris_trip(user)
    (before,) = (await user.read("/travel/suggestions"))["upcoming_trips"]
    assert (before["travel_event_id"], before["ranked_flights"]) == (stored["travelEventId"], [])
    said = await say(user, "Find flights to Paris")
    assert said.text.startswith("Flights from New York to Paris, Sunday 2026-05-10, back on Friday 2026-05-15:")
    (trip,) = (await user.read("/travel/suggestions"))["upcoming_trips"]
    assert trip["travel_event_id"] == stored["travelEventId"]
    assert trip["workflow_id"] == before["workflow_id"]
    assert trip["departure_date"] == "2026-05-10"
    assert trip["ranked_flights"][0]["rank"] == 1


async def test_what_a_search_lacks_is_asked_for_and_the_answer_goes_on_with_it(world: ApiWorld) -> None:
    user = world.user()
    where = await say(user, "Find flights from JFK")
    assert "where you want to go" in where.text
    when = await say(user, "Boston")
    assert "when you want to leave" in when.text
    found = await say(user, "next Friday")
    assert found.text.startswith("Flights from JFK to Boston, Friday 2025-11-28:")
    assert (await user.read("/usage"))["searches"]["used"] == 1


async def test_a_flight_is_put_forward_and_selected_when_the_user_approves(world: ApiWorld) -> None:
    user = await somebody(world)
    await say(user, "Find me flights to Boston next week")
    said = await say(user, "Book the first one")
    assert said.text.startswith("I have put forward ")
    (action,) = said.named("action.created")
    assert (action["action"]["kind"], action["action"]["status"]) == ("select_flight", "proposed")
    path = f"/actions/{action['actionId']}"
    assert not [task for task in (await user.read("/state"))["tasks"] if task["tags"] == ["travel"]]
    approved = await user.made(f"{path}/approve", {}, key="approve it")
    assert await user.made(f"{path}/approve", {}, key="approve it") == approved
    assert (approved["status"], approved["kind"]) == ("committed", "select_flight")
    (trip,) = (await user.read("/travel/suggestions"))["upcoming_trips"]
    assert trip["selected_flight_id"] == action["action"]["payload"]["flight_id"]
    assert {"step": "payment", "status": "waiting"} in trip["steps"]
    assert len([task for task in (await user.read("/state"))["tasks"] if task["tags"] == ["travel"]]) == 2
    assert (await user.post(f"{path}/approve", {})).status_code == 200
    assert (await user.post(f"{path}/reject", {})).status_code == 409
    assert (await user.post("/actions/act_none/approve", {})).status_code == 404


async def test_a_flight_is_selected_from_its_card(world: ApiWorld) -> None:
    user = await somebody(world)
    await say(user, "Find me flights to Boston next week")
    (trip,) = (await user.read("/travel/suggestions"))["upcoming_trips"]
    flight_id = trip["ranked_flights"][1]["flight_id"]
    path = f"/travel/{trip['workflow_id']}/select/{flight_id}"
    selected = await user.made(path, {})
    assert (selected["status"], selected["flight_id"]) == ("selected", flight_id)
    assert [step["step"] for step in selected["steps"]] == ["offer_selected", "tasks_created", "payment"]
    assert len(selected["tasks"]) == 2
    assert await user.made(path, {}) == selected
    assert (await user.post(f"/travel/{trip['workflow_id']}/select/none", {})).status_code == 409
    assert (await user.post(f"/travel/wf_none/select/{flight_id}", {})).status_code == 404


async def test_a_meeting_is_moved_and_cancelled_by_its_hour(world: ApiWorld) -> None:
    user = await somebody(world)
    made = await event(user, "Budget meeting", "2025-11-19T15:00", end="2025-11-19T15:30")
    moved = await say(user, "Move my 3 pm meeting to 4")
    assert moved.text.startswith("Done: updated Budget meeting — Wednesday 2025-11-19 16:00–16:30.")
    cancelled = await say(user, "Cancel my 4 pm meeting")
    assert cancelled.text.startswith("Done: cancelled Budget meeting — Wednesday 2025-11-19 16:00.")
    (gone,) = cancelled.named("calendar.deleted")
    assert gone["eventId"] == made["id"]


async def test_one_of_a_series_is_cancelled_or_moved_alone(world: ApiWorld) -> None:
    user = await somebody(world)
    await event(user, "Stand-up", "2025-11-17T15:00", recurrence="FREQ=DAILY")
    moved = await say(user, "Move my 3 pm meeting to 4")
    assert "Wednesday 2025-11-19 16:00–17:00" in moved.text
    await say(user, "Cancel my stand-up meeting tomorrow")
    listed = await user.read("/calendar/events?from=2025-11-19&to=2025-11-22")
    starts = [one["occurrenceStart"] for one in listed["events"]]
    assert [start[:16] for start in starts] == ["2025-11-19T16:00", "2025-11-21T15:00"]


async def test_a_dinner_is_added_to_the_calendar(world: ApiWorld) -> None:
    user = await somebody(world)
    said = await say(user, "Add dinner with Ada tomorrow at 7 pm to my calendar")
    assert said.text.startswith("Done: added dinner with Ada — Thursday 2025-11-20 19:00–20:00.")
    (made,) = said.named("calendar.created")
    start = datetime(2025, 11, 20, 19, tzinfo=ZoneInfo(ZONE)).isoformat()
    assert (made["calendarEvent"]["title"], made["calendarEvent"]["start"]) == ("dinner with Ada", start)
    assert made["calendarEvent"]["createdFrom"] == said.ack["messageId"]


async def test_a_day_without_searches_left_says_so(world: ApiWorld) -> None:
    user = await somebody(world)
    limit = replace(world.settings).limit_flight_searches_per_day
    for _ in range(limit):
        await say(user, "Find flights to Boston tomorrow")
    said = await say(user, "Find flights to Boston tomorrow")
    assert "flight searches a day" in said.text
    assert (await user.read("/usage"))["searches"]["used"] == limit


async def test_a_daily_summary_is_wished_for_and_called_off_by_chat(world: ApiWorld) -> None:
    user = await somebody(world)
    wished = await say(user, "Send me a daily summary at 8am")
    assert "08:00" in wished.text
    assert (await user.read("/preferences"))["preferences"]["notifications"] == {"dailySummary": "08:00"}
    await say(user, "Stop the daily summary")
    assert (await user.read("/preferences"))["preferences"]["notifications"] == {"dailySummary": None}
