"""Hostile tokens: rows 83 to 104 of the catalogue, and anything a fuzzer can think of. All end in `AuthError`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.authenticator import Authenticator, AuthError, TrustedIssuer
from api.auth.jwks import FixedKey
from api.auth.token_keys import Key, UnusableKey, jwk_key, pem_key, secret_key
from api.auth.tokens import SECONDS_MAX, ClaimRules, Principal, take_apart
from infra.clock import ManualClock
from tests.support import token_maker as maker

NOW = 1_750_000_000
SECRET = "the secret that everybody here knows"
CLAIMS: dict[str, Any] = {"sub": "u1", "exp": NOW + 600, "iat": NOW - 10, "iss": "https://issuer", "aud": "microcos"}
RULES = ClaimRules(issuers=frozenset({"https://issuer"}), audiences=frozenset({"microcos"}))


def judge(key: Key, rules: ClaimRules | None = None, clock: ManualClock | None = None) -> Authenticator:
    return Authenticator([TrustedIssuer(FixedKey(key), rules or ClaimRules())], clock or ManualClock(NOW * 1000))


DEV = judge(secret_key(SECRET), RULES)
RSA = judge(pem_key(maker.public_pem(maker.private_key("rsa"))), RULES)


def signed(claims: dict[str, Any] | bytes, header: dict[str, Any] | bytes | None = None) -> bytes:
    """By the development secret, whatever the claims and the header are."""
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    raw_head = head if isinstance(head, bytes) else json.dumps(head).encode()
    raw_claims = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return maker.assemble(raw_head, raw_claims, maker.hs256(SECRET))


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}


async def refusal(token: bytes, by: Authenticator = DEV) -> str:
    with pytest.raises(AuthError) as caught:
        await by.verify(token)
    assert by.believed(token) is None
    return str(caught.value)


@pytest.mark.parametrize("algorithm", maker.ALGORITHMS)
async def test_a_good_token_of_each_algorithm_is_believed(algorithm: str) -> None:
    by = judge(pem_key(maker.public_pem(maker.private_key(maker.ALGORITHMS[algorithm]))), RULES)
    token = maker.make(algorithm, CLAIMS)
    assert await by.verify(token) == Principal("https://issuer", "u1", NOW + 600)
    assert by.believed(token) is not None


async def test_for_development_sub_and_exp_are_enough() -> None:
    by = judge(secret_key("short"))
    token = maker.assemble(b'{"alg":"HS256"}', json.dumps({"sub": "u1", "exp": NOW + 9}).encode(), maker.hs256("short"))
    assert await by.verify(token) == Principal("", "u1", NOW + 9)


GOOD_CLAIMS: dict[str, dict[str, Any]] = {
    "as they are": {},
    "no iat": {"iat": ...},
    "audience in a list": {"aud": ["x", "microcos"]},
    "just expired": {"exp": NOW - 9},
    "issued a little ahead": {"iat": NOW + 9},
    "valid a little ahead": {"nbf": NOW + 10},
    "the longest life": {"exp": NOW + 86_400, "iat": NOW},
    "a bearer token of Keycloak": {"typ": "Bearer"},
    "an access token of Cognito": {"token_use": "access"},
    "Auth0": {"sub": "google-oauth2|1034"},
    "e-mail": {"sub": "a.b+c@example.com"},
    "128 characters": {"sub": "x" * 128},
    "unknown claims": {"roles": ["a"], "nonce": "x", "sid": None},
}


@pytest.mark.parametrize("name", GOOD_CLAIMS)
async def test_claims_that_are_fine_are_believed(name: str) -> None:
    assert await DEV.verify(signed(changed(**GOOD_CLAIMS[name])))


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 10},
    "no exp": {"exp": ...},
    "exp null": {"exp": None},
    "exp as a string": {"exp": str(NOW + 600)},
    "exp as a float": {"exp": NOW + 600.5},
    "exp as a whole float": {"exp": float(NOW + 600)},
    "exp 1e308": {"exp": 1e308},
    "exp true": {"exp": True},
    "exp negative": {"exp": -1},
    "exp far": {"exp": SECONDS_MAX + 1},
    "exp a list": {"exp": [NOW + 600]},
    "nbf in the future": {"nbf": NOW + 11},
    "nbf as a string": {"nbf": "0"},
    "iat in the future": {"iat": NOW + 11},
    "iat true": {"iat": True},
    "iat negative": {"iat": -1},
    "iat as a float": {"iat": 1.5},
    "life too long": {"exp": NOW + 86_400, "iat": NOW - 1},
    "life too long without iat": {"exp": NOW + 86_411, "iat": ...},
    "issued after its end": {"exp": NOW + 1, "iat": NOW + 5},
    "no iss": {"iss": ...},
    "another iss": {"iss": "https://evil"},
    "iss as a list": {"iss": ["https://issuer"]},
    "iss null": {"iss": None},
    "no aud": {"aud": ...},
    "another aud": {"aud": "other"},
    "aud without ours": {"aud": ["x", "y"]},
    "aud with numbers": {"aud": [1, None]},
    "aud as an object": {"aud": {"microcos": 1}},
    "aud without end": {"aud": ["microcos"] * 101},
    "no sub": {"sub": ...},
    "sub empty": {"sub": ""},
    "sub null": {"sub": None},
    "sub a number": {"sub": 1},
    "sub NUL": {"sub": "u1\0"},
    "sub of 129 characters": {"sub": "x" * 129},
    "sub of 100 kB": {"sub": "x" * 9_000},
    "sub a path": {"sub": "../../u2"},
    "sub with a space at its end": {"sub": "u1 "},
    "sub with a line end": {"sub": "u1\n"},
    "sub with digits of another script": {"sub": "u٣"},
    "sub with a slash": {"sub": "00/u1"},
    "an ID token": {"typ": "ID"},
    "a refresh token": {"typ": "Refresh"},
    "an ID token of Cognito": {"token_use": "id"},
    "typ a list": {"typ": ["Bearer"]},
}


@pytest.mark.parametrize("name", BAD_CLAIMS)
async def test_claims_that_are_not_strictly_right_are_refused(name: str) -> None:
    await refusal(signed(changed(**BAD_CLAIMS[name])))


@pytest.mark.parametrize("issuer", ["x" * 513, "a\nb", "a\0b"])
async def test_an_issuer_that_is_not_checked_must_be_plain_nonetheless(issuer: str) -> None:
    await refusal(signed({"sub": "u1", "exp": NOW + 9, "iss": issuer}), judge(secret_key(SECRET)))


BAD_HEADERS: dict[str, dict[str, Any] | bytes] = {
    "no alg": {"typ": "JWT"},
    "alg none": {"alg": "none"},
    "alg None": {"alg": "None"},
    "alg null": {"alg": None},
    "alg a list": {"alg": ["HS256"]},
    "alg in lower case": {"alg": "hs256"},
    "another alg": {"alg": "HS512"},
    "asymmetric alg": {"alg": "RS256"},
    "kid a path": {"alg": "HS256", "kid": "../../../dev/null"},
    "kid an absolute path": {"alg": "HS256", "kid": "/dev/null"},
    "kid an object": {"alg": "HS256", "kid": {"a": 1}},
    "kid a number": {"alg": "HS256", "kid": 7},
    "kid empty": {"alg": "HS256", "kid": ""},
    "kid with a quote": {"alg": "HS256", "kid": "' OR 1=1"},
    "kid very long": {"alg": "HS256", "kid": "k" * 257},
    "crit": {"alg": "HS256", "crit": ["exp"]},
    "crit empty": {"alg": "HS256", "crit": []},
    "b64 false": {"alg": "HS256", "b64": False},
    "zip": {"alg": "HS256", "zip": "DEF"},
    "jwk": {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}},
    "jku": {"alg": "HS256", "jku": "https://evil/keys"},
    "x5u": {"alg": "HS256", "x5u": "https://evil/cert"},
    "x5c": {"alg": "HS256", "x5c": ["AAAA"]},
    "an ID token": {"alg": "HS256", "typ": "id+jwt"},
    "a logout token": {"alg": "HS256", "typ": "logout+jwt"},
    "typ a number": {"alg": "HS256", "typ": 1},
    "not JSON": b"{",
    "an array": b"[]",
    "alg twice": b'{"alg": "none", "alg": "HS256"}',
    "deep": b'{"alg": "HS256", "x": ' + b"[" * 2_000 + b"]" * 2_000 + b"}",
}


@pytest.mark.parametrize("name", BAD_HEADERS)
async def test_headers_that_ask_for_another_way_of_checking_are_refused(name: str) -> None:
    await refusal(signed(CLAIMS, BAD_HEADERS[name]))


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
async def test_access_tokens_may_say_so_or_say_nothing(kind: str | None) -> None:
    header = {"alg": "HS256", "kid": "a+b/c=", **({"typ": kind} if kind else {})}
    assert await DEV.verify(signed(CLAIMS, header))


BAD_PAYLOADS = {
    "sub twice": b'{"sub": "u1", "sub": "u2", "exp": %d}' % (NOW + 9),
    "exp of 400 digits": b'{"sub": "u1", "exp": ' + b"1" * 401 + b"}",
    "exp NaN": b'{"sub": "u1", "exp": NaN}',
    "exp Infinity": b'{"sub": "u1", "exp": Infinity}',
    "lone surrogate": b'{"sub": "u1", "x": "\\ud800", "exp": %d}' % (NOW + 9),
    "bad UTF-8": b'{"sub": "u1\xff", "exp": %d}' % (NOW + 9),
    "byte order mark": b'\xef\xbb\xbf{"sub": "u1", "exp": %d}' % (NOW + 9),
    "an array": b"[]",
    "a string": b'"u1"',
    "deep": b'{"sub": "u1", "x": ' + b"[" * 1_500 + b"]" * 1_500 + b"}",
    "nothing": b"",
}


@pytest.mark.parametrize("name", BAD_PAYLOADS)
async def test_payloads_that_two_readers_could_read_in_two_ways_are_refused(name: str) -> None:
    await refusal(signed(BAD_PAYLOADS[name]), judge(secret_key(SECRET)))


def _flip_last_bit(token: bytes) -> bytes:
    """Another spelling of the same signature: the last character's unused bits."""
    last = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(token[-1:])
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[last ^ 1 :][:1]


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "two parts": lambda token: token.rpartition(b".")[0],
    "four parts": lambda token: token + b".AAAA",
    "five parts": lambda token: token + b".AAAA.AAAA",
    "no signature": lambda token: token.rpartition(b".")[0] + b".",
    "padding": lambda token: token + b"=",
    "standard base64": lambda token: token.replace(b"-", b"+").replace(b"_", b"/") + b"+",
    "another spelling of the signature": _flip_last_bit,
    "a byte more": lambda token: token + b"A",
    "spaces": lambda token: b" " + token,
    "a line end": lambda token: token + b"\n",
    "not ASCII": lambda token: token + b"\xff",
    "a surrogate in UTF-8": lambda token: token + b"\xed\xa0\x80",
    "1 MB": lambda token: token + b"A" * 1_000_000,
    "another payload": lambda token: b".".join(
        (token.split(b".")[0], maker.encode(json.dumps(changed(sub="u2")).encode()), token.split(b".")[2])
    ),
}


