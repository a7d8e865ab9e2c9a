"""What all queries of views share: who reads, the place in the stream that an answer shows, and cursors.

Each query is one statement (search: one transaction), so that rows and version come from one snapshot: even while
a rebuilt view takes the place of the live one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from domain.errors import Invalid, Unavailable
from domain.events import Fact
from domain.ports import StoredEvent
from domain.values import Json
from infra.keys.deleted import DELETIONS, DeletedKeys
from infra.keys.keyring import Keyring
from infra.queries import Queries, Row

# `view_mark` finds the last event of the user's that the view has seen: at or before the view's position.
ONLY_MARK = "SELECT source, coalesce(version, 0) FROM view_mark(%(view)s, %(user)s)"

DELETIONS_OF = """SELECT originator_version, topic, state FROM log0_events
WHERE originator_id = %(user)s AND topic = ANY(%(names)s) ORDER BY originator_version"""

CURSOR_BYTES_MAX = 200


@dataclass(frozen=True, slots=True)
class Reader:
    """Opened by the composition root. Every query raises `Unavailable` when Postgres is away."""

    queries: Queries
    keyring: Keyring

    async def open_rows(self, user_id: str, rows: Iterable[Sequence[Any]]) -> list[Fact]:
        """The events that rows keep as (version, name, state), opened with their owner's keys."""
        # Of its place in the log a row says nothing, and nobody asks for it.
        stored = [StoredEvent(0, user_id, version, name, bytes(state)) for version, name, state in rows]
        return await self.keyring.open_events(user_id, stored) if stored else []

    async def bury_deleted(self, user_id: str) -> list[Fact]:
        """From here on nothing opens what the stream deletes, whether or not this process has heard of it: for those
        who read the log itself, where all that was deleted still lies. Gives the deletions, oldest first; reads the
        stream's names."""
        rows = await self.queries.fetch(DELETIONS_OF, {"user": user_id, "names": list(DELETIONS)})
        deletions = await self.open_rows(user_id, rows)
        DeletedKeys(self.keyring).receive(user_id, deletions)
        return deletions


@dataclass(frozen=True, slots=True)
class Mark:
    """`source` names the log's life and the view's build; `version` is the user's stream version that is shown."""

    view: str
    source: str
    version: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer's `body`, whose `version` is the mark's unless it is a single object."""

    mark: Mark
    body: dict[str, Json]


async def fetch_mark(reader: Reader, view: str, user_id: str) -> Mark:
    """What an answer would be marked with now."""
    rows = await reader.queries.fetch(ONLY_MARK, {"view": view, "user": user_id})
    return mark_of(view, rows[0] if rows else None)


def mark_of(view: str, row: Row | None) -> Mark:
    """From `(source, version)`. Raises `Unavailable` when the view was never created."""
    if row is None:
        raise Unavailable("This view does not exist yet. The database has to be migrated.", code="view_missing")
    return Mark(view, str(row[0]), int(row[1] or 0))


def encode_cursor(*parts: Json) -> str:
    """Opaque to clients, URL-safe."""
    return base64.urlsafe_b64encode(msgspec.json.encode(list(parts))).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type) -> list[Json]:
    """The parts, of these types. Raises `Invalid` for what we have not made."""
    try:
        if len(cursor) > CURSOR_BYTES_MAX:
            raise ValueError("too long")
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=list[Json])
        if len(parts) != len(kinds) or any(type(part) is not kind for part, kind in zip(parts, kinds, strict=True)):
            raise ValueError("other parts")
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise Invalid("This cursor is none of ours. Leave it out to start anew.", code="cursor_invalid") from None
    if any(type(part) is int and not 0 <= part < 2**62 for part in parts):
        raise Invalid("This cursor is none of ours. Leave it out to start anew.", code="cursor_invalid")
    return parts
