"""The calendar over HTTP: the first description's event, changes, windows with series, files, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from domain import limits
from tests.support.api_world import ApiWorld, User
from tests.support.calendar_files import calendar_file

pytestmark = pytest.mark.anyio

# Word for word as the first description has it.
PARIS = {
    "title": "Paris trip",
    "start": "2025-05-10T08:00:00Z",
    "end": "2025-05-15T22:00:00Z",
    "description": "Business trip to Paris",
}
STANDUP = {
    "title": "Standup",
    "start": "2025-10-24T09:00",
    "end": "2025-10-24T09:15",
    "timezone": "Europe/Berlin",
    "recurrence": "FREQ=DAILY",
}


async def listed(user: User, query: str) -> list[tuple[str, str]]:
    """Title and start of what takes place."""
    page = await user.read(f"/calendar/events?{query}")
    return [(event["title"], event["occurrenceStart"]) for event in page["events"]]


async def imported(user: User, name: str, **options: Any) -> dict[str, Any]:
    answer = await user.post(
        "/calendar/import", content=calendar_file(name), content_type="text/calendar; charset=utf-8", **options
    )
    assert answer.status_code == 200, answer.text
    shape: dict[str, Any] = answer.json()
    return shape


async def test_an_event_is_made_as_the_first_description_says_and_is_a_trip(world: ApiWorld) -> None:
    user = world.user()
    answer = await user.post("/calendar/event", PARIS)
    event = answer.json()
    assert (answer.status_code, answer.headers["x-stream-version"]) == (201, "2")
    assert event.pop("id").startswith("cal_")
    assert event.pop("travelEventId").startswith("evt_")
    assert event.pop("createdAt").endswith("Z")
    assert event == {
        **PARIS,
        "timezone": "UTC",
        "allDay": False,
        "location": None,
        "attendees": [],
        "recurrence": None,
        "excluded": [],
        "moved": [],
        "source": "own",
        "createdFrom": None,
        "version": 2,
    }


async def test_an_event_is_changed_by_its_id_and_null_clears(world: ApiWorld) -> None:
    user = world.user()
    made = await user.made("/calendar/event", {**PARIS, "location": "Gare de Lyon", "timezone": "Europe/Paris"})
    assert (made["start"], made["end"]) == ("2025-05-10T10:00:00+02:00", "2025-05-16T00:00:00+02:00")
    answer = await user.post("/calendar/event", {"id": made["id"], "start": "2025-05-11T10:00", "location": None})
    moved = answer.json()
    assert (answer.status_code, moved["version"]) == (200, await user.head())
    assert (moved["start"], moved["end"], moved["location"]) == (
        "2025-05-11T10:00:00+02:00",
        "2025-05-17T00:00:00+02:00",
        None,
    )
    assert moved["travelEventId"] == made["travelEventId"]
    again = await user.post("/calendar/event", {"id": made["id"], "title": "Paris trip"})
    assert (again.status_code, again.json()) == (200, moved)
    gone = await user.made("/calendar/event", {"id": made["id"], "title": "Budget", "description": None})
    assert "travelEventId" not in gone


async def test_an_event_that_has_changed_meanwhile_is_not_changed_over_it(world: ApiWorld) -> None:
    user = world.user()
    made = await user.made("/calendar/event", STANDUP)
    change = {"id": made["id"], "title": "Coffee"}
    for tag in (f'"{made["version"] + 1}"', "no version"):
        stale = await user.post("/calendar/event", change, if_match=tag)
        assert (stale.status_code, stale.json()["code"]) == (412, "version_stale")
    assert (await user.post("/calendar/event", STANDUP, if_match="1")).status_code == 412
    assert await user.head() == made["version"]
    changed = await user.post("/calendar/event", change, if_match=f'"{made["version"]}"')
    assert (changed.status_code, changed.json()["title"]) == (200, "Coffee")


async def test_an_event_is_removed_once(world: ApiWorld) -> None:
    user = world.user()
    made = await user.made("/calendar/event", PARIS)
    answer = await user.delete(f"/calendar/events/{made['id']}")
    assert (answer.status_code, answer.json()) == (200, {"id": made["id"], "deleted": True, "version": 4})
    assert await listed(user, "from=2025-01-01&to=2025-12-31") == []
    again = await user.delete(f"/calendar/events/{made['id']}")
    assert (again.status_code, again.json()["code"]) == (404, "calendar_event_unknown")


async def test_an_event_that_has_changed_meanwhile_is_not_removed(world: ApiWorld) -> None:
    user = world.user()
    made = await user.made("/calendar/event", STANDUP)
    changed = await user.made("/calendar/event", {"id": made["id"], "title": "Coffee"})
    path = f"/calendar/events/{made['id']}"
    stale = await user.delete(path, if_match=f'"{made["version"]}"')
    assert (stale.status_code, stale.json()["code"]) == (412, "version_stale")
    assert (await user.delete(path, if_match=f'"{changed["version"]}"')).status_code == 200


async def test_one_persons_event_is_unknown_to_another(world: ApiWorld) -> None:
    owner, other = world.user(), world.user()
    made = await owner.made("/calendar/event", PARIS)
    bodies = [{"id": made["id"], "title": "Mine"}, {"id": "cal_x", "title": "Mine"}]
    theirs, nobodys = [(await other.post("/calendar/event", body)) for body in bodies]
    assert (theirs.status_code, theirs.content) == (404, nobodys.content)
    assert await listed(other, "from=2025-05-01&to=2025-06-01") == []


# --- windows ------------------------------------------------------------------------------------------------------


async def test_a_series_keeps_its_hour_when_clocks_change(world: ApiWorld) -> None:
    user = world.user()
    made = await user.made("/calendar/event", STANDUP)
    assert await listed(user, "from=2025-10-25&to=2025-10-28&timezone=Europe/Berlin") == [
        ("Standup", "2025-10-25T09:00:00+02:00"),
        ("Standup", "2025-10-26T09:00:00+01:00"),
        ("Standup", "2025-10-27T09:00:00+01:00"),
    ]
    await user.made("/calendar/event", {"id": made["id"], "excluded": ["2025-10-26"]})
    page = await user.read("/calendar/events?from=2025-10-26&to=2025-10-28")
    (event,) = page["events"]
    assert (event["start"], event["original"]) == ("2025-10-24T09:00:00+02:00", "2025-10-27T09:00")
    assert event["excluded"] == ["2025-10-26T09:00"]


async def test_a_window_is_in_the_users_zone_unless_it_says_otherwise(world: ApiWorld) -> None:
    user = world.user()
    await user.put("/preferences/timezone", {"value": "America/New_York"})
    await user.made("/calendar/event", {"title": "Late", "start": "2025-06-01T23:30"})
    assert await listed(user, "from=2025-06-01&to=2025-06-02") == [("Late", "2025-06-01T23:30:00-04:00")]
    assert await listed(user, "from=2025-06-01&to=2025-06-02&timezone=UTC") == []
    assert await listed(user, "from=2025-06-02T03:00:00Z&to=2025-06-02T04:00:00Z") != []


async def test_what_reaches_into_a_window_is_listed_and_its_end_is_not_part_of_it(world: ApiWorld) -> None:
    user = world.user()
    await user.made("/calendar/event", {"title": "Days", "start": "2025-06-01", "end": "2025-06-04"})
    assert len(await listed(user, "from=2025-06-03&to=2025-06-10")) == 1
    assert await listed(user, "from=2025-06-04&to=2025-06-10") == []
    assert await listed(user, "from=2025-05-01&to=2025-06-01") == []


async def test_occurrences_come_in_pages_without_gap_or_repeat(world: ApiWorld) -> None:
    user = world.user()
    for minute in (0, 0, 30):
        await user.made("/calendar/event", {**STANDUP, "start": f"2025-10-01T09:{minute:02}", "end": None})
    window = "from=2025-10-01&to=2025-10-11"
    whole = await user.read(f"/calendar/events?{window}")
    assert (len(whole["events"]), whole["nextCursor"]) == (30, None)
    seen: list[Any] = []
    cursor = ""
    while True:
        page = await user.read(f"/calendar/events?{window}&limit=7{cursor}")
        seen += page["events"]
        if page["nextCursor"] is None:
            break
        assert len(page["events"]) == 7
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == whole["events"]


async def test_without_a_window_the_coming_month_is_listed_and_may_be_cached(world: ApiWorld) -> None:
    user = world.user()
    await user.made("/calendar/event", {**STANDUP, "start": "2020-01-01T00:00", "end": None})
    page = await user.read("/calendar/events")
    assert len(page["events"]) in (31, 32)
    answer = await user.get("/calendar/events?from=2025-01-01")
    cached = await user.get("/calendar/events?from=2025-01-01", if_none_match=answer.headers["etag"])
    assert (cached.status_code, cached.content) == (304, b"")


async def test_without_a_window_what_does_not_repeat_is_listed_wherever_it_lies(world: ApiWorld) -> None:
    user = world.user()
    await user.made("/calendar/event", STANDUP)
    for day in ("1960-05-10", "2010-05-10", "2090-05-10"):
        await user.made("/calendar/event", {"title": day, "start": day})
    whole = (await user.read("/calendar/events"))["events"]
    titles = [event["title"] for event in whole]
    assert titles == ["1960-05-10", "2010-05-10", *[STANDUP["title"]] * (len(whole) - 3), "2090-05-10"]
    page = await user.read("/calendar/events?limit=2")
    seen = page["events"]
    while page["nextCursor"] is not None:
        page = await user.read(f"/calendar/events?limit=2&cursor={page['nextCursor']}")
        seen += page["events"]
    assert seen == whole
    assert [event["title"] for event in (await user.read("/calendar/events?from=2010-05-01"))["events"]] == [
        "2010-05-10"
    ]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        *((f"limit={value}", "invalid_query") for value in ("0", "501", "1e3", "%D9%A3")),
        *((f"from={value}", "time_invalid") for value in ("soon", "2025-02-30", "0000-01-01", "1700000000", "")),
        *(("from=2025-03-30T02:30&timezone=Europe/Berlin", "time_missing"), ("timezone=Mars", "timezone_unknown")),
        *(("from=2025-06-01&to=2025-06-01", "window_invalid"), ("from=2025-01-01&to=2027-01-01", "window_too_large")),
        *(("cursor=x", "cursor_invalid"), ("cursor=WzEsMl0", "cursor_invalid"), ("order=asc", "invalid_query")),
        ("min_version=99", "version_above_head"),
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(world: ApiWorld, query: str, code: str) -> None:
    answer = await world.user().get(f"/calendar/events?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"end": "2025-05-09T08:00:00Z"}, "end_invalid"),
        ({"end": "2025-05-10T08:00:00Z"}, "end_invalid"),
        ({"end": "2025-05-12"}, "end_invalid"),
        ({"end": "2125-05-10T08:00:00Z"}, "event_too_long"),
        ({"timezone": "Mars/Olympus"}, "timezone_unknown"),
        ({"timezone": "../../etc/passwd"}, "timezone_unknown"),
        ({"start": "2025-03-30T02:30", "end": None, "timezone": "Europe/Berlin"}, "time_missing"),
        ({"start": "2025-02-30"}, "time_invalid"),
        ({"start": "0000-01-01T00:00"}, "time_invalid"),
        ({"start": "10000-01-01T00:00"}, "time_invalid"),
        ({"start": "9999-12-31T23:59:59-23:59"}, "time_invalid"),
        ({"start": "2025-05-10T08:00:00+25:00"}, "time_invalid"),
        ({"start": "٢٠٢٥-05-10"}, "time_invalid"),
        ({"start": 1746864000}, "invalid"),
        ({"start": None}, "event_incomplete"),
        ({"title": None}, "event_incomplete"),
        ({"title": "   "}, "title_invalid"),
        ({"title": "x" * 501}, "invalid"),
        ({"description": "x" * 8_001}, "invalid"),
        ({"attendees": [" "]}, "attendee_invalid"),
        ({"attendees": ["a@example.com"] * 101}, "invalid"),
        ({"attendees": "a@example.com"}, "invalid"),
        ({"recurrence": "FREQ=SECONDLY"}, "recurrence_invalid"),
        ({"recurrence": "FREQ=DAILY;COUNT=1000000000"}, "recurrence_invalid"),
        ({"recurrence": "FREQ=DAILY", "excluded": ["never"]}, "time_invalid"),
        ({"source": "google"}, "invalid"),
        ({"travelEventId": "evt_1"}, "invalid"),
        ({"id": ""}, "invalid"),
    ],
)
async def test_an_event_that_makes_no_sense_is_refused(world: ApiWorld, changes: dict[str, Any], code: str) -> None:
    user = world.user()
    answer = await user.post("/calendar/event", {**PARIS, **changes})
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert await user.head() == 0


async def test_a_local_time_that_does_not_exist_is_told_apart_from_one_with_its_offset(world: ApiWorld) -> None:
    user = world.user()
    body = {"title": "x", "start": "2025-03-30T02:30:00+01:00", "timezone": "Europe/Berlin"}
    made = await user.made("/calendar/event", body)
    assert made["start"] == "2025-03-30T03:30:00+02:00"


async def test_of_an_hour_that_comes_twice_the_offset_says_which(world: ApiWorld) -> None:
    user = world.user()
    for offset in ("+02:00", "+01:00"):
        body = {"title": "x", "start": f"2025-10-26T02:30:00{offset}", "timezone": "Europe/Berlin"}
        made = await user.made("/calendar/event", body)
        assert made["start"] == body["start"]
        renamed = await user.made("/calendar/event", {"id": made["id"], "title": "y"})
        assert renamed["start"] == body["start"]


async def test_events_beyond_the_cap_are_refused_with_what_to_do(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.limits.CALENDAR_EVENTS_MAX", 1)
    user = world.user()
    soon = {"title": "x", "start": "2089-01-01"}
    await user.made("/calendar/event", soon)
    answer = await user.post("/calendar/event", soon)
    assert (answer.status_code, answer.json()["code"]) == (409, "calendar_full")


# --- files --------------------------------------------------------------------------------------------------------


async def test_a_file_is_imported_once_however_often_it_is_sent(world: ApiWorld) -> None:
    user = world.user()
    first = await imported(user, "google.ics", key="k-1")
    assert {name: first[name] for name in ("imported", "updated", "removed", "unchanged", "skipped")} == {
        "imported": 3,
        "updated": 0,
        "removed": 0,
        "unchanged": 0,
        "skipped": [],
    }
    assert await imported(user, "google.ics", key="k-1") == first
    again = await imported(user, "google.ics")
    assert (again["imported"], again["unchanged"], again["version"]) == (0, 3, first["version"])
    changed = await user.post(
        "/calendar/import",
        content=calendar_file("google.ics").replace(b"SUMMARY:Lunch", b"SUMMARY:Late lunch"),
        content_type="text/calendar",
    )
    assert (changed.json()["updated"], changed.json()["unchanged"]) == (1, 2)
    other = calendar_file("apple.ics")
    reused = await user.post("/calendar/import", content=other, content_type="text/calendar", key="k-1")
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")


async def test_what_cannot_be_taken_is_named_with_its_reason(world: ApiWorld) -> None:
    user = world.user()
    answer = await imported(user, "hostile.ics")
    assert answer["imported"] == 1
    assert {one["uid"]: one["reason"] for one in answer["skipped"]} == {
        "seconds@hostile": "recurrence_invalid",
        "billion@hostile": "recurrence_invalid",
        "two-rules@hostile": "recurrence_invalid",
        "nowhere@hostile": "timezone_unknown",
        "century@hostile": "event_too_long",
        "backwards@hostile": "end_invalid",
        "nonsense@hostile": "unreadable",
    }


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"", "text/calendar", 400, "calendar_file_invalid"),
        (b"hello", "text/calendar", 400, "calendar_file_invalid"),
        (b"BEGIN:VCALENDAR\r\n", "text/calendar", 400, "calendar_file_invalid"),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "text/calendar", 400, "calendar_file_invalid"),
        (b"BEGIN:VCALENDAR\r\nX:\xff\r\nEND:VCALENDAR\r\n", "text/calendar", 400, "calendar_file_invalid"),
        (b"BEGIN:VEVENT\r\n" * 2_001, "text/calendar", 400, "calendar_file_too_large"),
        (b"x\r\n" * 60_000, "text/calendar", 400, "calendar_file_too_large"),
        (b"x" * 1_048_577, "text/calendar", 413, "body_too_large"),
        (b"{}", "application/json", 415, "unsupported_media_type"),
        (b"{}", "multipart/form-data; boundary=x", 415, "unsupported_media_type"),
    ],
)
async def test_what_is_no_calendar_file_is_refused(
    world: ApiWorld, content: bytes, kind: str, status: int, code: str
) -> None:
    user = world.user()
    answer = await user.post("/calendar/import", content=content, content_type=kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert await user.head() == 0


async def test_a_file_that_does_not_fit_is_refused_whole(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    user = world.user()
    monkeypatch.setattr(limits, "CALENDAR_EVENTS_MAX", 1)
    body = calendar_file("google.ics").replace(b":2025", b":2089").replace(b"=DATE:2025", b"=DATE:2089")
    answer = await user.post("/calendar/import", content=body, content_type="text/calendar")
    assert (answer.status_code, answer.json()["code"], await user.head()) == (409, "calendar_full", 0)