@pytest.mark.parametrize("name", FORMS)
async def test_a_token_that_was_changed_in_any_way_is_refused(name: str) -> None:
    await refusal(FORMS[name](signed(CLAIMS)))


async def test_a_public_key_is_no_shared_secret() -> None:
    """The oldest trick: HS256, signed with the RSA key that everybody may know."""
    pem = maker.public_pem(maker.private_key("rsa"))
    for secret in (pem, pem.strip(), pem.encode("ascii")):
        forged = maker.assemble(b'{"alg":"HS256"}', json.dumps(CLAIMS).encode(), maker.hs256(secret))
        assert await refusal(forged, RSA) == "alg is not that of the key"


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
async def test_a_key_is_tried_with_its_own_algorithm_only(algorithm: str) -> None:
    assert await refusal(maker.make(algorithm, CLAIMS), RSA) == "alg is not that of the key"
    disguised = maker.make(algorithm, CLAIMS, header={"alg": "RS256"})
    assert await refusal(disguised, RSA) == "the signature is wrong"


async def test_another_key_of_the_same_kind_does_not_do() -> None:
    assert await refusal(maker.make("RS256", CLAIMS, number=1), RSA) == "the signature is wrong"


async def test_a_token_is_believed_for_a_minute_at_most_and_never_beyond_its_end() -> None:
    clock = ManualClock(NOW * 1000)
    by = judge(secret_key(SECRET), clock=clock)
    long, short = signed(changed(exp=NOW + 600)), signed(changed(exp=NOW + 5))
    await by.verify(long)
    await by.verify(short)
    clock.advance(4.9)
    assert by.believed(short) is not None
    clock.advance(0.1)
    assert by.believed(short) is None
    clock.advance(54.9)
    assert by.believed(long) is not None
    clock.advance(0.1)
    assert by.believed(long) is None
    assert await by.verify(long)


