"""Users and wrapped keys in Postgres: `infra.keys.keyring.KeyStore`. Holds no master key and opens nothing."""

from __future__ import annotations

from collections.abc import Sequence

from infra import failpoints
from infra.keys.keyring import KeyRow
from infra.queries import Queries

CHECK_VALUE = """WITH made AS (
    INSERT INTO master_key (id, check_value) VALUES (1, %s) ON CONFLICT (id) DO NOTHING RETURNING check_value
) SELECT check_value FROM made UNION ALL SELECT check_value FROM master_key WHERE id = 1 LIMIT 1"""
FIND_USER = "SELECT user_id FROM users WHERE subject = %s"
INSERT_USER = """WITH made AS (
    INSERT INTO users (user_id, subject) VALUES (%(user_id)s, %(user_subject)s)
    ON CONFLICT DO NOTHING RETURNING user_id
) INSERT INTO keys (key_id, user_id, scope, subject, wrapped)
SELECT %(key_id)s::uuid, user_id, %(scope)s, %(subject)s, %(wrapped)s FROM made"""
INSERT_KEY = """INSERT INTO keys (key_id, user_id, scope, subject, wrapped)
VALUES (%(key_id)s::uuid, %(user_id)s, %(scope)s, %(subject)s, %(wrapped)s) ON CONFLICT DO NOTHING"""
KEYS_OF = "SELECT key_id::text, user_id, scope, subject, wrapped FROM keys WHERE user_id = %s"
DESTROY = """UPDATE keys SET wrapped = NULL, destroyed_at = clock_timestamp()
WHERE key_id = ANY(%s::uuid[]) AND wrapped IS NOT NULL"""


class PostgresKeyStore:
    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def check_value(self, offered: bytes) -> bytes:
        rows = await self._queries.fetch(CHECK_VALUE, (offered,))
        if not rows:
            # Another process stored its own in this very moment, unseen by our snapshot.
            rows = await self._queries.fetch(CHECK_VALUE, (offered,))
        return bytes(rows[0][0])

    async def find_user(self, subject: bytes) -> str | None:
        rows = await self._queries.fetch(FIND_USER, (subject,))
        return str(rows[0][0]) if rows else None

    async def insert_user(self, subject: bytes, key: KeyRow) -> None:
        await failpoints.reach("keys.insert.before")
        await self._queries.fetch(INSERT_USER, {**_values(key), "user_subject": subject})
        await failpoints.reach("keys.insert.after")

    async def insert_key(self, key: KeyRow) -> None:
        await failpoints.reach("keys.insert.before")
        await self._queries.fetch(INSERT_KEY, _values(key))
        await failpoints.reach("keys.insert.after")

    async def keys_of(self, user_id: str) -> list[KeyRow]:
        rows = await self._queries.fetch(KEYS_OF, (user_id,))
        return [
            KeyRow(key_id=key_id, user_id=user_id, scope=scope, subject=subject, wrapped=wrapped)
            for key_id, user_id, scope, subject, wrapped in rows
        ]

    async def destroy(self, key_ids: Sequence[str]) -> None:
        await failpoints.reach("keys.destroy.before")
        await self._queries.fetch(DESTROY, (list(key_ids),))
        await failpoints.reach("keys.destroy.after")


def _values(key: KeyRow) -> dict[str, object]:
    return {
        "key_id": key.key_id,
        "user_id": key.user_id,
        "scope": key.scope,
        "subject": key.subject,
        "wrapped": key.wrapped,
    }
