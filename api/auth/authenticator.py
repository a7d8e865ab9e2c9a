"""Who calls: the token's carrier, the verifier and its cache, and the service token of internal routes.

Raises only `AuthError`. Tokens are never read from a URL, logged or kept; the cache knows their SHA-256.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import httpx

from api.auth.jwks import FixedKey, JwksKeys, KeySource
from api.auth.token_keys import pem_key, secret_key
from api.auth.tokens import AuthError, ClaimRules, KeysUnavailable, Principal, claimed_issuer, read_claims, take_apart
from domain.ports import Clock
from infra.settings import Settings, SettingsError, is_loopback

__all__ = ["AuthError", "Authenticator", "KeysUnavailable", "Principal", "TrustedIssuer", "authenticator_from_settings"]

CACHE_ENTRIES_MAX = 10_000
CACHE_SECONDS_MAX = 60.0

_ACCESS_ASSERTION = b"cf-access-jwt-assertion"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Where the keys of one issuer come from and what its tokens must claim."""

    keys: KeySource
    rules: ClaimRules


class Authenticator:
    """Believes tokens of `issuers`; with several, each needs `rules.issuers` of its own.

    `access_assertion` reads Cloudflare Access's header where there is no Authorization. `service_token` opens internal
    routes and nothing else; None closes them.
    """

    def __init__(
        self,
        issuers: Sequence[TrustedIssuer],
        clock: Clock,
        *,
        access_assertion: bool = False,
        service_token: str | None = None,
    ) -> None:
        if not issuers or (len(issuers) > 1 and not all(trusted.rules.issuers for trusted in issuers)):
            raise ValueError("Several key sets need an issuer each.")
        self._issuers = tuple(issuers)
        self._clock = clock
        self._access_assertion = access_assertion
        self._service_token = service_token.encode() if service_token else None
        self._believed: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    def token_of(self, headers: Mapping[bytes, bytes], repeated: Collection[bytes]) -> bytes:
        """The token that the request carries, unread."""
        if b"authorization" in repeated or _ACCESS_ASSERTION in repeated:
            raise AuthError("there are two tokens")
        header = headers.get(b"authorization")
        if header is None:
            assertion = headers.get(_ACCESS_ASSERTION) if self._access_assertion else None
            if assertion is None:
                raise AuthError("there is no token")
            return assertion
        if header[:7].lower() != b"bearer ":
            raise AuthError("the Authorization header is no bearer token")
        return header[7:].lstrip(b" ")

    def believed(self, token: bytes) -> Principal | None:
        """The principal of a token that was verified in the last minute and is still good."""
        found = self._believed.get(digest := hashlib.sha256(token).digest())
        if found is None:
            return None
        if self._now_seconds() >= found[1]:
            del self._believed[digest]
            return None
        self._believed.move_to_end(digest)
        return found[0]

    async def verify(self, token: bytes) -> Principal:
        """The principal of `token`, or `AuthError`; whatever else a hostile token can cause becomes one."""
        try:
            principal = await self._verify(token)
        except AuthError:
            raise
        except (ValueError, TypeError, ArithmeticError, LookupError, RecursionError, NotImplementedError):
            raise AuthError("the token can't be read") from None
        until = min(principal.expires_at, self._now_seconds() + CACHE_SECONDS_MAX)
        self._believed[hashlib.sha256(token).digest()] = (principal, until)
        while len(self._believed) > CACHE_ENTRIES_MAX:
            self._believed.popitem(last=False)
        return principal

    def is_service(self, token: bytes) -> bool:
        """Whether this is the service token; takes the same time for any that is not."""
        expected = self._service_token
        return expected is not None and hmac.compare_digest(token, expected)

    async def _verify(self, token: bytes) -> Principal:
        unverified = take_apart(token)
        trusted = self._issuers[0]
        if len(self._issuers) > 1:
            claimed = claimed_issuer(unverified.payload)
            trusted = next((one for one in self._issuers if claimed in one.rules.issuers), None) or _stranger()
        key = await trusted.keys.find(unverified.algorithm, unverified.key_id)
        if not key.verifies(unverified.signed, unverified.signature):
            raise AuthError("the signature is wrong")
        return read_claims(unverified.payload, trusted.rules, now_seconds=self._now_seconds())

    def _now_seconds(self) -> float:
        return self._clock.now_ms() / 1000

    async def aclose(self) -> None:
        for trusted in self._issuers:
            if isinstance(trusted.keys, JwksKeys):
                await trusted.keys.aclose()


def _stranger() -> TrustedIssuer:
    raise AuthError("iss is not trusted")


def authenticator_from_settings(settings: Settings, clock: Clock, http: httpx.AsyncClient) -> Authenticator:
    """Raises `SettingsError` with a sentence for the operator when the settings can't be kept safely."""
    rules = ClaimRules(
        issuers=frozenset(settings.auth_issuer),
        audiences=frozenset(settings.auth_audience),
        lifetime_max_seconds=settings.auth_lifetime_max_seconds,
    )
    try:
        if settings.auth_mode == "dev":
            if not is_loopback(settings.host):
                raise ValueError("MICROCOS_AUTH_MODE=dev serves loopback only: its key is on this machine's disk.")
            issuers = [TrustedIssuer(FixedKey(secret_key(settings.auth_dev_secret)), rules)]
        elif settings.auth_mode == "static":
            issuers = [TrustedIssuer(FixedKey(pem_key(settings.auth_pem_text())), rules)]
        else:
            issuers = _jwks_issuers(settings, rules, clock, http)
        return Authenticator(
            issuers,
            clock,
            access_assertion=settings.auth_mode == "jwks",
            service_token=settings.service_token or None,
        )
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _jwks_issuers(settings: Settings, rules: ClaimRules, clock: Clock, http: httpx.AsyncClient) -> list[TrustedIssuer]:
    """The n-th key set signs for the n-th issuer and for no other."""
    names = settings.auth_issuer
    if len(names) != len(settings.auth_jwks_url) or len(set(names)) != len(names):
        raise ValueError("MICROCOS_AUTH_ISSUER needs one issuer for each of MICROCOS_AUTH_JWKS_URL, in their order.")
    return [
        TrustedIssuer(JwksKeys(url, http, clock), replace(rules, issuers=frozenset((name,))))
        for url, name in zip(settings.auth_jwks_url, names, strict=True)
    ]
