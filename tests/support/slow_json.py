"""A JSON reader that follows RFC 8259 letter by letter and adds our rules: slow, and simple enough to be believed."""

from __future__ import annotations

import re
from typing import Any

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}


class Refused(Exception):
    pass


def slow_parse(data: bytes, depth_max: int = 64) -> Any:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused from error
    value, place = _value(text, _skip(text, 0), depth_max)
    if _skip(text, place) != len(text):
        raise Refused("trailing")
    return value


def _skip(text: str, place: int) -> int:
    while place < len(text) and text[place] in " \t\r\n":
        place += 1
    return place


def _value(text: str, place: int, depth: int) -> tuple[Any, int]:
    if place >= len(text):
        raise Refused("end")
    if text[place] == "{":
        return _object(text, place, depth)
    if text[place] == "[":
        return _array(text, place, depth)
    if text[place] == '"':
        return _string(text, place)
    for word, value in _WORDS.items():
        if text.startswith(word, place):
            return value, place + len(word)
    return _number(text, place)


def _number(text: str, place: int) -> tuple[Any, int]:
    match = _NUMBER.match(text, place)
    if match is None:
        raise Refused("number")
    if match[1] is None and match[2] is None:
        if len(match[0]) > 25 or not -(2**63) <= int(match[0]) < 2**63:
            raise Refused("integer")
        return int(match[0]), match.end()
    number = float(match[0])
    if number in (float("inf"), float("-inf")):
        raise Refused("range")
    return number, match.end()


def _object(text: str, place: int, depth: int) -> tuple[Any, int]:
    if depth == 0:
        raise Refused("depth")
    found: dict[str, Any] = {}
    place = _skip(text, place + 1)
    if text[place : place + 1] == "}":
        return found, place + 1
    while True:
        if text[place : place + 1] != '"':
            raise Refused("key")
        key, place = _string(text, place)
        if key in found:
            raise Refused("duplicate")
        place = _skip(text, place)
        if text[place : place + 1] != ":":
            raise Refused("colon")
        found[key], place = _value(text, _skip(text, place + 1), depth - 1)
        place = _skip(text, place)
        if text[place : place + 1] == "}":
            return found, place + 1
        if text[place : place + 1] != ",":
            raise Refused("comma")
        place = _skip(text, place + 1)


def _array(text: str, place: int, depth: int) -> tuple[Any, int]:
    if depth == 0:
        raise Refused("depth")
    found: list[Any] = []
    place = _skip(text, place + 1)
    if text[place : place + 1] == "]":
        return found, place + 1
    while True:
        value, place = _value(text, place, depth - 1)
        found.append(value)
        place = _skip(text, place)
        if text[place : place + 1] == "]":
            return found, place + 1
        if text[place : place + 1] != ",":
            raise Refused("comma")
        place = _skip(text, place + 1)


def _string(text: str, place: int) -> tuple[str, int]:
    units: list[str] = []
    place += 1
    while place < len(text) and text[place] != '"':
        letter = text[place]
        if letter < " ":
            raise Refused("control")
        if letter != "\\":
            units.append(letter)
            place += 1
        elif text[place + 1 : place + 2] == "u":
            digits = text[place + 2 : place + 6]
            if re.fullmatch("[0-9a-fA-F]{4}", digits) is None:
                raise Refused("escape")
            units.append(chr(int(digits, 16)))
            place += 6
        elif text[place + 1 : place + 2] in _ESCAPES and place + 1 < len(text):
            units.append(_ESCAPES[text[place + 1]])
            place += 2
        else:
            raise Refused("escape")
    if place >= len(text):
        raise Refused("open")
    return _joined(units), place + 1


def _joined(units: list[str]) -> str:
    try:
        text = "".join(units).encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError as error:
        raise Refused("surrogate") from error
    if "\0" in text:
        raise Refused("NUL")
    return text