async def test_only_so_many_tokens_are_remembered_and_the_least_used_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("api.auth.authenticator.CACHE_ENTRIES_MAX", 3)
    by = judge(secret_key(SECRET))
    tokens = [signed(changed(sub=f"u{n}")) for n in range(4)]
    for token in tokens[:3]:
        await by.verify(token)
    assert by.believed(tokens[0])
    await by.verify(tokens[3])
    assert [by.believed(token) is not None for token in tokens] == [True, False, True, True]


def test_keys_that_must_not_verify_are_unusable() -> None:
    for kind in ("rsa-short", "ec-384"):
        with pytest.raises(UnusableKey):
            pem_key(maker.public_pem(maker.private_key(kind)))
        with pytest.raises(UnusableKey):
            jwk_key(maker.jwk_of(maker.private_key(kind)))
    for text in ("", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(UnusableKey):
            pem_key(text)
    good = maker.jwk_of(maker.private_key("rsa"))
    bad_ones: list[dict[str, Any]] = [
        {},
        {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).decode()},
        {**good, "use": "enc"},
        {**good, "key_ops": ["sign"]},
        {**good, "alg": "RS512"},
        {**good, "alg": "HS256"},
        {**good, "n": "!"},
        {**good, "n": 7},
        {"kty": "RSA"},
        {"kty": "OKP", "crv": "X25519", "x": "AAAA"},
        {"kty": ["RSA"]},
    ]
    for jwk in bad_ones:
        with pytest.raises(UnusableKey):
            jwk_key(jwk)


