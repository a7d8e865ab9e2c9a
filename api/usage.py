"""Usage over HTTP: tokens, calls and searches of today against the budget."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get

from api.queries import answer_query
from api.schemas.answers import UsageOut
from api.services import User
from api.views import Views
from projections.reading import Fetched
from projections.usage_queries import fetch_usage


@get(
    "/usage",
    operation_id="getUsage",
    tags=["usage"],
    opt={"query": ("min_version",), "answer": UsageOut, "also": (304,)},
)
async def get_usage(request: Request[Any, Any, Any]) -> Response[bytes]:
    """What today (UTC) has cost so far. A limit of 0 means none; `reserved` is what running replies may still cost."""

    async def fetch(views: Views, user: User) -> Fetched:
        settings, now_ms = views.side.settings, views.side.clock.now_ms()
        fetched = await fetch_usage(views.reader, user.user_id, at_ms=now_ms)
        brain = await views.side.states.refresh(user.user_id)
        reserved = sum(brain.replies[reply_id].reserved_tokens for reply_id in brain.queue)
        tokens = {**fetched.body["tokens"], "reserved": reserved, "limit": settings.limit_tokens_per_day}
        searches = {**fetched.body["searches"], "limit": settings.limit_flight_searches_per_day}
        return Fetched(fetched.mark, {**fetched.body, "tokens": tokens, "searches": searches})

    return await answer_query(request, fetch, view="usage")
