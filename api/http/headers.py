"""Headers that every answer carries, and who else's pages may read it. Header-only auth, so no credentials mode."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_Pair = tuple[bytes, bytes]

SECURITY: tuple[_Pair, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_TRANSPORT_SECURITY = (b"strict-transport-security", b"max-age=31536000")
_NOT_STORED = (b"cache-control", b"no-store")
_REVALIDATED = (b"cache-control", b"private, no-cache")

_ALLOWED_METHODS = b"GET, POST, PUT, PATCH, DELETE"
_ALLOWED_HEADERS = b"authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, x-request-id"
_EXPOSED_HEADERS = b"etag, retry-after, www-authenticate, x-request-id, x-stream-version"
_PREFLIGHT_SECONDS = b"600"


def complete(given: Iterable[_Pair], extra: Iterable[_Pair], *, secure: bool) -> list[_Pair]:
    """`given` with `extra` and whatever of the security headers it does not set itself."""
    headers = [*given, *extra]
    names = {name for name, _ in headers}
    for pair in SECURITY:
        if pair[0] not in names:
            headers.append(pair)
    if b"cache-control" not in names:
        headers.append(_REVALIDATED if b"etag" in names else _NOT_STORED)
    if secure:
        headers.append(_TRANSPORT_SECURITY)
    return headers


def is_secure(scheme: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client came over TLS, here or at a proxy; it decides only about HSTS."""
    return scheme in ("https", "wss") or headers.get(b"x-forwarded-proto") == b"https"


class Cors:
    """`origins` as browsers send them (`https://app.example`); `*` means any; none by default."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(origin.strip().rstrip("/").encode() for origin in origins if origin.strip())
        self._any = b"*" in self._origins

    def allows(self, origin: bytes) -> bool:
        return self._any or origin in self._origins

    def allows_socket(self, origin: bytes, host: bytes) -> bool:
        """Browsers do not apply CORS to WebSockets, so the server must: the page's own origin or a listed one."""
        return self.allows(origin) or origin.partition(b"://")[2] == host

    def headers(self, origin: bytes | None) -> tuple[_Pair, ...]:
        """For any answer; `vary` without an origin too, or a cache gives one page's answer to another."""
        if not self._origins:
            return ()
        if origin is None or not self.allows(origin):
            return ((b"vary", b"origin"),)
        return (
            (b"vary", b"origin"),
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
            (b"cross-origin-resource-policy", b"cross-origin"),
        )

    def preflight(self, origin: bytes | None) -> tuple[_Pair, ...]:
        """For the answer to a preflight; without the right to ask there is nothing but the answer."""
        if origin is None or not self.allows(origin):
            return ()
        return (
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _PREFLIGHT_SECONDS),
        )
