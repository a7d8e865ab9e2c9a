"""Queries of the view `state`: the state now, what changed since a version, the state as it was, and single lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from domain.errors import Invalid, NotFound
from domain.events import ConversationDeleted, Fact, NoteDeleted, PreferenceSet
from domain.ports import EventLog, StoredEvent
from domain.shapes import session_json
from domain.values import REDACTED, Json
from infra import codec
from infra.queries import Row
from projections import state as lists
from projections.fold import MemoryTables
from projections.reading import Fetched, Mark, Reader, mark_of
from projections.shapes import (
    Shown,
    conversation_ref_of,
    conversation_shape,
    memory_shape,
    message_shape,
    note_shape,
    plan_shape,
    task_shape,
)
from projections.state import OBJECTS, STATE

TASKS_DONE_SHOWN = 100
PLANS_SHOWN = 14

# The row `mark` of an answer says where it stands in the stream, with the last event that the view has seen. Actions
# are looked up reply by reply (OFFSET 0), so that the planner does not think of reading all objects of the user.
NOW = """WITH shown AS MATERIALIZED (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND list = 'messages' ORDER BY ord DESC LIMIT %(limit)s
)
SELECT 'mark', source, '', 0::bigint, coalesce(version, 0), NULL, version, topic, state, NULL::bigint, NULL::bytea
FROM view_mark('state', %(user)s)
UNION ALL SELECT * FROM shown
UNION ALL SELECT a.* FROM shown m CROSS JOIN LATERAL (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND reply_id = m.id OFFSET 0
) a WHERE m.name <> 'MessageReceived'
UNION ALL (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects
    WHERE user_id = %(user)s AND list IN ('tasks.open', 'memories', 'notes', 'preferences', 'sessions')
)
UNION ALL (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND list = 'tasks.done' ORDER BY ord DESC LIMIT %(done)s
)
UNION ALL (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND list = 'plans' ORDER BY ord DESC LIMIT %(plans)s
)"""

# All of a version or nothing of it, so that the answer is complete up to its last. A row `more` tells that it is not
# the end.
SINCE = """WITH page AS (
    SELECT changed_version FROM state_objects
    WHERE user_id = %(user)s AND changed_version > %(since)s AND kind <> 'action'
    ORDER BY changed_version LIMIT %(limit)s
), shown AS MATERIALIZED (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND changed_version > %(since)s AND kind <> 'action'
      AND changed_version <= (SELECT max(changed_version) FROM page)
)
SELECT 'mark', source, '', 0::bigint, coalesce(version, 0), NULL, version, topic, state, NULL::bigint, NULL::bytea
FROM view_mark('state', %(user)s)
UNION ALL SELECT * FROM shown
UNION ALL SELECT a.* FROM shown m CROSS JOIN LATERAL (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND reply_id = m.id OFFSET 0
) a WHERE m.list = 'messages' AND m.name <> 'MessageReceived'
UNION ALL (
    SELECT 'more', NULL, '', 0, changed_version, NULL, NULL, NULL, NULL, NULL, NULL FROM state_objects
    WHERE user_id = %(user)s AND changed_version > (SELECT max(changed_version) FROM page) AND kind <> 'action'
    ORDER BY changed_version LIMIT 1
)
UNION ALL SELECT 'last', NULL, '', 0, originator_version, NULL, originator_version, topic, state, NULL, NULL
FROM log0_events WHERE originator_id = %(user)s AND originator_version = (SELECT max(changed_version) FROM page)"""

ONE_LIST = """SELECT 'mark', source, '', 0::bigint, coalesce(version, 0), NULL, version, topic, state,
    NULL::bigint, NULL::bytea FROM view_mark('state', %(user)s)
UNION ALL
SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
FROM state_objects WHERE user_id = %(user)s AND list = %(list)s"""

ONE_PLAN = """SELECT 'mark', source, '', 0::bigint, coalesce(version, 0), NULL, version, topic, state,
    NULL::bigint, NULL::bytea FROM view_mark('state', %(user)s)
