"""Google's calendar over MCP, as `@cocal/google-calendar-mcp` tells it: `domain.foreign_calendar.CalendarReader`.

A session is opened for each look and closed after it: looks are minutes apart, and a server that hangs is a server that
is started anew. Only ever calls `list-events`. How the server is reached: infra/tool_servers.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec

from domain.foreign_calendar import CalendarAway, CalendarPage, ForeignEvent
from infra.settings import PREFIX, SettingsError
from infra.tool_servers import STDIO, over_http, over_stdio, program_of

TOOL = "list-events"
CALENDAR = "primary"
# Google gives so many at once, and this server neither asks for more nor says that there are.
EVENTS_AT_ONCE = 250
EVENTS_MAX = 2_500  # of one look; a server that has new ones for each question is asked no further
SLICE_MIN_MS = 86_400_000
RESULT_BYTES_MAX = 8_388_608
LOOK_SECONDS_MAX = 60.0


class Moment(msgspec.Struct, frozen=True):
    dateTime: str | None = None
    date: str | None = None
    timeZone: str | None = None


class Guest(msgspec.Struct, frozen=True):
    email: str = ""
    displayName: str | None = None


class Event(msgspec.Struct, frozen=True):
    id: str
    start: Moment
    end: Moment
    summary: str | None = None
    description: str | None = None
    location: str | None = None
    status: str | None = None
    attendees: tuple[Guest, ...] | None = None
    recurrence: tuple[str, ...] | None = None


class Named(msgspec.Struct, frozen=True):
    """What is left of an event that does not read as one."""

    id: str


class Listed(msgspec.Struct, frozen=True):
    events: tuple[msgspec.Raw, ...]
    totalCount: int | None = None
    partialFailures: tuple[msgspec.Raw, ...] | None = None
    warnings: tuple[str, ...] | None = None


class Caller(Protocol):
    """What is needed of an open session."""

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> Any: ...


Open = Callable[[], AbstractAsyncContextManager[Caller]]


class McpCalendar:
    """`timeout_seconds` is for one look, with all that it takes."""

    def __init__(self, open_session: Open, *, timeout_seconds: float = LOOK_SECONDS_MAX) -> None:
        self._open = open_session
        self._timeout_seconds = timeout_seconds

    async def events(self, from_ms: int, until_ms: int) -> CalendarPage:
        """Raises `CalendarAway`."""
        page: CalendarPage | CalendarAway = CalendarAway("unavailable")
        try:
            async with asyncio.timeout(self._timeout_seconds), self._open() as session:
                # Raised in here it would come out as a group of errors.
                page = await _look(session, from_ms, until_ms)
        except TimeoutError:
            raise CalendarAway("timeout") from None
        except Exception as error:
            # What this library and its transports raise when a peer goes away has no common name.
            if isinstance(page, CalendarAway):
                raise CalendarAway("unavailable") from error
        if isinstance(page, CalendarAway):
            raise page
        return page


async def _look(session: Caller, from_ms: int, until_ms: int) -> CalendarPage | CalendarAway:
    found: dict[str, ForeignEvent] = {}
    unread: dict[str, None] = {}
    is_complete = True
    slices = [(from_ms, until_ms)]
    while slices:
        begins, ends = slices.pop()
        listed = await _list(session, begins, ends)
        if isinstance(listed, CalendarAway):
            return listed
        if len(listed.events) >= EVENTS_AT_ONCE:
            if ends - begins > SLICE_MIN_MS:
                middle = (begins + ends) // 2
                slices += [(middle, ends), (begins, middle)]
                continue
            is_complete = False
        if len(found) + len(unread) > EVENTS_MAX:
            is_complete = False
            break
        if listed.partialFailures or listed.warnings or (listed.totalCount or 0) > len(listed.events):
            is_complete = False
        for raw in listed.events:
            event = _read(raw)
            if isinstance(event, ForeignEvent):
                found[event.uid] = event
            elif event is not None:
                unread[event] = None
            else:
                is_complete = False  # something is there, and nobody can say what
    return CalendarPage(events=tuple(found.values()), unread=tuple(unread), is_complete=is_complete)


async def _list(session: Caller, from_ms: int, until_ms: int) -> Listed | CalendarAway:
    result = await session.call_tool(TOOL, arguments_for(from_ms, until_ms))
    if result.is_error:
        return CalendarAway("refused")
    text = next((block.text for block in result.content if block.type == "text"), "")
    try:
        told = text.encode()
        if len(told) > RESULT_BYTES_MAX:
            raise msgspec.DecodeError("too large")
        return msgspec.json.decode(told, type=Listed)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return CalendarAway("bad_answer")


def arguments_for(from_ms: int, until_ms: int) -> dict[str, Any]:
    """What `list-events` is asked."""
    return {"calendarId": CALENDAR, "timeMin": _utc(from_ms), "timeMax": _utc(until_ms), "fields": ["description"]}


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(raw: msgspec.Raw) -> ForeignEvent | str | None:
    """The event; its uid where that is all that makes sense; None where nothing does."""
    try:
        event = msgspec.json.decode(raw, type=Event)
    except (msgspec.MsgspecError, RecursionError):
        return _uid_of(raw)
    start, end = event.start.date or event.start.dateTime, event.end.date or event.end.dateTime
    # Series are listed as single events; one that is not is none that we could keep in step.
    if not event.id or start is None or event.recurrence:
        return event.id or None
    return ForeignEvent(
        uid=event.id,
        title=event.summary or "",
        start=start,
        end=end,
        timezone=event.start.timeZone,
        description=event.description,
        location=event.location,
        attendees=tuple(
            f"{one.displayName} <{one.email}>" if one.displayName else one.email for one in event.attendees or ()
        ),
        is_cancelled=event.status == "cancelled",
    )


def _uid_of(raw: msgspec.Raw) -> str | None:
    try:
        return msgspec.json.decode(raw, type=Named).id or None
    except (msgspec.MsgspecError, RecursionError):
        return None


# --- who is behind it -----------------------------------------------------------------------------------------


def calendar_of(target: str) -> McpCalendar:
    """`stdio:NAME=value … command argument …`, quoted as in a shell, or a URL. Raises `SettingsError` for
    neither."""
    if target.startswith(STDIO):
        try:
            program = program_of(target)
        except ValueError as error:
            raise SettingsError(f"{PREFIX}CALENDAR_MCP: {error}.") from None
        return McpCalendar(over_stdio(program, result_bytes_max=RESULT_BYTES_MAX))
    return McpCalendar(over_http(target, timeout_seconds=LOOK_SECONDS_MAX, result_bytes_max=RESULT_BYTES_MAX))
