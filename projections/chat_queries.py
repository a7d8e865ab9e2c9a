"""Queries of the view `chat`: the list of conversations, and paging back through the messages of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.errors import NotFound
from domain.events import ConversationRenamed
from domain.shapes import utc
from domain.values import REDACTED, Json
from infra.queries import Row
from projections.reading import Fetched, Reader, decode_cursor, encode_cursor, mark_of
from projections.shapes import Shown, conversation_shape, message_shape

NEWEST = 2**62

CONVERSATIONS = """SELECT m.source, coalesce(m.version, 0), c.conversation_ref, c.last_version, c.archived,
    c.message_count, c.last_at_ms, c.changed_version, c.version, c.name, c.state, c.title_version, c.title_state
FROM view_mark('chat', %(user)s) m LEFT JOIN LATERAL (
    SELECT * FROM chat_conversations
    WHERE user_id = %(user)s AND last_version < %(before)s
      AND (%(archived)s::boolean IS NULL OR archived = %(archived)s)
    ORDER BY last_version DESC LIMIT %(limit)s
) c ON true ORDER BY c.last_version DESC"""

TITLE = """SELECT title_version, title_state FROM chat_conversations
WHERE user_id = %(user)s AND conversation_ref = %(conversation)s AND title_version IS NOT NULL"""

# The page, and the actions of its replies behind it.
MESSAGES = """WITH mark AS MATERIALIZED (SELECT source, coalesce(version, 0) AS at FROM view_mark('chat', %(user)s)),
known AS MATERIALIZED (
    SELECT 1 FROM chat_conversations WHERE user_id = %(user)s AND conversation_ref = %(conversation)s
), page AS MATERIALIZED (
    SELECT id, ord, superseded_by, changed_version, version, name, state FROM chat_messages
    WHERE user_id = %(user)s AND conversation_ref = %(conversation)s AND ord < %(before)s
    ORDER BY ord DESC LIMIT %(limit)s
)
SELECT 'mark', mark.source, mark.at, (SELECT count(*) FROM known), NULL, 0::bigint, NULL, NULL::bytea FROM mark
UNION ALL SELECT 'message', id, ord, changed_version, superseded_by, version, name, state FROM page
UNION ALL SELECT 'action', a.reply_id, a.ord, 0, NULL, a.version, a.name, a.state
FROM page p CROSS JOIN LATERAL (
    SELECT reply_id, ord, version, name, state FROM chat_actions
    WHERE user_id = %(user)s AND reply_id = p.id OFFSET 0
) a WHERE p.name <> 'MessageReceived'"""


async def fetch_conversations(
    reader: Reader, user_id: str, *, archived: bool | None = None, limit: int = 50, cursor: str | None = None
) -> Fetched:
    """The last used first; `archived` None gives both kinds. `nextCursor` while there are more."""
    before = NEWEST if cursor is None else decode_cursor(cursor, int)[0]
    values: dict[str, Any] = {"user": user_id, "before": before, "archived": archived, "limit": limit + 1}
    rows = await reader.queries.fetch(CONVERSATIONS, values)
    mark = mark_of("chat", rows[0] if rows else None)
    kept = [row for row in rows if row[2] is not None]
    page = kept[:limit]
    shapes = await _conversations(reader, user_id, page)
    following = encode_cursor(int(page[-1][3])) if len(kept) > limit else None
    return Fetched(mark, {"conversations": shapes, "nextCursor": following, "version": mark.version})


async def fetch_title(reader: Reader, user_id: str, conversation_ref: str) -> str | None:
    """The title that a conversation was given; None where it has none, or is not there."""
    rows = await reader.queries.fetch(TITLE, {"user": user_id, "conversation": conversation_ref})
    for fact in await reader.open_rows(user_id, [(row[0], "ConversationRenamed", row[1]) for row in rows]):
        if isinstance(fact.event, ConversationRenamed) and fact.event.content is not REDACTED:
            return fact.event.content.title
    return None


async def _conversations(reader: Reader, user_id: str, rows: Sequence[Row]) -> list[Json]:
    titled = [row for row in rows if row[11] is not None]
    titles = [(row[11], "ConversationRenamed", row[12]) for row in titled]
    facts = await reader.open_rows(user_id, [*(row[8:11] for row in rows), *titles])
    title_of = {row[2]: fact for row, fact in zip(titled, facts[len(rows) :], strict=True)}
    shapes: list[Json] = []
    for row, fact in zip(rows, facts, strict=False):
        shown = Shown(row[2], row[7], fact)
        shape = conversation_shape(shown, title_of.get(row[2]), archived=row[4])
        shapes.append({**shape, "messageCount": row[5], "lastMessageAt": utc(row[6])})
    return shapes


async def fetch_messages(
    reader: Reader, user_id: str, conversation_ref: str, *, limit: int = 50, cursor: str | None = None
) -> Fetched:
    """A page of a conversation, oldest first; the first page is the newest, `nextCursor` leads back.

    Raises `NotFound` for an unknown conversation.
    """
    before = NEWEST if cursor is None else decode_cursor(cursor, int)[0]
    values = {"user": user_id, "conversation": conversation_ref, "before": before, "limit": limit + 1}
    rows = await reader.queries.fetch(MESSAGES, values)
    mark_row = next((row for row in rows if row[0] == "mark"), None)
    mark = mark_of("chat", None if mark_row is None else mark_row[1:])
    if mark_row is not None and not mark_row[3]:
        raise NotFound("There is no such conversation.", code="conversation_unknown")
    messages = sorted((row for row in rows if row[0] == "message"), key=lambda row: -int(row[2]))
    page = messages[:limit][::-1]
    actions = sorted((row for row in rows if row[0] == "action"), key=lambda row: int(row[2]))
    shapes = await _messages(reader, user_id, page, actions)
    following = encode_cursor(int(page[0][2])) if len(messages) > limit else None
    return Fetched(mark, {"messages": shapes, "nextCursor": following, "version": mark.version})


async def _messages(reader: Reader, user_id: str, page: Sequence[Row], actions: Sequence[Row]) -> list[Json]:
    facts = await reader.open_rows(user_id, [row[5:8] for row in (*page, *actions)])
    of_reply: dict[str, list[Shown]] = {}
    # An action is shown from its event alone: the id and version given here say nothing of it.
    for row, fact in zip(actions, facts[len(page) :], strict=True):
        of_reply.setdefault(row[1], []).append(Shown(row[1], row[3], fact))
    shapes: list[Json] = []
    for row, fact in zip(page, facts, strict=False):
        shape = message_shape(Shown(row[1], row[3], fact), of_reply.get(row[1], []))
        if row[4] is not None:
            shape["supersededBy"] = row[4]
        shapes.append(shape)
    return shapes
