"""Search over one's own text: messages, tasks, notes, memories, plans, calendar; what changed last comes first.

All of it is sealed, so rows of the one user are opened and looked into, page by page. Reads the views `state`, which
keeps every message, and `calendar`, in one snapshot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.events import (
    CalendarEventAdded,
    CalendarEventChanged,
    Fact,
    MemoryPinned,
    MessageReceived,
    NoteAdded,
    PlanSet,
)
from domain.shapes import utc
from domain.text_search import Wanted
from domain.values import REDACTED, Json
from infra.queries import Row
from projections.reading import Fetched, Mark, Reader, decode_cursor, encode_cursor, mark_of
from projections.shapes import REPLY_EVENTS, TASK_EVENTS

VIEWS = ("state", "calendar")
ROWS_SCANNED_MAX = 4_000  # by one request; its page may then be a short one, and the cursor goes on behind them
BYTES_SCANNED_MAX = 4_194_304
CHUNK_ROWS = 250  # opened at a stroke; each may be 64 KiB
NEWEST = 2**61

MARKS = "SELECT source, coalesce(version, 0) FROM view_mark(%(view)s, %(user)s)"

# By the version that an object shows, and within a command by the event that it is rendered from: no two have the same.
CHUNK = """SELECT kind, id, changed_version, version, name, state FROM (
    (SELECT kind, id, changed_version, version, name, state FROM state_objects
    WHERE user_id = %(user)s AND (changed_version, version) < (%(changed)s, %(version)s)
      AND changed_version <= %(changed)s AND list IS NOT NULL
      AND kind IN ('message', 'task', 'note', 'memory', 'plan')
    ORDER BY changed_version DESC, version DESC LIMIT %(limit)s)
    UNION ALL
    (SELECT 'event', id, changed_version, version, name, state FROM calendar_events
    WHERE user_id = %(user)s AND (changed_version, version) < (%(changed)s, %(version)s)
    ORDER BY changed_version DESC, version DESC LIMIT %(limit)s)
) both_views ORDER BY changed_version DESC, version DESC LIMIT %(limit)s"""


async def fetch_matches(
    reader: Reader, user_id: str, wanted: Wanted, *, limit: int = 20, cursor: str | None = None
) -> Fetched:
    """A page of what holds all words that are wanted. There is more while there is a `nextCursor`, even where a page
    is shorter than `limit`: what was looked through is part of the page. `version` is the lesser of the two views'.
    """
    place = _place_of(cursor)
    found: list[Json] = []
    rows_left, bytes_left = ROWS_SCANNED_MAX, BYTES_SCANNED_MAX
    # Before a connection is held: where all are held by searches, none is left to read the keys that they lack.
    await reader.keyring.reload(user_id)
    async with reader.queries.transaction() as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        mark = await _mark(connection, user_id)
        while True:
            rows = await _chunk(connection, user_id, place)
            for row, match in zip(rows, await _matches(reader, user_id, wanted, rows), strict=True):
                if len(found) == limit or rows_left <= 0 or bytes_left <= 0:
                    return _page(mark, found, encode_cursor(*place))
                rows_left, bytes_left = rows_left - 1, bytes_left - len(row[5])
                place = (row[2], row[3])
                if match is not None:
                    found.append(match)
            if len(rows) < CHUNK_ROWS:
                return _page(mark, found, None)


def _place_of(cursor: str | None) -> tuple[int, int]:
    if cursor is None:
        return NEWEST, NEWEST
    changed_version, version = decode_cursor(cursor, int, int)
    return changed_version, version


def _page(mark: Mark, found: list[Json], following: str | None) -> Fetched:
    return Fetched(mark, {"results": found, "nextCursor": following, "version": mark.version})


async def _mark(connection: AsyncConnection[Row], user_id: str) -> Mark:
    marks = []
    for view in VIEWS:
        cursor = await connection.execute(MARKS, {"view": view, "user": user_id})
        marks.append(mark_of(view, await cursor.fetchone()))
    return min(marks, key=lambda mark: mark.version)


async def _chunk(connection: AsyncConnection[Row], user_id: str, place: tuple[int, int]) -> list[Row]:
    values = {"user": user_id, "changed": place[0], "version": place[1], "limit": CHUNK_ROWS}
    cursor = connection.cursor(binary=True)
    await cursor.execute(CHUNK, values)
    return await cursor.fetchall()


async def _matches(reader: Reader, user_id: str, wanted: Wanted, rows: Sequence[Row]) -> list[dict[str, Json] | None]:
    """One for each row, None where it does not match."""
    facts = await reader.open_rows(user_id, [row[3:6] for row in rows])
    # Looking through texts is work for the processor: others are served meanwhile.
    return await asyncio.to_thread(_look, wanted, rows, facts)


def _look(wanted: Wanted, rows: Sequence[Row], facts: Sequence[Fact]) -> list[dict[str, Json] | None]:
    return [_match(wanted, row, fact) for row, fact in zip(rows, facts, strict=True)]


def _match(wanted: Wanted, row: Row, fact: Fact) -> dict[str, Json] | None:
    found = wanted.find(texts_of(fact))
    if found is None:
        return None
    field, snippet = found
    kind, object_id, changed_version = row[0], row[1], row[2]
    match: dict[str, Json] = {
        "kind": kind,
        "id": _shown_id(fact, object_id),
        "field": field,
        "snippet": snippet.text,
        "matchStart": snippet.start,
        "matchEnd": snippet.end,
        "conversationId": _conversation_of(fact),
        "changedAt": utc(fact.meta.at_ms),
        "version": changed_version,
    }
    if kind == "message":
        match["role"] = "user" if isinstance(fact.event, MessageReceived) else "assistant"
    return match


def texts_of(fact: Fact) -> dict[str, str]:
    """The texts of an object by the names that clients know them by; none of what was deleted for good."""
    event = fact.event
    content: Any = getattr(event, "content", REDACTED)
    if content is REDACTED:
        return {}
    texts: Mapping[str, str | None]
    if isinstance(event, (MessageReceived, *REPLY_EVENTS)):
        texts = {"text": content.text}
    elif isinstance(event, TASK_EVENTS):
        tags = " ".join(content.tags)
        texts = {"title": content.title, "notes": content.notes, "tags": tags, "assignee": content.assignee}
    elif isinstance(event, NoteAdded):
        texts = {"title": content.title, "text": content.text}
    elif isinstance(event, MemoryPinned):
        texts = {"value": content.value, "key": content.key}
    elif isinstance(event, PlanSet):
        plan = content.plan
        texts = {name: "\n".join(getattr(plan, name)) for name in ("priorities", "todos", "notes")}
    else:
        assert isinstance(event, CalendarEventAdded | CalendarEventChanged), f"nobody looks for {type(event).__name__}"
        attendees = " ".join(content.attendees)
        texts = {"title": content.title, "description": content.description, "location": content.location}
        texts = {**texts, "attendees": attendees}
    return {name: text for name, text in texts.items() if text}


def _shown_id(fact: Fact, row_id: str) -> str:
    """Rows of notes and plans are named by a hash of what the client calls them."""
    if isinstance(fact.event, NoteAdded) and fact.event.content is not REDACTED:
        return fact.event.content.note_id
    if isinstance(fact.event, PlanSet) and fact.event.content is not REDACTED:
        return fact.event.content.date
    return row_id


def _conversation_of(fact: Fact) -> str | None:
    content: Any = getattr(fact.event, "content", None)
    return getattr(content, "conversation_id", None)
