"""JSON as RFC 8259 writes it, and nothing that two readers could understand in two ways.

Used for request bodies, tokens and key sets. Must not know HTTP.
"""

from __future__ import annotations

import json
import math
from typing import NoReturn

from domain.values import Json

DEPTH_MAX = 64
INTEGER_MAX = 2**63 - 1
INTEGER_CHARACTERS_MAX = 20  # "-9223372036854775808"

_FIRST_SURROGATE, _LAST_SURROGATE = "\ud800", "\udfff"


class MalformedJson(ValueError):
    """`str()` is a sentence without any of the input in it, so that it may be shown and logged."""


def parse(data: bytes, *, depth_max: int = DEPTH_MAX) -> Json:
    """The value that `data` holds.

    Refuses whatever is not UTF-8 JSON, and also: a byte order mark, duplicate keys, NaN and infinities (`1e999`
    too), integers beyond 64 bits, lone surrogates, U+0000 in any form, and nesting deeper than `depth_max`.
    Raises only `MalformedJson`.
    """
    try:
        value: Json = _decode(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise MalformedJson("It is not valid UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(_describe(data, error.pos)) from None
    except RecursionError:
        raise MalformedJson(_too_deep(depth_max)) from None
    # A value can't be nested deeper than it has brackets, so nearly every body is done after two counts.
    if data.count(b"{") + data.count(b"[") > depth_max:
        _check_depth(value, depth_max)
    # Raw surrogates are no UTF-8 and a raw U+0000 is no JSON: only an escape can bring in either.
    if b"\\u" in data:
        _check_characters(value)
    return value


def parse_object(data: bytes, *, depth_max: int = DEPTH_MAX) -> dict[str, Json]:
    """As `parse`, for data that must be one JSON object."""
    value = parse(data, depth_max=depth_max)
    if not isinstance(value, dict):
        raise MalformedJson("It must be a JSON object.")
    return value


def _describe(data: bytes, position: int) -> str:
    if not data:
        return "It is empty."
    if data.startswith(b"\xef\xbb\xbf"):
        return "It must not start with a byte order mark."
    return f"It is not valid JSON at character {position + 1}."


def _too_deep(depth_max: int) -> str:
    return f"It is nested deeper than {depth_max} levels."


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedJson("An object in it names a key twice.")
    return value


def _integer(digits: str) -> int:
    # The length is judged before the conversion, whose time grows with the square of it.
    if len(digits) > INTEGER_CHARACTERS_MAX or not -INTEGER_MAX - 1 <= (value := int(digits)) <= INTEGER_MAX:
        raise MalformedJson("An integer in it does not fit in 64 bits.")
    return value


def _float(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise MalformedJson("A number in it is out of range.")
    return value


def _constant(_: str) -> NoReturn:
    raise MalformedJson("NaN and Infinity are not JSON.")


_decode = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
).decode


def _check_depth(value: Json, depth_max: int) -> None:
    level: list[Json] = [value]
    depth = 0
    while containers := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        if depth > depth_max:
            raise MalformedJson(_too_deep(depth_max))
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]


def _check_characters(value: Json) -> None:
    waiting: list[Json] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            _check_text(item)
        elif isinstance(item, dict):
            for key in item:
                _check_text(key)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check_text(text: str) -> None:
    if "\0" in text:
        raise MalformedJson("A string in it holds U+0000.")
    if any(_FIRST_SURROGATE <= character <= _LAST_SURROGATE for character in text):
        raise MalformedJson("A string in it holds half a surrogate pair.")
