"""What a token must look like to be believed: its form, its header and its claims, checked strictly.

Must not know HTTP or where keys come from. Everything here raises only `AuthError`.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from api.strict_json import MalformedJson, parse_object
from domain.values import Json

TOKEN_BYTES_MAX = 16_384
KEY_ID_CHARACTERS_MAX = 256
ISSUER_CHARACTERS_MAX = 512
AUDIENCES_MAX = 100
SECONDS_MAX = 2**53 - 1  # beyond, two JSON readers may not see the same number
LEEWAY_SECONDS = 10

_SUBJECT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.|@:+=~-]{0,127}")
_KEY_ID = re.compile(r"(?!/)(?!.*\.\.)[A-Za-z0-9_.~+=:@/-]+")  # base64 may hold a slash, but no path is a key id
_SEGMENT = re.compile(rb"[A-Za-z0-9_-]+")

# Each of these tells the verifier to look elsewhere for the key, or to read the token in another way.
_REFUSED_HEADERS = ("crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "enc")
_HEADER_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_CLAIM_TYPES = ("bearer", "jwt", "at+jwt", "access")


def is_subject(text: str) -> bool:
    """Whether a token may name this as its user."""
    return _SUBJECT.fullmatch(text) is not None


class AuthError(Exception):
    """The caller is not who it says. `str()` is a reason for the log and holds nothing of the token."""


class KeysUnavailable(AuthError):
    """No key was ever fetched, or the last ones are too old: nobody can be judged now."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls. `expires_at` is the token's end in Unix seconds; (`issuer`, `sub`) is the user."""

    issuer: str
    sub: str
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What must be so beyond the form: one of `issuers` and one of `audiences`, where there are any."""

    issuers: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    lifetime_max_seconds: int = 86_400
    leeway_seconds: int = LEEWAY_SECONDS


@dataclass(frozen=True, slots=True)
class Unverified:
    """A token taken apart. Nothing in it may be believed before `signature` is verified over `signed`."""

    algorithm: str
    key_id: str | None
    payload: bytes
    signed: bytes
    signature: bytes


def take_apart(token: bytes) -> Unverified:
    """Three canonical base64url segments and a plain header; raises `AuthError` for anything else."""
    if len(token) > TOKEN_BYTES_MAX:
        raise AuthError("the token is too long")
    segments = token.split(b".")
    if len(segments) != 3:
        raise AuthError("the token has not three parts")
    header = _object(_decode(segments[0]), "header")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise AuthError("alg is missing")
    if key_id is not None and not _well_formed(key_id, _KEY_ID, KEY_ID_CHARACTERS_MAX):
        raise AuthError("kid is malformed")
    for name in _REFUSED_HEADERS:
        if name in header:
            raise AuthError(f"the header {name} is refused")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _HEADER_TYPES:
        raise AuthError("typ is not that of an access token")
    signed = token[: len(segments[0]) + 1 + len(segments[1])]
    assert key_id is None or isinstance(key_id, str)
    return Unverified(algorithm, key_id, _decode(segments[1]), signed, _decode(segments[2]))


def claimed_issuer(payload: bytes) -> str | None:
    """The `iss` of a payload that is not verified yet, to choose among trusted issuers and for nothing else."""
    issuer = _object(payload, "payload").get("iss")
    return issuer if isinstance(issuer, str) else None


def read_claims(payload: bytes, rules: ClaimRules, *, now_seconds: float) -> Principal:
    """The principal of a payload whose signature was verified."""
    claims = _object(payload, "payload")
    expires_at = _check_times(claims, rules, now_seconds)
    issuer = claims.get("iss", "")
    if not isinstance(issuer, str) or len(issuer) > ISSUER_CHARACTERS_MAX or not issuer.isprintable():
        raise AuthError("iss is malformed")
    if rules.issuers and issuer not in rules.issuers:
        raise AuthError("iss is another")
    _check_audience(claims, rules.audiences)
    kind = claims.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _CLAIM_TYPES:
        raise AuthError("the claim typ is not that of an access token")
    if claims.get("token_use", "access") != "access":
        raise AuthError("token_use is not access")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_subject(subject):
        raise AuthError("sub is missing or malformed")
    return Principal(issuer, subject, expires_at)


def _check_times(claims: dict[str, Json], rules: ClaimRules, now_seconds: float) -> int:
    leeway = rules.leeway_seconds
    expires_at = _seconds(claims, "exp")
    if expires_at is None:
        raise AuthError("exp is missing")
    if expires_at <= now_seconds - leeway:
        raise AuthError("it is expired")
    not_before, issued_at = _seconds(claims, "nbf"), _seconds(claims, "iat")
    if not_before is not None and not_before > now_seconds + leeway:
        raise AuthError("nbf is in the future")
    if issued_at is not None and issued_at > now_seconds + leeway:
        raise AuthError("iat is in the future")
    if expires_at - now_seconds > rules.lifetime_max_seconds + leeway:
        raise AuthError("it lives too long")
    if issued_at is not None and not 0 <= expires_at - issued_at <= rules.lifetime_max_seconds:
        raise AuthError("it lives too long")
    return expires_at


def _check_audience(claims: dict[str, Json], audiences: frozenset[str]) -> None:
    if not audiences:
        return
    claimed = claims.get("aud")
    listed = claimed if isinstance(claimed, list) else [claimed]
    if len(listed) > AUDIENCES_MAX or not any(isinstance(one, str) and one in audiences for one in listed):
        raise AuthError("aud is another")


def _seconds(claims: dict[str, Json], name: str) -> int | None:
    """A whole number of seconds; `true` is an int to Python and a float loses its end, so both are refused."""
    if name not in claims:
        return None
    value = claims[name]
    if type(value) is not int or not 0 <= value <= SECONDS_MAX:
        raise AuthError(f"{name} is not a whole number of seconds")
    return value


def _well_formed(value: object, pattern: re.Pattern[str], characters_max: int) -> bool:
    return isinstance(value, str) and len(value) <= characters_max and pattern.fullmatch(value) is not None


def _object(data: bytes, name: str) -> dict[str, Json]:
    try:
        return parse_object(data)
    except MalformedJson:
        raise AuthError(f"the {name} is not strict JSON") from None


def _decode(segment: bytes) -> bytes:
    if _SEGMENT.fullmatch(segment) is None:
        raise AuthError("a part is not base64url")
    try:
        data = base64.urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        raise AuthError("a part is not base64url") from None
    # Unused bits in the last character would give one signature many spellings.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != segment:
        raise AuthError("a part is not canonical base64url")
    return data
