"""Google's calendar over MCP: what is read, what is known to be missing, and what is said when it is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from domain.foreign_calendar import CalendarAway, ForeignEvent
from infra.calendar_mcp import EVENTS_MAX, RESULT_BYTES_MAX, McpCalendar, calendar_of
from infra.settings import SettingsError
from tests.support.flight_servers import over_loopback
from tests.support.google_calendar import GoogleStandIn, at_ms, event, text_result

pytestmark = pytest.mark.anyio

FROM, UNTIL = at_ms("2025-11-01"), at_ms("2026-02-06")


def one_each_hour(count: int) -> list[Any]:
    begins = datetime(2025, 11, 21, tzinfo=UTC)
    hours = [(begins + timedelta(hours=n)).isoformat() for n in range(count + 1)]
    return [event(f"e{n:04}", hours[n], hours[n + 1]) for n in range(count)]


async def test_an_event_is_read_with_what_we_keep_of_it() -> None:
    guests = [{"email": "ada@example.com", "displayName": "Ada"}, {"email": "bob@example.com", "responseStatus": "x"}]
    told = event(
        "abc_20251121T080000Z",
        "2025-11-21T09:00:00+01:00",
        "2025-11-21T09:15:00+01:00",
        description="d",
        location="l",
        attendees=guests,
        recurringEventId="abc",
    )
    google = GoogleStandIn([told, event("day", "2025-12-24", "2025-12-27", summary=None)])
    page = await google.calendar().events(FROM, UNTIL)
    assert page.is_complete
    assert page.events == (
        ForeignEvent(
            uid="abc_20251121T080000Z",
            title="abc_20251121T080000Z",
            start="2025-11-21T09:00:00+01:00",
            end="2025-11-21T09:15:00+01:00",
            timezone="Europe/Berlin",
            description="d",
            location="l",
            attendees=("Ada <ada@example.com>", "bob@example.com"),
        ),
        ForeignEvent(uid="day", title="", start="2025-12-24", end="2025-12-27"),
    )


async def test_a_window_with_more_than_is_given_at_once_is_read_in_parts() -> None:
    google = GoogleStandIn(one_each_hour(700))
    page = await google.calendar().events(FROM, UNTIL)
    assert (len(page.events), page.is_complete) == (700, True)
    assert len(google.calls) > 3


async def test_a_day_with_more_than_is_given_at_once_is_not_complete() -> None:
    crowd = [event(f"e{n}", "2025-11-21T09:00:00Z", "2025-11-21T10:00:00Z") for n in range(251)]
    page = await GoogleStandIn(crowd).calendar().events(FROM, UNTIL)
    assert (len(page.events), page.is_complete) == (250, False)


async def test_a_server_that_has_new_events_for_each_question_is_asked_no_further() -> None:
    numbers = count()

    def answer() -> Any:
        crowd = [event(f"e{next(numbers)}", "2025-11-21T09:00:00Z", "2025-11-21T10:00:00Z") for _ in range(249)]
        return text_result(json.dumps({"events": [*crowd, *crowd[:1]]}))

    google = GoogleStandIn(answer=answer)
    page = await google.calendar().events(FROM, UNTIL)
    assert EVENTS_MAX < len(page.events) < EVENTS_MAX + 500
    assert not page.is_complete
    assert len(google.calls) < 50


@pytest.mark.parametrize(
    "more",
    [
        {"partialFailures": [{"accountId": "work", "reason": "expired"}]},
        {"warnings": ["Calendar 'x' was not found"]},
        {"totalCount": 2},
    ],
)
async def test_what_the_server_could_not_read_makes_a_page_incomplete(more: dict[str, Any]) -> None:
    page = await GoogleStandIn([event("a", "2025-11-21", "2025-11-22")], more).calendar().events(FROM, UNTIL)
    assert (len(page.events), page.is_complete) == (1, False)


async def test_an_event_that_makes_no_sense_is_there_but_unread() -> None:
    odd = [
        {"id": "no-start", "summary": "x"},
        {"id": "number", "start": {"date": 1}, "end": {}},
        event("series", "2025-11-21", "2025-11-22", recurrence=["RRULE:FREQ=DAILY"]),
        event("good", "2025-11-21", "2025-11-22"),
    ]
    page = await GoogleStandIn(odd).calendar().events(FROM, UNTIL)
    assert [one.uid for one in page.events] == ["good"]
    assert (set(page.unread), page.is_complete) == ({"no-start", "number", "series"}, True)


@pytest.mark.parametrize("odd", [{"summary": "nobody"}, "text", None, 7, {"id": ""}])
async def test_what_has_not_even_an_id_makes_a_page_incomplete(odd: Any) -> None:
    page = await GoogleStandIn([odd]).calendar().events(FROM, UNTIL)
    assert (page.events, page.is_complete) == ((), False)


@pytest.mark.parametrize(
    ("text", "is_error", "code"),
    [
        ("Authentication tokens are no longer valid.", True, "refused"),
        ("not JSON", False, "bad_answer"),
        ("", False, "bad_answer"),
        ("[]", False, "bad_answer"),
        (json.dumps({"events": None}), False, "bad_answer"),
        ("[" * 100_000, False, "bad_answer"),
        (json.dumps({"events": []}) + " " * 9_000_000, False, "bad_answer"),
    ],
)
async def test_an_answer_that_is_none_is_told_by_its_code(text: str, is_error: bool, code: str) -> None:
    google = GoogleStandIn(answer=lambda: text_result(text, is_error=is_error))
    with pytest.raises(CalendarAway) as away:
        await google.calendar().events(FROM, UNTIL)
    assert away.value.code == code


async def test_a_server_that_says_nothing_is_given_up() -> None:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield

    with pytest.raises(CalendarAway) as away:
        await McpCalendar(opened, timeout_seconds=0.01).events(FROM, UNTIL)
    assert away.value.code == "timeout"


@pytest.mark.parametrize("target", ["stdio:false", "stdio:/nowhere/at/all", "http://127.0.0.1:9/mcp"])
async def test_a_server_that_is_not_there_is_away(target: str) -> None:
    with pytest.raises(CalendarAway) as away:
        await calendar_of(target).events(FROM, UNTIL)
    assert away.value.code == "unavailable"


async def test_a_server_over_http_is_asked_itself_and_not_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with over_loopback(GoogleStandIn(one_each_hour(2)).server()) as url:
        page = await calendar_of(url).events(FROM, UNTIL)
    assert [one.uid for one in page.events] == ["e0000", "e0001"]


async def test_what_is_too_large_is_not_taken_and_over_http_not_even_read() -> None:
    google = GoogleStandIn(answer=lambda: text_result(text))
    for length, code in ((RESULT_BYTES_MAX + 1, "bad_answer"), (2 * RESULT_BYTES_MAX, "unavailable")):
        text = json.dumps({"events": [], "more": "x" * length})
        async with over_loopback(google.server()) as url:
            with pytest.raises(CalendarAway) as away:
                await calendar_of(url).events(FROM, UNTIL)
        assert away.value.code == code
    assert len(google.calls) == 2


@pytest.mark.parametrize("target", ["stdio:", "stdio:A=b", "stdio:'"])
def test_a_target_without_a_command_is_refused(target: str) -> None:
    with pytest.raises(SettingsError, match="MICROCOS_CALENDAR_MCP: "):
        calendar_of(target)
