"""Queries of the view `tasks`: lists with filters and paging, and one task.

Due dates and tags are sealed, so these filters look at opened rows, page by page, of one user.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from domain.errors import NotFound
from domain.values import Json, Task, TaskStatus
from infra.queries import Row
from projections.reading import Fetched, Reader, decode_cursor, encode_cursor, mark_of
from projections.shapes import Shown, task_of, task_shape

ROWS_READ_MAX = 1_000  # by one request whose filter has to look into rows; its page may then be a short one

# Two index scans merged, as a status is part of the index.
PAGE = """SELECT m.source, coalesce(m.version, 0), t.id, t.ord, t.changed_version, t.version, t.name, t.state
FROM view_mark('tasks', %(user)s) m LEFT JOIN LATERAL (
    SELECT * FROM (
        (SELECT id, ord, changed_version, version, name, state FROM tasks
        WHERE user_id = %(user)s AND status = 'open' AND 'open' = ANY(%(statuses)s) AND ord > %(after)s
        ORDER BY ord LIMIT %(limit)s)
        UNION ALL
        (SELECT id, ord, changed_version, version, name, state FROM tasks
        WHERE user_id = %(user)s AND status = 'done' AND 'done' = ANY(%(statuses)s) AND ord > %(after)s
        ORDER BY ord LIMIT %(limit)s)
    ) both_kinds ORDER BY ord LIMIT %(limit)s
) t ON true ORDER BY t.ord"""

ONE = """SELECT m.source, coalesce(m.version, 0), t.id, t.ord, t.changed_version, t.version, t.name, t.state
FROM view_mark('tasks', %(user)s) m LEFT JOIN tasks t ON t.user_id = %(user)s AND t.id = %(id)s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """`due_from` and `due_to` are dates or local times, both included; a task without due passes neither."""

    status: TaskStatus | None = None
    due_from: str | None = None
    due_to: str | None = None
    tag: str | None = None

    @property
    def looks_into_rows(self) -> bool:
        return self.tag is not None or self.due_from is not None or self.due_to is not None

    def passes(self, task: Task) -> bool:
        if self.tag is not None and self.tag not in task.tags:
            return False
        if self.due_from is None and self.due_to is None:
            return True
        if task.due is None:
            return False
        # A date in a bound covers its whole day, so each side is compared at the bound's precision.
        after = self.due_from is None or task.due[: len(self.due_from)] >= self.due_from[: len(task.due)]
        before = self.due_to is None or task.due[: len(self.due_to)] <= self.due_to
        return after and before


async def fetch_tasks(
    reader: Reader, user_id: str, *, wanted: TaskFilter, limit: int = 100, cursor: str | None = None
) -> Fetched:
    """Tasks in the order in which they got their status. There are more while there is a `nextCursor`, even where a
    page is shorter than `limit`: what a filter has looked through is part of the page.
    """
    after = 0 if cursor is None else decode_cursor(cursor, int)[0]
    rows_max = ROWS_READ_MAX if wanted.looks_into_rows else limit
    statuses = ["open", "done"] if wanted.status is None else [wanted.status]
    values: dict[str, Any] = {"user": user_id, "statuses": statuses, "after": after, "limit": rows_max + 1}
    rows = await reader.queries.fetch(PAGE, values)
    mark = mark_of("tasks", rows[0] if rows else None)
    found: list[Json] = []
    following: str | None = None
    shown = await _open(reader, user_id, rows)
    for place, (row, task) in enumerate(shown):
        if len(found) == limit or place == rows_max:
            following = encode_cursor(after)
            break
        content = task_of(task)
        if content is not None and wanted.passes(content):
            found.append(task_shape(task))
        after = int(row[3])
    return Fetched(mark, {"tasks": found, "nextCursor": following, "version": mark.version})


async def fetch_task(reader: Reader, user_id: str, task_id: str) -> Fetched:
    """One task, which shows its own version. Raises `NotFound`."""
    rows = await reader.queries.fetch(ONE, {"user": user_id, "id": task_id})
    mark = mark_of("tasks", rows[0] if rows else None)
    shown = await _open(reader, user_id, rows)
    if not shown:
        raise NotFound("There is no such task.", code="task_unknown")
    return Fetched(mark, task_shape(shown[0][1]))


async def _open(reader: Reader, user_id: str, rows: Sequence[Row]) -> list[tuple[Row, Shown]]:
    kept = [row for row in rows if row[2] is not None]
    facts = await reader.open_rows(user_id, [row[5:8] for row in kept])
    return [(row, Shown(row[2], row[4], fact)) for row, fact in zip(kept, facts, strict=True)]
