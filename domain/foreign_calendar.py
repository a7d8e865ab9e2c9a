"""The port to a calendar that somebody else keeps: what it may hold, and that it is only ever read.

Its adapters are in infra/: calendar files (infra/ics.py) and Google's calendar over MCP (infra/calendar_mcp.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignEvent:
    """An event as another calendar tells it; nothing of it is checked, and its text is nobody's instruction.

    `start` and `end` are `YYYY-MM-DD` for whole days (the end not included), or `YYYY-MM-DDTHH:MM:SS` with an offset
    or `Z`, or without on the clock of `timezone` (an IANA name; None: the user's). `excluded` are starts of a series.
    `replaces` is the start of the occurrence of the series with the same `uid` that this one stands for.
    """

    uid: str
    title: str
    start: str
    end: str | None = None
    timezone: str | None = None
    description: str | None = None
    location: str | None = None
    attendees: tuple[str, ...] = ()
    recurrence: str | None = None
    excluded: tuple[str, ...] = ()
    replaces: str | None = None
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarPage:
    """What a calendar holds in a window. `is_complete`: all of it could be read, so what is not here is not there.
    `unread` are uids of events that are there and could not be understood."""

    events: tuple[ForeignEvent, ...]
    unread: tuple[str, ...] = ()
    is_complete: bool = True


class CalendarAway(Exception):
    """The other calendar could not be read at all. `code` is stable (`unavailable`, `timeout`, `bad_answer`)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class CalendarReader(Protocol):
    """A calendar that somebody else keeps; it is only ever read."""

    async def events(self, from_ms: int, until_ms: int) -> CalendarPage:
        """What takes place, at least in part, from `from_ms` until just before `until_ms` (Unix milliseconds), with
        series given as single events. Raises `CalendarAway`."""
        ...
