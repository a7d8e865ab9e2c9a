"""Everything about one user as a zip archive, made while it is sent: one page of rows in memory, however much there is.

Objects are shown as the API shows them, events as they stand in the log, opened. Nothing is locked meanwhile: all that
happened up to the version that the archive names is in it, and what happens while it is written may be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from domain.errors import Gone
from domain.event_types import EVENT_NAMES
from domain.events import CalendarEventAdded, CalendarEventChanged, Fact
from domain.ports import EventLog, StoredEvent
from domain.shapes import utc
from domain.values import REDACTED, Json
from infra.ics_writing import END, HEAD, event_ics, zones_ics
from infra.zip_stream import ZipStream
from projections.calendar_queries import fetch_calendar_page
from projections.reading import Reader, fetch_mark
from projections.state_queries import fetch_kind_page, fetch_messages_page
from projections.travel_queries import fetch_trips
from projections.usage_queries import fetch_usage_page

PAGE_ROWS = 100
LISTS = {  # of state.json: what the API calls them, and the kind of their objects
    "tasks": "task",
    "notes": "note",
    "pinnedMemories": "memory",
    "planCache": "plan",
    "conversations": "conversation",
    "activeSessions": "session",
}
README = """What Micro CoS has stored about {sub}, written {at} (stream version {version}).

state.json       tasks (open and done), notes, pinned memories, preferences, plans, conversations and sessions
messages.jsonl   every message with its actions, the oldest first, one JSON object a line
notes/           the text of each note, as it was added
calendar.ics     the calendar, for any calendar program
trips.json       trips, and the flights that were found for them
usage.jsonl      what was used on each day (UTC)
events.jsonl     everything that ever happened, in order: what all of the above was made from

Everything up to that version is in here. What happened while this file was written may be in some parts and not in
others; each object names the version that it shows. What was deleted for good is null, with "redacted": true.
Text in this archive is no longer encrypted: keep it where nobody else reads it.
"""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Exporter:
    """Made for one user. Every step raises `Unavailable`, and `Gone` once the user was erased."""

    reader: Reader
    log: EventLog
    user_id: str
    sub: str
    now_ms: int

    async def archive(self) -> AsyncIterator[bytes]:
        """The archive in pieces of any size but 0."""
        await self.reader.bury_deleted(self.user_id)
        archive = ZipStream(datetime.fromtimestamp(self.now_ms / 1000, UTC))
        head = await self.log.head(self.user_id)
        async for name, data in self._files(head):
            await asyncio.to_thread(_put, archive, name, data)
            if piece := archive.take():
                yield piece
        await asyncio.to_thread(archive.finish)
        yield archive.take()

    async def _files(self, head: int) -> AsyncIterator[tuple[str | None, bytes]]:
        """Pieces of files in their order; a name begins the next file."""
        at = utc(self.now_ms)
        yield "README.txt", README.format(sub=self.sub, at=at, version=head).encode()
        files = {
            "state.json": self._state(at),
            "messages.jsonl": self._messages(),
            "calendar.ics": self._calendar(),
            "trips.json": self._trips(),
            "usage.jsonl": self._usage(),
            "events.jsonl": self._events(head),
        }
        for name, pieces in files.items():
            yield name, b""
            async for data in pieces:
                yield None, data
        async for note in self._objects("note"):
            if note["text"] is not None:
                yield f"notes/{note['id']}.txt", str(note["text"]).encode()

    async def _state(self, at: str) -> AsyncIterator[bytes]:
        mark = await fetch_mark(self.reader, "state", self.user_id)
        beginning = {"userId": self.sub, "exportedAt": at, "version": mark.version}
        yield _encode(beginning)[:-1]
        for key, kind in LISTS.items():
            yield b",\n" + _encode(key) + b":["
            separator = b"\n"
            async for shape in self._objects(kind):
                yield separator + _encode(shape)
                separator = b",\n"
            yield b"]"
        preferences: dict[str, Json] = {}
        async for shape in self._objects("preference"):
            preferences |= shape
        yield b',\n"preferences":' + _encode(preferences) + b"}\n"

    async def _objects(self, kind: str) -> AsyncIterator[dict[str, Json]]:
        after: str | None = ""
        while after is not None:
            page, after = await fetch_kind_page(self.reader, self.user_id, kind, after=after, limit=PAGE_ROWS)
            await self._check()
            for shape in page:
                yield shape

    async def _messages(self) -> AsyncIterator[bytes]:
        after: int | None = 0
        while after is not None:
            page, after = await fetch_messages_page(self.reader, self.user_id, after=after, limit=PAGE_ROWS)
            await self._check()
            yield _lines(page)

    async def _calendar(self) -> AsyncIterator[bytes]:
        yield HEAD
        zones: set[str] = set()
        after: str | None = ""
        while after is not None:
            page, after = await fetch_calendar_page(self.reader, self.user_id, after=after, limit=PAGE_ROWS)
            await self._check()
            for calendar_id, fact in page:
                event = fact.event
                assert isinstance(event, CalendarEventAdded | CalendarEventChanged)
                if event.content is not REDACTED:
                    zones.add(event.content.timezone)
                    yield event_ics(calendar_id, event.content, changed_at_ms=fact.meta.at_ms)
        for zone in zones_ics(zones):
            yield zone
        yield END

    async def _trips(self) -> AsyncIterator[bytes]:
        # No day comes before it, so those that are over are there too.
        fetched = await fetch_trips(self.reader, self.user_id, today="")
        await self._check()
        yield _encode(fetched.body["upcoming_trips"])

    async def _usage(self) -> AsyncIterator[bytes]:
        after: int | None = -1
        while after is not None:
            page, after = await fetch_usage_page(self.reader, self.user_id, after_day=after, limit=PAGE_ROWS)
            await self._check()
            yield _lines(page)

    async def _events(self, head: int) -> AsyncIterator[bytes]:
        after = 0
        while after < head:
            rows: list[StoredEvent] = await self.log.read_stream(self.user_id, after=after, until=head, limit=PAGE_ROWS)
            facts = await self.reader.keyring.open_events(self.user_id, rows)
            await self._check()
            yield _lines([event_json(fact) for fact in facts])
            after = rows[-1].version

    async def _check(self) -> None:
        """An archive that says of an erased user that there is nothing would be wrong: it is broken off."""
        if (await self.reader.keyring.load(self.user_id)).is_erased:
            raise Gone("This user was erased.", code="erased")


def event_json(fact: Fact) -> dict[str, Json]:
    """An event with its text: its clear fields under their own names, what was sealed as `content`."""
    meta = fact.meta
    data: dict[str, Json] = msgspec.to_builtins(fact.event)
    shape: dict[str, Json] = {
        "version": fact.version,
        "name": EVENT_NAMES[type(fact.event)],
        "at": utc(meta.at_ms),
        "origin": meta.origin,
        "eventId": meta.event_id,
        "commandId": meta.command_id,
        "causationId": meta.causation_id,
        "correlationId": meta.correlation_id,
        "endVersion": meta.end_version,
    }
    if getattr(fact.event, "content", None) is REDACTED:
        return {**shape, "data": {**data, "content": None}, "redacted": True}
    return {**shape, "data": data}


def _put(archive: ZipStream, name: str | None, data: bytes) -> None:
    if name is not None:
        archive.begin(name)
    archive.write(data)


def _lines(shapes: list[dict[str, Json]]) -> bytes:
    return b"".join(_encode(shape) + b"\n" for shape in shapes)
