"""What is due, of all users: instants of reminders and of standing wishes, from the view `tasks`. Opens nothing."""

from __future__ import annotations

from typing import Literal, NamedTuple

from infra.queries import Queries

PAGE = """SELECT at_ms, user_id, kind, id FROM due_instants
WHERE at_ms <= %(now)s AND (at_ms, user_id, kind, id) > (%(at)s, %(user)s, %(kind)s, %(id)s)
ORDER BY at_ms, user_id, kind, id LIMIT %(limit)s"""


class Due(NamedTuple):
    """`id` is a task's, or the name of a wish. Sorts as pages do."""

    at_ms: int
    user_id: str
    kind: Literal["reminder", "wish"]
    id: str


async def fetch_due(queries: Queries, *, now_ms: int, after: Due | None, limit: int) -> list[Due]:
    """What was due at `now_ms`, the longest due first, from behind `after` on. Raises `Unavailable`."""
    at_ms, user_id, kind, due_id = after or (-1, "", "", "")
    values = {"now": now_ms, "at": at_ms, "user": user_id, "kind": kind, "id": due_id, "limit": limit}
    return [Due(*row) for row in await queries.fetch(PAGE, values)]
