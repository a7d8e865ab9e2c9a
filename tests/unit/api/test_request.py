"""Fingerprints, query parameters, header lists: the small readers, each held to its rule."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.auth.tokens import AuthError
from api.http.headers import SECURITY, Cors, complete
from api.http.query import integer, parse_query, refuse_unknown
from api.http.request import Call, call_of, fingerprint, single_headers
from api.problems import Refused

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)
_objects = st.dictionaries(st.text(max_size=4), _json, max_size=5)


def _shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key]) for key in reversed(value)}
    return [_shuffled(item) for item in value] if isinstance(value, list) else value


@given(_objects)
def test_the_order_of_keys_does_not_change_a_fingerprint(body: dict[str, Any]) -> None:
    assert fingerprint("POST", "/a", body) == fingerprint("POST", "/a", _shuffled(body))


@given(_objects, _objects)
def test_other_bodies_have_other_fingerprints(one: dict[str, Any], two: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    assert (fingerprint("POST", "/a", one) == fingerprint("POST", "/a", two)) is same


def test_method_and_path_are_part_of_a_fingerprint() -> None:
    call = Call("r", "POST", "/a", body={"x": 1})
    others = [fingerprint("PUT", "/a", {"x": 1}), fingerprint("POST", "/b", {"x": 1}), fingerprint("POST", "/a", b"{}")]
    assert call.fingerprint() == fingerprint("POST", "/a", {"x": 1})
    assert len({call.fingerprint(), *others}) == 4
    assert len(call.fingerprint()) == 32


def test_a_call_without_a_user_says_so_when_asked() -> None:
    with pytest.raises(AuthError):
        Call("r", "GET", "/").user()


def test_a_call_is_found_in_a_scope() -> None:
    call = Call("r", "GET", "/")
    assert call_of({"state": {"call": call}}) is call


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=6))
def test_a_query_is_read_as_it_was_written(query: dict[str, str]) -> None:
    raw = urlencode(query).encode()
    if any("\0" in text for pair in query.items() for text in pair):
        with pytest.raises(Refused):
            parse_query(raw)
    else:
        assert parse_query(raw) == query


@given(st.binary(max_size=60))
def test_no_query_causes_anything_but_a_refusal(raw: bytes) -> None:
    try:
        query = parse_query(raw)
    except Refused:
        return
    assert all("\0" not in name + value for name, value in query.items())


@pytest.mark.parametrize(
    "raw",
    [b"a=1&a=2", b"a=1&%61=1", b"a=%", b"a=%zz", b"a=%ff", b"a=%00", b"&".join([b"a=1"] * 40), b"a=" + b"x" * 9_000],
)
def test_a_query_that_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(Refused) as caught:
        parse_query(raw)
    assert (caught.value.problem.status, caught.value.problem.code) == (400, "invalid_query")


@pytest.mark.parametrize("text", ["0", "501", "-1", "+1", "1e3", "1.0", "٣", " 1", "", "0x1", "1_0", "9" * 5_000])
def test_an_integer_is_plain_digits_within_bounds(text: str) -> None:
    with pytest.raises(Refused) as caught:
        integer({"limit": text}, "limit", minimum=1, maximum=500)
    assert [error.pointer for error in caught.value.problem.errors] == ["limit"]


def test_an_integer_may_be_left_out_or_stand_at_its_bounds() -> None:
    assert integer({}, "limit", default=50) == 50
    assert [integer({"n": text}, "n", minimum=1, maximum=500) for text in ("1", "500", "007")] == [1, 500, 7]


def test_the_name_of_an_unknown_parameter_is_shown_only_when_it_is_a_plain_word() -> None:
    for name, shown in (("limt", "limt"), ("x" * 65, ""), ("a\nb", "")):
        with pytest.raises(Refused) as caught:
            refuse_unknown(parse_query(quote(name).encode() + b"=1"), ["limit"])
        assert caught.value.problem.errors[0].pointer == shown


def test_headers_that_stand_twice_are_known() -> None:
    headers, repeated = single_headers([(b"a", b"1"), (b"b", b"2"), (b"a", b"3")])
    assert (headers, set(repeated)) == ({b"a": b"3", b"b": b"2"}, {b"a"})
    assert not single_headers([(b"a", b"1")])[1]


def test_what_a_handler_says_about_a_header_wins() -> None:
    given = [(b"content-security-policy", b"default-src 'self'"), (b"etag", b'"1"')]
    headers = complete(given, [(b"x-request-id", b"r")], secure=False)
    assert len({name for name, _ in headers}) == len(headers) == len(SECURITY) + 3
    found = dict(headers)
    assert found[b"content-security-policy"] == b"default-src 'self'"
    assert found[b"cache-control"] == b"private, no-cache"


def test_any_origin_may_be_allowed_on_purpose() -> None:
    cors = Cors(["*"])
    assert dict(cors.headers(b"https://anywhere"))[b"access-control-allow-origin"] == b"https://anywhere"
    assert Cors().headers(b"https://anywhere") == ()
    assert Cors(["https://a/", " "]).allows(b"https://a")
