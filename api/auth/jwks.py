"""A key set fetched over HTTP and kept fresh. Fetches only the configured address, never one that a token names."""

from __future__ import annotations

import asyncio
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from api.auth.token_keys import Key, UnusableKey, jwk_key
from api.auth.tokens import AuthError, KeysUnavailable
from api.strict_json import MalformedJson, parse_object
from domain.ports import Clock

FRESH_SECONDS = 300.0  # older keys are used, and fetched again beside
USABLE_SECONDS = 86_400.0  # older keys are not used: an issuer away for a day may have revoked them
REFETCH_SECONDS_MIN = 10.0  # whatever key ids strangers send, the issuer is asked no more often than this
RETRY_SECONDS_MIN = 1.0  # while there are no keys at all
FETCH_SECONDS_MAX = 5.0
DOCUMENT_BYTES_MAX = 1_048_576
KEYS_MAX = 100

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class KeySource(Protocol):
    async def find(self, algorithm: str, key_id: str | None) -> Key:
        """The key for a token's `alg` and `kid`; raises `AuthError` when there is none."""
        ...


class FixedKey:
    """One key, known from the settings. A token's `kid` is not looked at, since there is nothing to choose."""

    def __init__(self, key: Key) -> None:
        self._key = key

    async def find(self, algorithm: str, key_id: str | None) -> Key:
        if algorithm != self._key.algorithm:
            raise AuthError("alg is not that of the key")
        return self._key


class JwksKeys:
    """The keys at `url`. Any number of callers share one fetch; `aclose` ends one that is under way.

    Raises `KeysUnavailable` when no keys were ever fetched or the last are older than `USABLE_SECONDS`, and
    `AuthError` for a key that the set does not hold.
    """

    def __init__(self, url: str, http: httpx.AsyncClient, clock: Clock) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError(f"MICROCOS_AUTH_JWKS_URL: {url} must be https.")
        self._url = url
        self._http = http
        self._clock = clock
        self._keys: dict[str | None, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, algorithm: str, key_id: str | None) -> Key:
        age = self._age()
        if age is None or age > USABLE_SECONDS:
            await self._fetch(pause_seconds=RETRY_SECONDS_MIN)
            age = self._age()
            if age is None or age > USABLE_SECONDS:
                raise KeysUnavailable("there are no keys to judge by")
        elif age > FRESH_SECONDS:
            self._start(pause_seconds=REFETCH_SECONDS_MIN)
        key = self._choose(key_id)
        if key is None:
            await self._fetch(pause_seconds=REFETCH_SECONDS_MIN)
            key = self._choose(key_id)
        if key is None:
            raise AuthError("kid is unknown")
        if key.algorithm != algorithm:
            raise AuthError("alg is not that of the key")
        return key

    async def aclose(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _age(self) -> float | None:
        return None if self._fetched_at is None else self._clock.monotonic() - self._fetched_at

    def _choose(self, key_id: str | None) -> Key | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    async def _fetch(self, *, pause_seconds: float) -> None:
        self._start(pause_seconds=pause_seconds)
        if self._fetching is not None:
            # The fetch belongs to all who wait: one that is cancelled must not end it for the others.
            await asyncio.shield(self._fetching)

    def _start(self, *, pause_seconds: float) -> None:
        now = self._clock.monotonic()
        if self._fetching is not None or (self._tried_at is not None and now - self._tried_at < pause_seconds):
            return
        self._tried_at = now
        self._fetching = asyncio.create_task(self._refresh())
        self._fetching.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._fetching = None
        if not task.cancelled():
            task.exception()  # read, so that a failure which nobody waits for is not reported as lost

    async def _refresh(self) -> None:
        """Replace the keys, or keep the old ones when the answer is no usable key set."""
        try:
            async with asyncio.timeout(FETCH_SECONDS_MAX):
                keys = read_key_set(await self._download())
        except (httpx.HTTPError, TimeoutError, MalformedJson, UnusableKey):
            return
        self._keys = keys
        self._fetched_at = self._clock.monotonic()

    async def _download(self) -> bytes:
        data = bytearray()
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with self._http.stream("GET", self._url, headers=headers, follow_redirects=False) as response:
            if response.status_code != 200:
                raise UnusableKey("the issuer does not answer 200")
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > DOCUMENT_BYTES_MAX:
                    raise UnusableKey("the key set is too large")
        return bytes(data)


def read_key_set(data: bytes) -> dict[str | None, Key]:
    """The usable keys of a JWK set by `kid`. Raises `UnusableKey` when there is none: an empty set is a fault."""
    listed = parse_object(data).get("keys")
    if not isinstance(listed, list):
        raise UnusableKey("the key set has no keys")
    keys: dict[str | None, Key] = {}
    for item in listed[:KEYS_MAX]:
        if not isinstance(item, dict):
            continue
        key_id = item.get("kid")
        if key_id is not None and not isinstance(key_id, str):
            continue
        try:
            keys.setdefault(key_id, jwk_key(item))
        except UnusableKey:
            continue
    if not keys:
        raise UnusableKey("the key set has no key that is accepted")
    return keys