UNION ALL
SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
FROM state_objects WHERE user_id = %(user)s AND kind = 'plan' AND id = %(ref)s"""

# Times never go back within a stream, so the last version before one is found by halving.
BEFORE = """WITH RECURSIVE halving(low, high) AS (
    SELECT 0::bigint, coalesce(max(originator_version), 0) FROM log0_events WHERE originator_id = %(user)s
    UNION ALL
    SELECT CASE WHEN is_before THEN middle ELSE low END, CASE WHEN is_before THEN high ELSE middle - 1 END
    FROM (
        SELECT low, high, (low + high + 1) / 2 AS middle, (
            SELECT (convert_from(state, 'UTF8')::json ->> 'at_ms')::bigint < %(at_ms)s
            FROM log0_events WHERE originator_id = %(user)s AND originator_version = (low + high + 1) / 2
        ) AS is_before FROM halving WHERE low < high
    ) step
) SELECT low FROM halving WHERE low = high"""

# By the ids of objects, which do not change: whoever reads on meets each of them once, whatever happens meanwhile.
PAGE_OF_KIND = """
SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
FROM state_objects
WHERE user_id = %(user)s AND kind = %(kind)s AND id > %(after)s AND list IS NOT NULL
ORDER BY id LIMIT %(limit)s"""

# Messages stay in the place in which they came.
PAGE_OF_MESSAGES = """WITH page AS MATERIALIZED (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND list = 'messages' AND ord > %(after)s
    ORDER BY ord LIMIT %(limit)s
)
SELECT * FROM page
UNION ALL SELECT a.* FROM page m CROSS JOIN LATERAL (
    SELECT kind, list, id, ord, changed_version, reply_id, version, name, state, title_version, title_state
    FROM state_objects WHERE user_id = %(user)s AND reply_id = m.id OFFSET 0
) a WHERE m.name <> 'MessageReceived'"""


class ObjectRow(NamedTuple):
    kind: str
    list: str | None
    id: str
    ord: int
    changed_version: int
    reply_id: str | None
    version: int | None
    name: str | None
    state: bytes | None
    title_version: int | None
    title_state: bytes | None


async def fetch_state(reader: Reader, user_id: str, *, limit: int = 50) -> Fetched:
    """Everything as it is now; of messages the newest `limit`, oldest first."""
    values = {"user": user_id, "limit": limit, "done": TASKS_DONE_SHOWN, "plans": PLANS_SHOWN}
    mark, mark_row, rows = _split(await reader.queries.fetch(NOW, values))
    objects = await _open(reader, user_id, rows)
    last_at_ms = _at_ms(user_id, mark_row)
    return Fetched(mark, objects.whole(mark.version, last_at_ms))


async def fetch_changes(reader: Reader, user_id: str, *, since: int, limit: int = 500) -> Fetched:
    """What changed after version `since`, oldest first, keyed as the state is; `version`: complete up to here.

    About `limit` objects; all that one command changed come together. `more`: ask again with that version.
    """
    values = {"user": user_id, "since": since, "limit": limit}
    mark, mark_row, rows = _split(await reader.queries.fetch(SINCE, values))
    has_more = any(row.kind == "more" for row in rows)
    last = next(row for row in rows if row.kind == "last") if has_more else mark_row
    objects = await _open(reader, user_id, [row for row in rows if row.kind not in ("more", "last")])
    told = {"lastSnapshotTs": _seconds(_at_ms(user_id, last)), "version": last.changed_version, "more": has_more}
    return Fetched(mark, {**objects.changes(), **told})


async def fetch_state_at(reader: Reader, log: EventLog, user_id: str, version: int, *, limit: int = 50) -> Fetched:
    """The state as it was at `version`; what was deleted since has its ids, and else is null and `redacted`. Costs a
    read of the stream.

    Raises `Invalid` for a version that the stream has not reached.
    """
    deletions = await reader.bury_deleted(user_id)
    tables, at_ms, after = MemoryTables(STATE), None, 0
    while after < version:
        page = await log.read_stream(user_id, after=after, until=version)
        if not page:
            raise Invalid("The stream has not reached this version.", code="version_above_head")
        tables.add((event.user_id, event.version, event.name, event.state) for event in page)
        after, at_ms = page[-1].version, codec.peek(page[-1]).at_ms
    mark = mark_of("state", ("log", version))
    objects = await _open(reader, user_id, _as_shown(tables, limit))
    objects.names = _names_of(deletions)
    return Fetched(mark, objects.whole(version, at_ms))


async def version_before(reader: Reader, user_id: str, at_ms: int) -> int:
    """The last version strictly before a time in Unix milliseconds, 0 when there is none."""
    rows = await reader.queries.fetch(BEFORE, {"user": user_id, "at_ms": at_ms})
    return int(rows[0][0])


async def fetch_memories(reader: Reader, user_id: str) -> Fetched:
    return await _fetch_list(reader, user_id, lists.MEMORIES, "memories")


async def fetch_notes(reader: Reader, user_id: str) -> Fetched:
    return await _fetch_list(reader, user_id, lists.NOTES, "notes")


async def fetch_preferences(reader: Reader, user_id: str) -> Fetched:
    return await _fetch_list(reader, user_id, lists.PREFERENCES, "preferences")


async def fetch_sessions(reader: Reader, user_id: str) -> Fetched:
    return await _fetch_list(reader, user_id, lists.SESSIONS, "sessions")


async def fetch_plan(reader: Reader, user_id: str, plan_ref: str) -> Fetched:
    """The plan under this keyed hash of its date. Raises `NotFound`."""
    mark, _, rows = _split(await reader.queries.fetch(ONE_PLAN, {"user": user_id, "ref": plan_ref}))
    if not rows:
        raise NotFound("There is no plan for this day.", code="plan_unknown")
    objects = await _open(reader, user_id, rows)
    return Fetched(mark, objects.of_list(lists.PLANS)[0])


async def fetch_kind_page(
    reader: Reader, user_id: str, kind: str, *, after: str = "", limit: int
) -> tuple[list[dict[str, Json]], str | None]:
    """Some objects of a kind, in the order of their ids, and the id to go on after; None at the end."""
    values = {"user": user_id, "kind": kind, "after": after, "limit": limit}
    rows = [ObjectRow(*row) for row in await reader.queries.fetch(PAGE_OF_KIND, values)]
    objects = await _open(reader, user_id, rows)
    return [objects.show(row) for row in rows], rows[-1].id if len(rows) == limit else None


async def fetch_messages_page(
    reader: Reader, user_id: str, *, after: int = 0, limit: int
) -> tuple[list[dict[str, Json]], int | None]:
    """Some messages of all conversations, oldest first, and the place to go on after; None at the end."""
    values = {"user": user_id, "after": after, "limit": limit}
    rows = [ObjectRow(*row) for row in await reader.queries.fetch(PAGE_OF_MESSAGES, values)]
    objects = await _open(reader, user_id, rows)
    page = [row for row in objects.rows if row.kind == "message"]
    return [objects.show(row) for row in page], page[-1].ord if len(page) == limit else None


async def _fetch_list(reader: Reader, user_id: str, list_name: str, key: str) -> Fetched:
    values = {"user": user_id, "list": list_name}
    mark, _, rows = _split(await reader.queries.fetch(ONE_LIST, values))
    objects = await _open(reader, user_id, rows)
    return Fetched(mark, {key: objects.of_list(list_name), "version": mark.version})


def _split(rows: Sequence[Row]) -> tuple[Mark, ObjectRow, list[ObjectRow]]:
    """Where the answer stands, the row that says so, and the others."""
    named = [ObjectRow(*row) for row in rows]
    row = next((row for row in named if row.kind == "mark"), None)
    mark = mark_of("state", None if row is None else (row.list, row.changed_version))
    assert row is not None
    return mark, row, [row for row in named if row.kind != "mark"]


def _at_ms(user_id: str, mark: ObjectRow) -> int | None:
    if mark.version is None or mark.name is None or mark.state is None:
        return None
    return codec.peek(StoredEvent(0, user_id, mark.version, mark.name, mark.state)).at_ms


def _seconds(at_ms: int | None) -> int | None:
    return None if at_ms is None else at_ms // 1000


def _as_shown(tables: MemoryTables, limit: int) -> list[ObjectRow]:
    """What `NOW` selects, from rows in memory."""
    names = [column.name for column in OBJECTS.all_columns]
    rows: list[ObjectRow] = []
    for key, row in tables.rows[OBJECTS.name].items():
        whole: dict[str, Any] = dict(zip(names, (*key, *row), strict=True))
        rows.append(ObjectRow(**{name: whole[name] for name in ObjectRow._fields}))
    rows.sort(key=lambda row: row.ord)
    messages = [row for row in rows if row.list == lists.MESSAGES][-limit:]
    done = [row for row in rows if row.list == lists.TASKS_DONE][-TASKS_DONE_SHOWN:]
    replies = {row.id for row in messages}
    plans = [row for row in rows if row.list == lists.PLANS][-PLANS_SHOWN:]
    others = (lists.TASKS_OPEN, lists.MEMORIES, lists.NOTES, lists.PREFERENCES, lists.SESSIONS)
    return [*messages, *done, *plans, *(row for row in rows if row.list in others or row.reply_id in replies)]


# --- to JSON ----------------------------------------------------------------------------------------------------


async def _open(reader: Reader, user_id: str, rows: Iterable[ObjectRow]) -> _Objects:
    ordered = sorted(rows, key=lambda row: row.ord)
    kept = [(row.version, row.name, row.state) for row in ordered if row.state is not None]
    titles = [
        (row.title_version, "ConversationRenamed", row.title_state) for row in ordered if row.title_state is not None
    ]
    facts = await reader.open_rows(user_id, [*kept, *titles])
    return _Objects(ordered, {fact.version: fact for fact in facts})


def _names_of(deletions: Iterable[Fact]) -> dict[str, str]:
    """The ids of deleted notes and conversations, which went with their text, by the keyed hashes that stay."""
    names: dict[str, str] = {}
    for event in (fact.event for fact in deletions):
        if isinstance(event, NoteDeleted) and event.content is not REDACTED:
            names[event.note_ref] = event.content.note_id
        elif isinstance(event, ConversationDeleted) and event.content is not REDACTED:
            names[event.conversation_ref] = event.content.conversation_id
    return names


class _Objects:
    """Rows in order, with the facts that they are rendered from, by version. `names`: what is known of ids that can't
    be opened any more, by their keyed hashes."""

    def __init__(self, rows: list[ObjectRow], facts: dict[int, Fact]) -> None:
        self.rows = rows
        self.names: Mapping[str, str] = {}
        self._facts = facts
        self._actions: dict[str, list[Shown]] = {}
        for row in rows:
            if row.kind == "action" and row.reply_id is not None:
                self._actions.setdefault(row.reply_id, []).append(self._shown(row))

    def whole(self, version: int, last_at_ms: int | None) -> dict[str, Json]:
        return {
            "tasks": [*self.of_list(lists.TASKS_OPEN), *self.of_list(lists.TASKS_DONE)],
            "notes": self.of_list(lists.NOTES),
            "messages": self.of_list(lists.MESSAGES),
            "preferences": self.of_list(lists.PREFERENCES),
            "pinnedMemories": self.of_list(lists.MEMORIES),
            "activeSessions": self.of_list(lists.SESSIONS),
            "planCache": self.of_list(lists.PLANS),
            "lastSnapshotTs": _seconds(last_at_ms),
            "version": version,
        }

    def of_list(self, list_name: str) -> Json:
        """Preferences as one object by key, all else as a list."""
        rows = [row for row in self.rows if row.list == list_name]
        return self._preferences(rows) if list_name == lists.PREFERENCES else [self.show(row) for row in rows]

    def changes(self) -> dict[str, Json]:
        keys = {
            "task": "tasks",
            "note": "notes",
            "message": "messages",
            "memory": "pinnedMemories",
            "session": "activeSessions",
            "conversation": "conversations",
            "plan": "planCache",
        }
        shapes: dict[str, Json] = {key: [] for key in keys.values()}
        for row in sorted(self.rows, key=lambda row: (row.changed_version, row.ord)):
            if row.kind in keys:
                shapes[keys[row.kind]].append(self.show(row))
        return {**shapes, "preferences": self._preferences([row for row in self.rows if row.kind == "preference"])}

    def show(self, row: ObjectRow) -> dict[str, Json]:
        if row.version is None:
            return {"id": row.id, "deleted": True}
        shown = self._shown(row)
        match row.kind:
            case "message":
                message = message_shape(shown, self._actions.get(row.id, []))
                return self._named(message, "conversationId", conversation_ref_of(shown))
            case "task":
                return task_shape(shown)
            case "memory":
                return memory_shape(shown)
            case "note":
                return self._named(note_shape(shown), "id", row.id)
            case "plan":
                return plan_shape(shown)
            case "session":
                return session_json(row.id, opened_at_ms=shown.fact.meta.at_ms, version=shown.version)
            case "conversation":
                title = None if row.title_version is None else self._facts[row.title_version]
                return conversation_shape(shown, title, archived=row.list == lists.CONVERSATIONS_ARCHIVED)
            case "preference":
                return self._preferences([row])
            case _:
                raise AssertionError(f"nobody shows a {row.kind}")

    def _named(self, shape: dict[str, Json], field: str, ref: str) -> dict[str, Json]:
        if shape[field] is None:
            shape[field] = self.names.get(ref)
        return shape

    def _preferences(self, rows: list[ObjectRow]) -> dict[str, Json]:
        values: dict[str, Json] = {}
        for row in rows:
            event = self._shown(row).fact.event
            assert isinstance(event, PreferenceSet)
            if event.content is not REDACTED:
                values[event.content.key] = event.content.value
        return values

    def _shown(self, row: ObjectRow) -> Shown:
        assert row.version is not None, f"{row.kind} {row.id} has no event"
        return Shown(row.id, row.changed_version, self._facts[row.version])
