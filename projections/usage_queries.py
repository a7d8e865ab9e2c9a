"""Queries of the view `usage`: what a user spent on a day."""

from __future__ import annotations

from domain.limits import DAY_MS
from domain.shapes import utc
from domain.values import Json
from projections.reading import Fetched, Reader, mark_of
from projections.usage import COUNTERS

DAY = """SELECT m.source, coalesce(m.version, 0), d.messages, d.calls, d.input_tokens, d.output_tokens,
    d.completed, d.canned, d.failed, d.stopped
FROM view_mark('usage', %(user)s) m LEFT JOIN usage_days d ON d.user_id = %(user)s AND d.day = %(day)s"""


async def fetch_usage(reader: Reader, user_id: str, *, at_ms: int) -> Fetched:
    """The counters of the UTC day of `at_ms`, 0 where nothing was counted."""
    rows = await reader.queries.fetch(DAY, {"user": user_id, "day": at_ms // DAY_MS})
    mark = mark_of("usage", rows[0] if rows else None)
    counted = dict(zip(COUNTERS, (value or 0 for value in rows[0][2:]), strict=True))
    tokens: dict[str, Json] = {"input": counted["input_tokens"], "output": counted["output_tokens"]}
    body: dict[str, Json] = {
        "day": utc(at_ms)[:10],
        "tokens": {**tokens, "used": counted["input_tokens"] + counted["output_tokens"]},
        "calls": counted["calls"],
        "messages": counted["messages"],
        "replies": {name: counted[name] for name in ("completed", "canned", "failed", "stopped")},
        "searches": {"used": 0},
        "version": mark.version,
    }
    return Fetched(mark, body)
