"""The state over HTTP: all of it as it is now, what changed since a version or time, or as it was."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from litestar import Request, Response, get

from api.http.query import integer
from api.http.request import call_of
from api.queries import answer_query
from api.schemas.answers import StateOut
from api.services import User
from api.views import Views
from domain.errors import Invalid
from domain.local_times import EPOCH
from projections.reading import Fetched
from projections.state_queries import fetch_changes, fetch_state, fetch_state_at, version_before

MESSAGES_DEFAULT, MESSAGES_MAX = 50, 500
CHANGES_DEFAULT = 500
UNIX_SECONDS_MIN = 10**9  # an integer from here on is a time and not a version
UNIX_SECONDS_MAX = 253_402_300_799  # the end of the year 9999; clocks that count milliseconds are far beyond
DIGITS = re.compile(r"[0-9]{1,18}")
# A plus that was not escaped arrives as a space; where an offset stands it can be nothing else.
TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:([Zz])|([+ -])(\d{2}:\d{2}))", re.ASCII
)


@get(
    "/state",
    operation_id="getState",
    tags=["state"],
    opt={"query": ("limit", "since", "as_of", "min_version"), "answer": StateOut, "also": (304,)},
)
async def get_state(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Tasks, notes, messages, preferences, memories, sessions. `since`: only what changed, deletions included.

    `as_of`: the state as it was at a version; the cost grows with the stream.
    """
    query = call_of(request).query
    limit = integer(query, "limit", minimum=1, maximum=MESSAGES_MAX)
    as_of = integer(query, "as_of")
    since = query.get("since")
    if as_of is not None and since is not None:
        raise Invalid("since and as_of ask for two different things. Send one of them.", code="query_ambiguous")

    async def fetch(views: Views, user: User) -> Fetched:
        if since is not None:
            version = await _version_since(views, user, since)
            fetched = await fetch_changes(views.reader, user.user_id, since=version, limit=limit or CHANGES_DEFAULT)
        elif as_of is not None:
            # Asked first: the fold would read the whole stream to find that out.
            head = await views.side.log.head(user.user_id)
            if as_of > head:
                raise Invalid("The stream has not reached this version.", code="version_above_head")
            fetched = await fetch_state_at(
                views.reader, views.side.log, user.user_id, as_of, limit=limit or MESSAGES_DEFAULT
            )
            # The body shows the past; the header says where the stream is, as every answer's does.
            fetched = replace(fetched, mark=replace(fetched.mark, version=head))
        else:
            fetched = await fetch_state(views.reader, user.user_id, limit=limit or MESSAGES_DEFAULT)
            body = {**fetched.body}
            body["activeSessions"] = await views.with_presence(user.user_id, body["activeSessions"])
            fetched = Fetched(fetched.mark, body)
        return Fetched(fetched.mark, {"userId": user.sub, **fetched.body})

    return await answer_query(request, fetch)


async def _version_since(views: Views, user: User, since: str) -> int:
    """The version that `since` means: itself, or the last one strictly before a time."""
    if DIGITS.fullmatch(since):
        given = int(since)
        if given < UNIX_SECONDS_MIN:
            return given
        if given > UNIX_SECONDS_MAX:
            raise Invalid("since is in seconds, and this is beyond the year 9999: is it in ms?", code="since_invalid")
        return await version_before(views.reader, user.user_id, given * 1000)
    at_ms = _unix_ms(since)
    if at_ms is None:
        raise Invalid("since is a version, Unix seconds, or a time such as 2025-11-21T09:00:00Z.", code="since_invalid")
    return await version_before(views.reader, user.user_id, max(0, at_ms))


def _unix_ms(text: str) -> int | None:
    """The first whole millisecond that is not before an RFC 3339 time; None for what is no such time."""
    match = TIME.fullmatch(text)
    if match is None:
        return None
    day, clock, fraction, zulu, sign, offset = match.groups()
    zone = "+00:00" if zulu else f"{'-' if sign == '-' else '+'}{offset}"
    try:
        seconds = (datetime.fromisoformat(f"{day}T{clock}{zone}") - EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    return seconds * 1000 - -int((fraction or "").ljust(9, "0")) // 1_000_000
