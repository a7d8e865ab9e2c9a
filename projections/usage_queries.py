"""Queries of the view `usage`: what a user spent on a day."""

from __future__ import annotations

from domain.limits import DAY_MS
from domain.shapes import utc
from domain.values import Json
from infra.queries import Row
from projections.reading import Fetched, Reader, mark_of
from projections.usage import COUNTERS

DAY = """SELECT m.source, coalesce(m.version, 0), d.messages, d.calls, d.input_tokens, d.output_tokens,
    d.completed, d.canned, d.failed, d.stopped, d.searches
FROM view_mark('usage', %(user)s) m LEFT JOIN usage_days d ON d.user_id = %(user)s AND d.day = %(day)s"""

PAGE = """SELECT day, messages, calls, input_tokens, output_tokens, completed, canned, failed, stopped, searches
FROM usage_days WHERE user_id = %(user)s AND day > %(after)s ORDER BY day LIMIT %(limit)s"""


async def fetch_usage(reader: Reader, user_id: str, *, at_ms: int) -> Fetched:
    """The counters of the UTC day of `at_ms`, 0 where nothing was counted."""
    rows = await reader.queries.fetch(DAY, {"user": user_id, "day": at_ms // DAY_MS})
    mark = mark_of("usage", rows[0] if rows else None)
    return Fetched(mark, {**_shape(at_ms, rows[0][2:]), "version": mark.version})


async def fetch_usage_page(
    reader: Reader, user_id: str, *, after_day: int = -1, limit: int
) -> tuple[list[dict[str, Json]], int | None]:
    """Some days on which something was used, the first ones first, and the day to go on after; None at the end."""
    rows = await reader.queries.fetch(PAGE, {"user": user_id, "after": after_day, "limit": limit})
    shapes = [_shape(int(row[0]) * DAY_MS, row[1:]) for row in rows]
    return shapes, int(rows[-1][0]) if len(rows) == limit else None


def _shape(at_ms: int, counters: Row) -> dict[str, Json]:
    counted = dict(zip(COUNTERS, (value or 0 for value in counters), strict=True))
    tokens: dict[str, Json] = {"input": counted["input_tokens"], "output": counted["output_tokens"]}
    return {
        "day": utc(at_ms)[:10],
        "tokens": {**tokens, "used": counted["input_tokens"] + counted["output_tokens"]},
        "calls": counted["calls"],
        "messages": counted["messages"],
        "replies": {name: counted[name] for name in ("completed", "canned", "failed", "stopped")},
        "searches": {"used": counted["searches"]},
    }
