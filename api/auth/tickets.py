"""Stream tickets: one stream or WebSocket for a client that cannot send headers. Good once, for half a minute, at any
API process. Only a ticket's SHA-256 is stored.
"""

from __future__ import annotations

import hashlib

import msgspec

from api.auth.tokens import Principal
from domain.values import REDACTED
from infra import codec
from infra.ids import random_token
from infra.keys.keyring import Keyring
from infra.queries import Queries

ISSUE = """WITH old AS (DELETE FROM stream_tickets WHERE user_id = %(user_id)s AND expires_at < now())
INSERT INTO stream_tickets (ticket_hash, user_id, principal, expires_at)
VALUES (%(hash)s, %(user_id)s, %(principal)s, now() + make_interval(secs => %(seconds)s))
ON CONFLICT (ticket_hash) DO NOTHING"""
REDEEM = """UPDATE stream_tickets SET used_at = now()
WHERE ticket_hash = %s AND used_at IS NULL AND expires_at > now() RETURNING user_id, principal"""
TICKET_CHARACTERS_MAX = 128


class StreamTickets:
    def __init__(self, queries: Queries, keyring: Keyring, *, seconds: int) -> None:
        self._queries = queries
        self._keyring = keyring
        self._seconds = seconds

    async def issue(self, principal: Principal, user_id: str) -> str:
        """Raises `Unavailable`."""
        ticket = random_token()
        digest = _digest(ticket)
        keys = await self._keyring.load(user_id)
        plain = msgspec.json.encode([principal.issuer, principal.sub, principal.expires_at])
        sealed = codec.seal_entry(plain, f"{user_id}\nticket\n{digest.hex()}", keys.user_key_id, keys)
        values = {"hash": digest, "user_id": user_id, "principal": sealed, "seconds": self._seconds}
        await self._queries.fetch(ISSUE, values)
        return ticket

    async def redeem(self, ticket: str) -> Principal | None:
        """Whose ticket it is, once; None when it is unknown, used or over."""
        if len(ticket) > TICKET_CHARACTERS_MAX or not ticket.isascii():
            return None
        digest = _digest(ticket)
        rows = await self._queries.fetch(REDEEM, (digest,))
        if not rows:
            return None
        user_id, sealed = rows[0]
        keys = await self._keyring.load(user_id)
        plain = codec.open_entry(sealed, f"{user_id}\nticket\n{digest.hex()}", keys.user_key_id, keys)
        if plain is REDACTED:
            return None
        issuer, sub, expires_at = msgspec.json.decode(plain, type=tuple[str, str, int])
        return Principal(issuer=issuer, sub=sub, expires_at=expires_at)


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