_claim = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers(), max_size=2)
)
_names = st.sampled_from(["sub", "exp", "iat", "nbf", "iss", "aud", "typ", "token_use", "x"])
_header_names = st.sampled_from(["alg", "typ", "kid", "crit", "jku", "b64", "x"])


@given(st.dictionaries(_names, _claim), st.dictionaries(_header_names, _claim))
async def test_no_claims_and_no_header_cause_anything_but_an_auth_error(
    claims: dict[str, Any], header: dict[str, Any]
) -> None:
    try:
        principal = await DEV.verify(signed({**CLAIMS, **claims}, {"alg": "HS256", **header}))
    except AuthError:
        return
    assert principal.issuer == "https://issuer"


@given(st.binary(max_size=80))
async def test_no_bytes_cause_anything_but_an_auth_error(data: bytes) -> None:
    for token in (data, b".".join((maker.encode(data),) * 3), signed(data), signed(CLAIMS, data)):
        await refusal(token)


@given(st.data())
async def test_no_damage_to_a_good_token_goes_unnoticed(data: st.DataObject) -> None:
    good = signed(CLAIMS)
    place = data.draw(st.integers(0, len(good) - 1))
    damaged = good[:place] + data.draw(st.binary(max_size=3)) + good[place + data.draw(st.integers(0, 3)) :]
    if damaged != good:
        await refusal(damaged)


@given(st.binary(max_size=300))
async def test_no_signature_bytes_confuse_a_public_key(signature: bytes) -> None:
    for algorithm, kind in maker.ALGORITHMS.items():
        by = judge(pem_key(maker.public_pem(maker.private_key(kind))), RULES)
        header = json.dumps({"alg": algorithm}).encode()
        await refusal(maker.assemble(header, json.dumps(CLAIMS).encode(), lambda _: signature), by)


def test_taking_apart_keeps_the_bytes_that_were_signed() -> None:
    token = signed(CLAIMS)
    assert token.startswith(take_apart(token).signed + b".")
