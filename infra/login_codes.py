"""Log-in codes of development: made by the command line, exchanged once for a token by any API process.

Only a code's SHA-256 is stored, so that reading the table lets nobody in; and whose it is, is sealed under a key that
is made from the code, so that reading the table names nobody.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import timedelta

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra.codec import NONCE_BYTES
from infra.ids import random_bytes, random_token
from infra.postgres import conninfo
from infra.queries import Queries
from infra.settings import Settings

LIFETIME = timedelta(minutes=10)
# Sent again after a lost answer it finds the code used: nobody is let in twice, and the person asks for another link.
REDEEM = """UPDATE login_codes SET used_at = now()
WHERE code_hash = %s AND used_at IS NULL AND expires_at > now() RETURNING sealed_sub"""


def issue_login_code(settings: Settings, user_sub: str) -> str:
    """A code that is good once, for ten minutes by the database's clock. Raises `psycopg.OperationalError`."""
    code = random_token(24)
    with psycopg.connect(conninfo(settings, "login"), autocommit=True) as connection:
        connection.execute("DELETE FROM login_codes WHERE expires_at < now() - interval '1 day'")
        connection.execute(
            "INSERT INTO login_codes (code_hash, sealed_sub, expires_at) VALUES (%s, %s, now() + %s)",
            (_hash(code), _seal(code, user_sub), LIFETIME),
        )
    return code


async def redeem_login_code(queries: Queries, code: str) -> str | None:
    """The user that the code was made for, or None when it is unknown, used or too old. Uses it up.

    Raises `Unavailable`."""
    rows = await queries.fetch(REDEEM, (_hash(code),))
    return _open(code, bytes(rows[0][0])) if rows else None


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()


def _seal(code: str, user_sub: str) -> bytes:
    nonce = random_bytes(NONCE_BYTES)
    return nonce + _cipher(code).encrypt(nonce, user_sub.encode(), None)


def _open(code: str, sealed: bytes) -> str:
    return _cipher(code).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None).decode()


def _cipher(code: str) -> AESGCM:
    return AESGCM(hmac.digest(code.encode(), b"log-in code", "sha256"))
