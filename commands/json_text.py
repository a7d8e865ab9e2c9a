"""JSON as language models write it: what can honestly be read out of a text that is nearly JSON. Pure.

Owns the mending of the form. It must not mend what was said: half a string or number is never taken for a whole one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import msgspec

_FENCE = re.compile(r"```\w*\s*(.*?)(?:```|\Z)", re.DOTALL)
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_CLOSING = {"{": "}", "[": "]"}


def readings(text: str) -> Iterator[str]:
    """What `text` may mean, the most literal first: itself, without a code fence, unquoted, the first whole object in
    it, and what began but was not closed. None of them is known to be JSON."""
    text = text.strip()
    yield text
    if fenced := _FENCE.search(text):
        yield fenced.group(1).strip()
    if text.startswith('"'):
        with suppress(msgspec.DecodeError):
            yield msgspec.json.decode(text, type=str)
    if (found := first_value(text, "{")) is not None:
        yield found
    if (found := first_value(text, "[{")) is not None:
        yield found
    if (found := closed(text)) is not None:
        yield found


def first_value(text: str, openings: str) -> str | None:
    """From the first of the opening brackets to the one that closes it; None where none does."""
    start = _first(text, openings)
    if start < 0:
        return None
    end = Scan(text[start]).take(text, start + 1)
    return None if end < 0 else text[start:end]


def closed(text: str) -> str | None:
    """From the first bracket on, with the brackets that are missing at the end and without commas before a bracket.

    None where it was cut in the middle of something, or after a comma: nobody knows how that would have gone on.
    """
    start = _first(text, "{[")
    if start < 0:
        return None
    scan = Scan(text[start])
    end = scan.take(text, start + 1)
    if end < 0:
        whole = text[start:].rstrip()
        if scan.is_in_string or whole[-1] not in '{["]}el':
            return None
        text, start = whole + scan.missing, 0
    else:
        text = text[start:end]
    return _without_trailing_commas(text)


class Scan:
    """Looks for the bracket that closes a first one, over as many pieces of text as it takes."""

    __slots__ = ("_is_escaped", "_open", "is_in_string")

    def __init__(self, opening: str) -> None:
        self._open = [opening]
        self._is_escaped = False
        self.is_in_string = False

    @property
    def missing(self) -> str:
        """The brackets that close what is open."""
        return "".join(_CLOSING[opening] for opening in reversed(self._open))

    def take(self, text: str, start: int, end: int | None = None) -> int:
        """Look at `text[start:end]`; the place after the closing bracket, or -1 when it is not there."""
        for place in range(start, len(text) if end is None else min(end, len(text))):
            character = text[place]
            if self._is_escaped:
                self._is_escaped = False
            elif self.is_in_string:
                self._is_escaped = character == "\\"
                self.is_in_string = character != '"'
            elif character == '"':
                self.is_in_string = True
            elif character in "{[":
                self._open.append(character)
            elif character in "}]":
                # A bracket of the wrong kind closes as well: whether it is JSON, the decoder says.
                self._open.pop()
                if not self._open:
                    return place + 1
        return -1


def _first(text: str, openings: str) -> int:
    places = [place for opening in openings if (place := text.find(opening)) >= 0]
    return min(places, default=-1)


def _without_trailing_commas(text: str) -> str:
    """Commas in strings stay: only the text between strings is looked at."""
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    return "".join(part if part.startswith('"') else _TRAILING_COMMA.sub("", part) for part in parts)
