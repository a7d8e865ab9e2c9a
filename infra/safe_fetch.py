"""Fetching a file from an address that a user gave, so that it reaches the public internet and nothing else.

https on its usual port, no credentials. A host is resolved once, every address of it must be public, and the
connection goes to the very address that was checked, so a name that resolves otherwise a moment later changes nothing.
A redirect is an address like the first. Time, bytes and kind of the answer are bounded. It knows no proxy, keeps no
cookies, and says nothing about what it found where it must not look.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Literal

import httpx

from infra.audio.facts import AUDIO_BYTES_MAX

URL_CHARACTERS_MAX = 2_048
REDIRECTS_MAX = 3
DEADLINE_SECONDS = 60.0
SILENCE_SECONDS_MAX = 10.0
CONNECT_SECONDS_MAX = 5.0
ADDRESSES_TRIED_MAX = 3

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
FetchErrorCode = Literal[
    "bad_url",  # not such an address as may be fetched at all: refused before anything is sent
    "forbidden_address",  # it leads, now, somewhere private
    "unreachable",
    "timeout",
    "bad_status",
    "too_many_redirects",
    "not_audio",
    "too_large",
]

_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Special blocks that Python's `is_global` lets pass, and IPv6 ways back into IPv4.
_NOT_PUBLIC_4 = (IPv4Network("192.88.99.0/24"), IPv4Network("192.0.0.0/24"))
_NOT_PUBLIC_6 = (
    IPv6Network("2001::/23"),
    IPv6Network("2001:db8::/32"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
)
_NUMBER = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)")
_AUTHORITY_END = re.compile(r"[/?#]")
_LOCAL_NAMES = ("localhost", "local", "internal", "localdomain", "home.arpa")


class FetchError(Exception):
    """`detail` is one sentence for the person who gave the address; it never tells what lies behind it."""

    def __init__(self, code: FetchErrorCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Fetched:
    """`media_type` as the server named it, without parameters: what the bytes are is for `infra.audio` to say."""

    data: bytes
    media_type: str


def is_public(address: Address) -> bool:
    """Whether an address belongs to the internet that anybody can reach."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in net for net in _NOT_PUBLIC_4)
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and address.scope_id is None
        and not any(address in net for net in _NOT_PUBLIC_6)
    )


