"""How queries are answered: wait for the version that the client has seen, read one snapshot, mark it with version and
strong ETag, or say 304.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec
from litestar import Request, Response

from api.answers import NOT_MODIFIED, BytesAnswer
from api.query import integer
from api.request import call_of, single_headers
from api.services import STREAM_VERSION, User, services_of, user_of
from commands.write_side import WriteSide
from domain.values import Json
from infra.presence import PostgresPresence
from projections.reading import Fetched, Reader
from projections.state_queries import fetch_changes
from projections.wait import Freshness

CHANGES_IN_A_FRAME_MAX = 200


@dataclass(frozen=True, slots=True)
class Views:
    """What the query routes read with. Opened by the composition root."""

    reader: Reader
    freshness: Freshness
    presence: PostgresPresence
    side: WriteSide

    async def wait_for(self, view: str, user_id: str, min_version: int) -> None:
        """Raises `Invalid` above the head, `Unavailable` when the view stays behind."""
        await self.freshness.wait_for(view, user_id, min_version, self.side.settings.min_version_wait_seconds)

    async def changes(self, user_id: str, since: int, until: int) -> tuple[int, dict[str, Json]]:
        """For `state.updated`: waits until the state view has reached `until`; what changed after `since`."""
        await self.wait_for("state", user_id, until)
        fetched = await fetch_changes(self.reader, user_id, since=since, limit=CHANGES_IN_A_FRAME_MAX)
        patch = {name: value for name, value in fetched.body.items() if value and name not in ("version", "more")}
        # Of very many changes this is the first part: the next look goes on after it.
        return int(fetched.body["version"]), patch

    async def with_presence(self, user_id: str, sessions: Json) -> Json:
        """Sessions with when they were last seen, in Unix seconds, and whether a client listens now."""
        seen = await self.presence.of(user_id)
        shapes = []
        for session in sessions:
            opened_ms = round(datetime.fromisoformat(session["openedAt"]).timestamp() * 1000)
            last_seen_ms, active = seen.get(session["sessionId"], (opened_ms, False))
            shapes.append({**session, "lastSeen": last_seen_ms // 1000, "active": active})
        return shapes


Fetch = Callable[[Views, User], Awaitable[Fetched]]


async def answer_query(request: Request[Any, Any, Any], fetch: Fetch, *, view: str = "state") -> Response[bytes]:
    """Run `fetch` for the caller. The ETag is the version that the answer shows, which `If-Match` may name, and a hash
    of its bytes, so it is strong whatever went into them.
    """
    services, call = services_of(request), call_of(request)
    user = await user_of(services, call)
    views = services.views
    min_version = integer(call.query, "min_version")
    if min_version is not None:
        await views.wait_for(view, user.user_id, min_version)
    fetched = await fetch(views, user)
    body = msgspec.json.encode(fetched.body)
    etag = f'"{fetched.body["version"]}-{sha256(body).hexdigest()[:32]}"'.encode()
    headers = [
        (STREAM_VERSION.encode(), str(fetched.mark.version).encode()),
        (b"etag", etag),
        (b"cache-control", b"private, no-cache"),
    ]
    given, _ = single_headers(request.scope["headers"])
    if _names(given.get(b"if-none-match", b""), etag):
        return BytesAnswer(b"", status_code=NOT_MODIFIED, headers=headers)
    return BytesAnswer(body, headers=headers)


def _names(if_none_match: bytes, etag: bytes) -> bool:
    """The weak comparison that RFC 9110 wants here: what a cache on the way marked as weak is the same to us."""
    return if_none_match.strip() == b"*" or etag in (
        tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")
    )
