"""Queries of what the view `state` keeps of speech: a user's own recordings and answers, and, across users, what waits
for a worker and which audio is still needed. Opens nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from domain.day_shapes import voice_job_json
from domain.errors import NotFound
from infra.queries import Queries
from projections.reading import Fetched, Reader, mark_of

JOB = """SELECT m.source, coalesce(m.version, 0), j.status, j.message_id, j.code, j.started_at_ms, j.changed_version
FROM view_mark('state', %(user)s) m LEFT JOIN voice_jobs j ON j.user_id = %(user)s AND j.id = %(id)s"""

REPLY = """SELECT s.expires_at_ms, s.reply_id IS NOT NULL, o.id IS NOT NULL
FROM (SELECT 1) one
LEFT JOIN spoken_replies s ON s.user_id = %(user)s AND s.reply_id = %(id)s
LEFT JOIN state_objects o ON o.user_id = %(user)s AND o.kind = 'message' AND o.id = %(id)s AND o.list IS NOT NULL"""

# What somebody has in hand is left out. The digits at an id's end are the UUID of its audio.
WAITING_JOBS = """SELECT user_id, id, started_version FROM voice_jobs j
WHERE wanted_ms IS NOT NULL AND NOT EXISTS (
    SELECT FROM speech_leases l WHERE l.id = right(j.id, 32)::uuid AND l.lease_until > clock_timestamp()
) ORDER BY wanted_ms LIMIT %(limit)s"""

WAITING_REPLIES = """SELECT user_id, reply_id, reply_version FROM spoken_replies s
WHERE wanted_ms > %(since_ms)s AND NOT EXISTS (
    SELECT FROM speech_leases l WHERE l.id = right(s.reply_id, 32)::uuid AND l.lease_until > clock_timestamp()
) ORDER BY wanted_ms LIMIT %(limit)s"""

NEEDED = """SELECT right(id, 32)::uuid::text AS audio FROM voice_jobs
WHERE wanted_ms IS NOT NULL AND right(id, 32)::uuid = ANY(%(ids)s::uuid[])
UNION ALL SELECT right(reply_id, 32)::uuid::text FROM spoken_replies
WHERE (expires_at_ms > %(now_ms)s OR wanted_ms > %(since_ms)s) AND right(reply_id, 32)::uuid = ANY(%(ids)s::uuid[])"""

POSITION = "SELECT position FROM view_positions WHERE view = 'state'"


class Waiting(NamedTuple):
    """`id` of a recording or of a reply; `version` is the event that has its request or its text."""

    user_id: str
    id: str
    version: int


class Spoken(NamedTuple):
    """`expires_at_ms`: None while there is no audio."""

    is_wanted: bool
    expires_at_ms: int | None


async def fetch_voice_job(reader: Reader, user_id: str, job_id: str) -> Fetched:
    """One recording, which shows its own version. Raises `NotFound`."""
    rows = await reader.queries.fetch(JOB, {"user": user_id, "id": job_id})
    mark = mark_of("state", rows[0] if rows else None)
    status, message_id, code, started_at_ms, version = rows[0][2:]
    if status is None:
        raise NotFound("There is no such recording.", code="voice_job_unknown")
    body = voice_job_json(
        job_id, status=status, message_id=message_id, code=code, started_at_ms=started_at_ms, version=version
    )
    return Fetched(mark, body)


async def fetch_spoken(reader: Reader, user_id: str, reply_id: str) -> Spoken:
    """What there is to hear of a message. Raises `NotFound` when there is no such message."""
    [(expires_at_ms, is_wanted, is_there)] = await reader.queries.fetch(REPLY, {"user": user_id, "id": reply_id})
    if not is_there:
        raise NotFound("There is no such message.", code="message_unknown")
    return Spoken(bool(is_wanted), expires_at_ms)


async def fetch_waiting_jobs(queries: Queries, *, limit: int) -> list[Waiting]:
    """Recordings of all users that nobody has in hand, the oldest first. Raises `Unavailable`."""
    return [Waiting(*row) for row in await queries.fetch(WAITING_JOBS, {"limit": limit})]


async def fetch_waiting_replies(queries: Queries, *, since_ms: int, limit: int) -> list[Waiting]:
    """Replies of all users, completed after `since_ms`, that are to be spoken. Raises `Unavailable`."""
    values = {"since_ms": since_ms, "limit": limit}
    return [Waiting(*row) for row in await queries.fetch(WAITING_REPLIES, values)]


async def fetch_needed(queries: Queries, audio_ids: Sequence[str], *, now_ms: int, since_ms: int) -> set[str]:
    """Those of the ids whose recording waits, or whose reply can be heard or is to be spoken. Raises `Unavailable`."""
    values = {"ids": list(audio_ids), "now_ms": now_ms, "since_ms": since_ms}
    return {str(row[0]) for row in await queries.fetch(NEEDED, values)}


async def fetch_position(queries: Queries) -> int:
    """How far the view has read the log. Raises `Unavailable`."""
    rows = await queries.fetch(POSITION)
    return int(rows[0][0]) if rows else 0