async def resolve_by_system(host: str, port: int) -> list[str]:
    """Every address of a host. Raises `OSError`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class SafeFetch:
    """`allowed`, `ports` and `ssl_context` are for tests, whose server is on loopback."""

    def __init__(
        self,
        *,
        resolve: Resolve = resolve_by_system,
        allowed: Callable[[Address], bool] = is_public,
        ports: frozenset[int] = frozenset({443}),
        ssl_context: ssl.SSLContext | None = None,
        deadline_seconds: float = DEADLINE_SECONDS,
        silence_seconds: float = SILENCE_SECONDS_MAX,
    ) -> None:
        self._resolve = resolve
        self._allowed = allowed
        self._ports = ports
        self._ssl = ssl_context
        self._deadline_seconds = deadline_seconds
        self._timeout = httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS_MAX)

    def check(self, url: str) -> httpx.URL:
        """What can be said without asking anybody: for whoever takes the address in. Raises `FetchError`."""
        if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable():
            raise _bad_url("it is too long, or has characters that an address has not")
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            raise _bad_url("it is no address") from None
        if parsed.scheme != "https" or not url.lower().startswith("https://"):
            raise _bad_url("it must begin with https://")
        # Asked of the text itself: a parser drops an empty user, and parsers differ about what is one.
        if parsed.userinfo or "@" in _AUTHORITY_END.split(url[8:], maxsplit=1)[0] or "\\" in url:
            raise _bad_url("it must hold no user or password")
        if _port(parsed) not in self._ports:
            raise _bad_url("it must name no port")
        host = parsed.host.rstrip(".").lower()
        if not host or "%" in host or any(host == name or host.endswith(f".{name}") for name in _LOCAL_NAMES):
            raise _bad_url("its host is not one of the internet")
        literal = _literal(host)
        if literal is not None and not self._allowed(literal):
            raise _forbidden()
        return parsed.copy_with(fragment=None)

    async def fetch(self, url: str, *, bytes_max: int = AUDIO_BYTES_MAX) -> Fetched:
        """The whole file. Raises `FetchError`."""
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await self._follow(self.check(url), bytes_max)
        except (TimeoutError, httpx.TimeoutException):
            raise FetchError("timeout", "The address took too long to answer.") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
            raise _unreachable() from error

    async def _follow(self, url: httpx.URL, bytes_max: int) -> Fetched:
        for _ in range(REDIRECTS_MAX + 1):
            got = await self._get(url, bytes_max)
            if isinstance(got, Fetched):
                return got
            url = self.check(str(url.join(got)))
        raise FetchError("too_many_redirects", f"The address redirects more than {REDIRECTS_MAX} times.")

    async def _get(self, url: httpx.URL, bytes_max: int) -> Fetched | str:
        """The file, or where it is said to be."""
        addresses = await self._addresses(url.host, _port(url))
        for address in addresses[:ADDRESSES_TRIED_MAX]:
            try:
                # One connection, one request: nothing is left that the next address could be sent over.
                async with httpx.AsyncHTTPTransport(verify=self._ssl or True, trust_env=False) as transport:
                    response = await transport.handle_async_request(self._request(url, address))
                    try:
                        return await _take(response, bytes_max)
                    finally:
                        await response.aclose()
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        raise _unreachable()

    async def _addresses(self, host: str, port: int) -> list[Address]:
        literal = _literal(host.rstrip(".").lower())
        found = [literal] if literal is not None else [_address(text) for text in await self._resolve(host, port)]
        # One private address among public ones is no accident.
        if not all(self._allowed(address) for address in found):
            raise _forbidden()
        return found

    def _request(self, url: httpx.URL, address: Address) -> httpx.Request:
        """To the address itself; the name goes into Host, and into TLS, which checks the certificate against it."""
        return httpx.Request(
            "GET",
            url.copy_with(host=str(address)),
            headers={
                "host": url.netloc.decode("ascii"),
                "user-agent": "microcos",
                "accept": "audio/*",
                "accept-encoding": "identity",
                "connection": "close",
            },
            extensions={"timeout": self._timeout.as_dict(), "sni_hostname": url.raw_host.decode("ascii").strip("[]")},
        )


async def _take(response: httpx.Response, bytes_max: int) -> Fetched | str:
    if response.status_code in (301, 302, 303, 307, 308):
        return str(response.headers.get("location", ""))
    if response.status_code != 200:
        raise FetchError("bad_status", f"The address answered with status {response.status_code}.")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not media_type.startswith("audio/") or response.headers.get("content-encoding", "identity") != "identity":
        raise FetchError("not_audio", "The address answered with something that is not audio.")
    # Only a number that is one is trusted, and only to refuse early.
    length = response.headers.get("content-length", "")
    data = bytearray()
    if not (length.isdecimal() and int(length[:20]) > bytes_max):
        assert isinstance(response.stream, httpx.AsyncByteStream)
        async for piece in response.stream:
            data += piece
            if len(data) > bytes_max:
                break
        else:
            return Fetched(bytes(data), media_type)
    raise FetchError("too_large", f"Audio may have at most {bytes_max} bytes.")


def _port(url: httpx.URL) -> int:
    return 443 if url.port is None else url.port


def _literal(host: str) -> Address | None:
    """A host that is an address. Raises `FetchError` for the old spellings of one (a single number, octal, hex)."""
    try:
        return _address(host)
    except ValueError:
        pass
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        raise _bad_url("its host is a number")
    return None


def _address(text: str) -> Address:
    address = ip_address(text)
    # A mapped address is reached over IPv4, so it is judged as what it maps.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _bad_url(why: str) -> FetchError:
    return FetchError("bad_url", f"The audio cannot be fetched from this address: {why}.")


def _forbidden() -> FetchError:
    return FetchError("forbidden_address", "The audio cannot be fetched from this address: it is not public.")


def _unreachable() -> FetchError:
    return FetchError("unreachable", "The address cannot be reached.")
