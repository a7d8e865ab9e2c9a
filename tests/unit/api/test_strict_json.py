"""The fast reader of bodies accepts exactly what a slow reader, written after RFC 8259 and our rules, accepts."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.strict_json import DEPTH_MAX, INTEGER_MAX, MalformedJson, parse, parse_object
from tests.support.slow_json import Refused, slow_parse

REFUSED = {
    "nothing": b"",
    "only spaces": b" \n",
    "cut off": b'{"a": [1, 2',
    "trailing junk": b"{} x",
    "two values": b"{}{}",
    "byte order mark": b"\xef\xbb\xbf{}",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "utf-16 without mark": '{"a": 1}'.encode("utf-16-le"),
    "invalid utf-8": b'{"a": "\xff"}',
    "overlong utf-8": b'{"a": "\xc0\xaf"}',
    "surrogate in utf-8": b'{"a": "\xed\xa0\x80"}',
    "lone high surrogate": rb'{"a": "\ud800"}',
    "lone low surrogate": rb'{"a": "\udc00x"}',
    "surrogates in the wrong order": rb'{"a": "\udc00\ud800"}',
    "lone surrogate in a key": rb'{"\uD83D": 1}',
    "raw NUL": b'{"a": "\x00"}',
    "escaped NUL": rb'{"a": "x\u0000"}',
    "escaped NUL in a key": rb'{"\u0000": 1}',
    "escaped NUL deep down": rb'{"a": [{"b": ["\u0000"]}]}',
    "control character": b'{"a": "\x1f"}',
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "float out of range": b'{"a": 1e999}',
    "integer of 400 digits": b'{"a": ' + b"9" * 400 + b"}",
    "integer of 9000 digits": b'{"a": -' + b"9" * 9_000 + b"}",
    "integer of 65 bits": b'{"a": 9223372036854775808}',
    "duplicate key": b'{"a": 1, "a": 1}',
    "duplicate key by escape": rb'{"a": 1, "\u0061": 2}',
    "duplicate key deep down": b'{"a": [{"b": {"c": 1, "d": 2, "c": 1}}]}',
    "trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "comment": b'{"a": 1} // x',
    "form feed as a space": b'{"a":\x0c1}',
    "leading zero": b'{"a": 01}',
    "plus sign": b'{"a": +1}',
    "bare point": b'{"a": 1.}',
    "digits of another script": '{"a": ٣}'.encode(),
    "990 arrays": b"[" * 990 + b"]" * 990,
    "200000 arrays": b"[" * 200_000,
    "200000 objects": b'{"a":' * 200_000,
}

ACCEPTED = {
    "empty object": b"{}",
    "spaces around": b' \t\r\n{"a": 1}\n',
    "brackets in text": b'{"a": "' + b"[{" * 500 + b'"}',
    "escaped pair": rb'{"a": "\ud83d\ude00"}',
    "escaped backslash before u0000": rb'{"a": "\\u0000"}',
    "escaped backslash before ud800": rb'{"a": "\\ud800"}',
    "bidi and tag characters": '{"a": "\u202e\U000e0041"}'.encode(),
    "largest integers": b'{"a": [9223372036854775807, -9223372036854775808]}',
    "same key in different objects": b'{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 1}]}',
    "long fraction": b'{"a": 0.' + b"1" * 500 + b"}",
    "deepest": b"[" * DEPTH_MAX + b"]" * DEPTH_MAX,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_could_read_in_two_ways_is_refused(name: str) -> None:
    with pytest.raises(MalformedJson) as caught:
        parse(REFUSED[name])
    with pytest.raises(Refused):
        slow_parse(REFUSED[name])
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("name", ACCEPTED)
def test_plain_json_is_read_as_others_read_it(name: str) -> None:
    assert parse(ACCEPTED[name]) == json.loads(ACCEPTED[name]) == slow_parse(ACCEPTED[name])


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("closing", [b"]", b"}"])
def test_one_level_more_than_the_deepest_is_refused(opening: bytes, closing: bytes) -> None:
    depth = DEPTH_MAX + 1
    body = opening * depth + (b"1" if opening != b"[" else b"") + closing * depth
    with pytest.raises(MalformedJson):
        parse(body)


def test_many_brackets_side_by_side_are_not_deep() -> None:
    body = b"[" + b",".join([b'{"a":[[]]}'] * 1_000) + b"]"
    assert parse(body) == json.loads(body)


@pytest.mark.parametrize("body", [b"[]", b"null", b"1", b'"a"', b"true"])
def test_an_object_is_asked_for_where_only_an_object_will_do(body: bytes) -> None:
    with pytest.raises(MalformedJson, match="must be a JSON object"):
        parse_object(body)


def test_no_refusal_shows_what_was_sent() -> None:
    for body in REFUSED.values():
        with pytest.raises(MalformedJson) as caught:
            parse(b'{"canary": ' + body + b"}")
        assert "canary" not in str(caught.value)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX - 1, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def _has_nul(value: Any) -> bool:
    return "\\u0000" in json.dumps(value).replace("\\\\", "")


@given(_values, st.booleans(), st.sampled_from([None, 1]))
def test_whatever_can_be_written_is_read_back(value: Any, ascii_only: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    if _has_nul(value):
        with pytest.raises(MalformedJson):
            parse(body)
    else:
        assert parse(body) == value


_pieces = st.sampled_from(
    [
        *('{"a":', '{"b":', '"a"', '"b"', "{", "}", "[", "]", ",", ":", " ", "\n", '"', "\\", "\\u0000", "\\ud83d"),
        *("\\ude00", "\\u0061", "\\n", "1", "-", "0", ".5", "e9", "E+400", "NaN", "true", "null", "é", "\x00", "\x1f"),
        *("\ufeff", "9" * 20, "x", '"a":1,', '"\\u0061":2'),
    ]
)


@given(st.lists(_pieces, max_size=14).map("".join))
@example('{"a":1,"\\u0061":2}')
def test_the_fast_reader_agrees_with_the_slow_one_on_near_json(text: str) -> None:
    _compare(text.encode())


@given(st.binary(max_size=40))
def test_the_fast_reader_agrees_with_the_slow_one_on_bytes(data: bytes) -> None:
    _compare(data)


@given(_values, st.data())
def test_the_fast_reader_agrees_with_the_slow_one_on_damaged_json(value: Any, data: st.DataObject) -> None:
    body = bytearray(json.dumps(value, ensure_ascii=False).encode())
    place = data.draw(st.integers(0, len(body)))
    body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    _compare(bytes(body))


def _compare(body: bytes) -> None:
    try:
        expected = slow_parse(body)
    except Refused:
        with pytest.raises(MalformedJson):
            parse(body)
        return
    found = parse(body)
    assert repr(found) == repr(expected)
    # A third reader, written by others: whatever we accept is JSON to it as well.
    third = msgspec.json.decode(body)
    assert third == found or (isinstance(found, float) and math.isclose(third, found))
