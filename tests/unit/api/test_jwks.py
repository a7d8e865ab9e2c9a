"""Key sets over HTTP: rotation, floods of unknown ids, an issuer that is away or talks nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.auth.authenticator import Authenticator, AuthError, KeysUnavailable, TrustedIssuer, authenticator_from_settings
from api.auth.jwks import DOCUMENT_BYTES_MAX, JwksKeys, read_key_set
from api.auth.token_keys import UnusableKey
from api.auth.tokens import ClaimRules
from infra.clock import ManualClock
from infra.settings import Settings, SettingsError
from tests.support import token_maker as maker

NOW = 1_750_000_000
URL = "https://issuer/keys"
CLAIMS = {"sub": "u1", "exp": NOW + 80_000, "iss": "https://issuer"}


class Issuer:
    """Answers with `keys`, or with whatever `answer` says; counts how often it was asked."""

    def __init__(self) -> None:
        self.keys = [maker.jwk_of(maker.private_key("rsa"), "k0")]
        self.answer: Any = None
        self.asked: list[str] = []
        self.wait: asyncio.Event | None = None
        self.is_asked = asyncio.Event()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        self.is_asked.set()
        if self.wait is not None:
            await self.wait.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return answer(*self.answer) if self.answer else answer(200, json.dumps({"keys": self.keys}).encode())


def answer(status: int, content: bytes = b"", headers: dict[str, str] | None = None) -> httpx.Response:
    """As a stream, the way that real ones come."""
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW * 1000)


@pytest.fixture
async def http(issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(issuer)) as client:
        yield client


@pytest.fixture
def keys(http: httpx.AsyncClient, clock: ManualClock) -> JwksKeys:
    return JwksKeys(URL, http, clock)


async def test_many_callers_share_one_fetch(keys: JwksKeys, issuer: Issuer) -> None:
    found = await asyncio.gather(*[keys.find("RS256", "k0") for _ in range(50)])
    assert len({id(key) for key in found}) == 1
    assert issuer.asked == [URL]


async def test_a_caller_that_leaves_does_not_end_the_fetch_for_the_others(keys: JwksKeys, issuer: Issuer) -> None:
    issuer.wait = asyncio.Event()
    first, second = (asyncio.create_task(keys.find("RS256", "k0")) for _ in range(2))
    await issuer.is_asked.wait()
    first.cancel()
    issuer.wait.set()
    assert (await second).algorithm == "RS256"
    assert issuer.asked == [URL]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_new_key_is_found_when_a_token_names_it(keys: JwksKeys, issuer: Issuer, clock: ManualClock) -> None:
    await keys.find("RS256", "k0")
    issuer.keys = [maker.jwk_of(maker.private_key("ec"), "k1")]
    clock.advance(11)
    assert (await keys.find("ES256", "k1")).algorithm == "ES256"
    with pytest.raises(AuthError, match="kid is unknown"):
        await keys.find("RS256", "k0")
    assert len(issuer.asked) == 2


async def test_a_flood_of_unknown_ids_asks_the_issuer_once_in_ten_seconds(
    keys: JwksKeys, issuer: Issuer, clock: ManualClock
) -> None:
    await keys.find("RS256", "k0")
    for second in range(31):
        for number in range(20):
            with pytest.raises(AuthError):
                await keys.find("RS256", f"no-{second}-{number}")
        clock.advance(1)
    assert len(issuer.asked) == 1 + 3


async def test_old_keys_are_used_while_new_ones_are_fetched(keys: JwksKeys, issuer: Issuer, clock: ManualClock) -> None:
    await keys.find("RS256", "k0")
    clock.advance(301)
    issuer.wait, issuer.is_asked = asyncio.Event(), asyncio.Event()
    assert await keys.find("RS256", "k0")
    await issuer.is_asked.wait()
    issuer.wait.set()
    await keys.aclose()


NONSENSE: dict[str, Any] = {
    "no connection": httpx.ConnectError("x"),
    "no answer": httpx.ReadTimeout("x"),
    "500": (500, b"{}"),
    "a redirect": (302, b"", {"location": "http://169.254.169.254/"}),
    "HTML": (200, b"<html>"),
    "an array": (200, b"[]"),
    "no keys": (200, b'{"keys": []}'),
    "keys of a kind that is not taken": (200, b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "k0"}]}'),
    "too much": (200, b'{"keys": [' + b" " * DOCUMENT_BYTES_MAX + b"]}"),
    "a bomb": (200, b"\x1f\x8b\x08", {"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("name", NONSENSE)
async def test_without_any_key_the_answer_is_that_nobody_can_be_judged(
    keys: JwksKeys, issuer: Issuer, clock: ManualClock, name: str
) -> None:
    issuer.answer = NONSENSE[name]
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            await keys.find("RS256", "k0")
    assert issuer.asked == [URL]
    issuer.answer = None
    clock.advance(1)
    assert await keys.find("RS256", "k0")


@pytest.mark.parametrize("name", NONSENSE)
async def test_old_keys_outlive_an_issuer_that_fails_for_a_day_and_no_longer(
    keys: JwksKeys, issuer: Issuer, clock: ManualClock, name: str
) -> None:
    await keys.find("RS256", "k0")
    issuer.answer = NONSENSE[name]
    clock.advance(86_399)
    assert await keys.find("RS256", "k0")
    clock.advance(30)
    with pytest.raises(KeysUnavailable):
        await keys.find("RS256", "k0")


async def test_a_token_without_kid_is_judged_when_there_is_one_key_only(
    keys: JwksKeys, issuer: Issuer, clock: ManualClock
) -> None:
    assert await keys.find("RS256", None)
    issuer.keys.append(maker.jwk_of(maker.private_key("ec"), "k1"))
    clock.advance(301)
    await keys.find("RS256", "k0")
    with pytest.raises(AuthError):
        for _ in range(100):
            await asyncio.sleep(0)
            await keys.find("RS256", None)


def test_only_usable_keys_of_a_set_are_kept_and_the_first_of_two_with_one_id() -> None:
    good, other = maker.jwk_of(maker.private_key("rsa"), "k0"), maker.jwk_of(maker.private_key("ec"), "k0")
    mixed = [
        None,
        {},
        {"kty": "oct"},
        {**good, "kid": 7},
        good,
        other,
        maker.jwk_of(maker.private_key("ed25519"), "k2"),
    ]
    kept = read_key_set(json.dumps({"keys": mixed}).encode())
    assert {name: key.algorithm for name, key in kept.items()} == {"k0": "RS256", "k2": "EdDSA"}
    with pytest.raises(UnusableKey):
        read_key_set(b'{"keys": {}}')


@pytest.mark.parametrize("url", ["http://issuer/keys", "file:///etc/passwd", "ftp://x", "issuer", ""])
async def test_keys_come_over_tls_or_from_this_machine(url: str, http: httpx.AsyncClient, clock: ManualClock) -> None:
    with pytest.raises(ValueError, match="must be https"):
        JwksKeys(url, http, clock)
    JwksKeys("http://127.0.0.1:9/keys", http, clock)


async def test_with_several_issuers_each_is_judged_by_its_own_keys(http: httpx.AsyncClient, clock: ManualClock) -> None:
    sets = {
        "https://a/keys": [maker.jwk_of(maker.private_key("rsa"), "k")],
        "https://b/keys": [maker.jwk_of(maker.private_key("rsa", 1), "k")],
    }

    async def both(request: httpx.Request) -> httpx.Response:
        return answer(200, json.dumps({"keys": sets[str(request.url)]}).encode())

    async with httpx.AsyncClient(transport=httpx.MockTransport(both)) as client:
        by = Authenticator(
            [
                TrustedIssuer(JwksKeys(f"{name}/keys", client, clock), ClaimRules(issuers=frozenset({name})))
                for name in ("https://a", "https://b")
            ],
            clock,
        )
        header = {"kid": "k"}
        for name, number in (("https://a", 0), ("https://b", 1)):
            good = maker.make("RS256", {**CLAIMS, "iss": name}, header=header, number=number)
            assert (await by.verify(good)).issuer == name
            with pytest.raises(AuthError, match="signature"):
                await by.verify(maker.make("RS256", {**CLAIMS, "iss": name}, header=header, number=1 - number))
        with pytest.raises(AuthError, match="iss is not trusted"):
            await by.verify(maker.make("RS256", {**CLAIMS, "iss": "https://c"}, header=header))


async def test_accesss_header_is_read_in_mode_jwks_where_there_is_no_other(
    http: httpx.AsyncClient, clock: ManualClock
) -> None:
    settings = Settings(auth_mode="jwks", auth_jwks_url=(URL,), auth_issuer=("https://issuer",))
    by = authenticator_from_settings(settings, clock, http)
    assert by.token_of({b"cf-access-jwt-assertion": b"a.b.c"}, ()) == b"a.b.c"
    assert by.token_of({b"cf-access-jwt-assertion": b"a.b.c", b"authorization": b"Bearer d.e.f"}, ()) == b"d.e.f"
    assert await by.verify(maker.make("RS256", CLAIMS, header={"kid": "k0"}))
    await by.aclose()


def _settings(**changes: Any) -> Settings:
    return Settings(**{"auth_dev_secret": "x", **changes})


async def test_settings_that_can_not_be_kept_safely_stop_the_start(http: httpx.AsyncClient, clock: ManualClock) -> None:
    bad: list[dict[str, Any]] = [
        {"auth_dev_secret": ""},
        {"auth_mode": "static", "auth_pem": "-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----"},
        {"auth_mode": "static", "auth_pem": "/no/such/file"},
        {"auth_mode": "jwks", "auth_jwks_url": ("http://issuer/keys",), "auth_issuer": ("i",)},
        {"auth_mode": "jwks", "auth_jwks_url": (URL, URL), "auth_issuer": ("i", "i")},
    ]
    for changes in bad:
        with pytest.raises(SettingsError):
            authenticator_from_settings(_settings(**changes), clock, http)
    for host in ("0.0.0.0", "192.168.1.2", "example.com", "::"):
        with pytest.raises(SettingsError):
            authenticator_from_settings(_settings(host=host), clock, http)
    assert authenticator_from_settings(_settings(host="127.0.0.1"), clock, http)
    pem = maker.public_pem(maker.private_key("ec")).replace("\n", "\\n")
    assert authenticator_from_settings(_settings(auth_mode="static", auth_pem=pem, host="0.0.0.0"), clock, http)
