"""What is stored of an erased user beside their stream: destroyed and deleted, as often as it is asked for.

That a user is erased is a fact of their stream (`UserErased`), which also makes their name free. Here the keys go
first: from then on all that is left is ciphertext without a key. The stream itself stays, so that positions and
versions have no gaps, and so do the tombstones of its keys.
"""

from __future__ import annotations

import asyncio

from psycopg import sql

from domain.ports import StoredEvent
from infra import codec, failpoints
from infra.audio_store import AudioStore, audio_id
from infra.keys.keyring import Keyring
from infra.queries import Queries

# Tables with rows of users, and the column that says whose. The views are emptied by their own projection.
TABLES = (
    ("commands", "user_id"),
    ("segments", "user_id"),
    ("work", "user_id"),
    ("presence", "user_id"),
    ("stream_tickets", "user_id"),
    ("dead_letters_dropped", "user_id"),
    ("log0_snapshots", "originator_id"),
)
PAGE_ROWS = 5_000
PAGE_SECONDS_MAX = 10.0

RECENT = "SELECT user_id FROM users WHERE erased_at > now() - make_interval(secs => %s) ORDER BY erased_at"
IS_ERASED = "SELECT erased_at IS NOT NULL FROM users WHERE user_id = %s"
AUDIO = """SELECT notification_id, originator_id, originator_version, topic, state FROM log0_events
WHERE originator_id = %s AND topic IN ('VoiceJobStarted', 'SpeechMade') ORDER BY originator_version"""

DELETE = sql.SQL("DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {column} = %s LIMIT %s))")


class Erasure:
    """Any number of processes may erase the same user at once."""

    def __init__(self, queries: Queries, keyring: Keyring, audio: AudioStore) -> None:
        self._queries = queries
        self._keyring = keyring
        self._audio = audio

    async def erase(self, user_id: str) -> int:
        """Destroy and delete; how many rows went. Only for a user whose stream ends with `UserErased`.

        Raises `Unavailable`; whatever was done by then stays done.
        """
        rows = await self._queries.fetch(IS_ERASED, (user_id,))
        assert not rows or rows[0][0], "nobody may lose their keys who was not erased"
        await self._keyring.destroy_all(user_id)
        await failpoints.reach("erasure.files.before")
        for job_id in await self._audio_of(user_id):
            await asyncio.to_thread(self._audio.delete, job_id)
        deleted = 0
        for table, column in TABLES:
            await failpoints.reach(f"erasure.{table}.before")
            deleted += await self._delete(table, column, user_id)
        return deleted

    async def recent(self, *, seconds: float) -> list[str]:
        """Who was erased within this time, the first one first."""
        return [str(row[0]) for row in await self._queries.fetch(RECENT, (seconds,))]

    async def _delete(self, table: str, column: str, user_id: str) -> int:
        """In pages: somebody may have sent a million commands."""
        statement = DELETE.format(table=sql.Identifier(table), column=sql.Identifier(column))
        deleted, page = 0, PAGE_ROWS
        while page == PAGE_ROWS:
            async with self._queries.transaction(seconds=PAGE_SECONDS_MAX) as connection:
                page = (await connection.execute(statement, (user_id, PAGE_ROWS))).rowcount
            deleted += page
        return deleted

    async def _audio_of(self, user_id: str) -> list[str]:
        found: list[str] = []
        for row in await self._queries.fetch(AUDIO, (user_id,), seconds=PAGE_SECONDS_MAX):
            data = codec.peek(StoredEvent(*row)).data
            found.append(audio_id(data.job_id if row[3] == "VoiceJobStarted" else data.reply_id))
        return found
