"""Search over HTTP: one's own messages, tasks, notes, memories, plans and calendar."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from api.http.query import integer
from api.http.request import call_of
from api.queries import answer_query
from api.schemas.own_data_answers import SearchOut
from api.services import User
from api.views import Views
from domain.errors import Invalid
from domain.text_search import Wanted
from projections.reading import Fetched
from projections.search_queries import VIEWS, fetch_matches

QUERY_CHARACTERS_MAX = 200


@get(
    "/search",
    operation_id="search",
    tags=["search"],
    opt={"query": ("q", "limit", "cursor", "min_version"), "answer": SearchOut, "also": (304,)},
)
async def search(request: Request[Any, Any, Any]) -> Response[bytes]:
    """What holds all words of `q`, whatever their case and accents; what changed last comes first. A page may be short
    or empty while there is more to look through: go on while there is a `nextCursor`."""
    query = call_of(request).query
    sought = query.get("q", "").strip()
    if not 1 <= len(sought) <= QUERY_CHARACTERS_MAX:
        raise Invalid(f"q has 1 to {QUERY_CHARACTERS_MAX} characters.", code="query_invalid")
    wanted = Wanted(sought)
    if not wanted.words:
        raise Invalid("q has no letter, digit or sign that could be looked for.", code="query_invalid")
    limit = integer(query, "limit", default=20, minimum=1, maximum=100) or 20

    async def fetch(views: Views, user: User) -> Fetched:
        return await fetch_matches(views.reader, user.user_id, wanted, limit=limit, cursor=query.get("cursor"))

    return await answer_query(request, fetch, view=VIEWS)
