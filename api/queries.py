"""How queries are answered: wait for the version that the client names, or for all that the stream has by now; read one
snapshot, mark it with version and strong ETag, or say 304.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from hashlib import sha256
from typing import Any

import msgspec
from litestar import Request, Response

from api.http.answers import NOT_MODIFIED, BytesAnswer
from api.http.query import integer
from api.http.request import Call, call_of, single_headers
from api.services import STREAM_VERSION, User, services_of, user_of
from api.views import Views
from projections.reading import Fetched

Fetch = Callable[[Views, User], Awaitable[Fetched]]


async def answer_query(
    request: Request[Any, Any, Any], fetch: Fetch, *, view: str | Collection[str] = "state"
) -> Response[bytes]:
    """Run `fetch` for the caller; `view` is what it reads, one or several. The ETag is the version that the answer
    shows, which `If-Match` may name, and a hash of its bytes, so it is strong whatever went into them.
    """
    services, call = services_of(request), call_of(request)
    user = await user_of(services, call)
    views = services.views
    await show_all(views, (view,) if isinstance(view, str) else view, user, call)
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


async def show_all(views: Views, names: Collection[str], user: User, call: Call) -> None:
    """Waits until these views show what the query has to show. Raises `Unavailable` where it named a version."""
    min_version = integer(call.query, "min_version")
    if min_version is None:
        await views.catch_up(names, user.user_id)
        return
    for name in names:
        await views.wait_for(name, user.user_id, min_version)


def _names(if_none_match: bytes, etag: bytes) -> bool:
    """The weak comparison that RFC 9110 wants here: what a cache on the way marked as weak is the same to us."""
    return if_none_match.strip() == b"*" or etag in (
        tag.strip().removeprefix(b"W/") for tag in if_none_match.split(b",")
    )
