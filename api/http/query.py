"""Query parameters, read strictly: each named once, each known to its route, integers as plain ASCII digits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from api.field_errors import FieldError
from api.problems import Refused, bad_request

QUERY_BYTES_MAX = 8_192
PARAMETERS_MAX = 32
NAME_CHARACTERS_MAX = 64

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"[0-9]{1,18}")


def _refuse(name: str, message: str) -> Refused:
    shown = name if len(name) <= NAME_CHARACTERS_MAX and name.isprintable() else ""
    error = FieldError(shown, message)
    return Refused(bad_request("The query can't be accepted.", code="invalid_query", errors=(error,)))


def parse_query(raw: bytes) -> dict[str, str]:
    """Name to value. Raises `Refused` (400) for a name given twice, bad escapes, bad UTF-8, U+0000 or too much."""
    if not raw:
        return {}
    if len(raw) > QUERY_BYTES_MAX:
        raise _refuse("", f"The query is longer than {QUERY_BYTES_MAX} bytes.")
    if raw.count(b"&") >= PARAMETERS_MAX:
        raise _refuse("", f"There are more than {PARAMETERS_MAX} parameters.")
    query: dict[str, str] = {}
    for part in raw.split(b"&"):
        if not part:
            continue
        name, _, value = part.partition(b"=")
        key = _unescape(name)
        if key in query:
            raise _refuse(key, "It is given twice.")
        query[key] = _unescape(value)
    return query


def _unescape(raw: bytes) -> str:
    if _BAD_ESCAPE.search(raw) is not None:
        raise _refuse("", "A percent sign is not followed by two hexadecimal digits.")
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise _refuse("", "It is not valid UTF-8.") from None
    if "\0" in text:
        raise _refuse("", "It holds U+0000.")
    return text


def integer(
    query: Mapping[str, str],
    name: str,
    *,
    default: int | None = None,
    minimum: int = 0,
    maximum: int = 10**18 - 1,
) -> int | None:
    """The parameter as an integer of 1 to 18 ASCII digits within bounds, or `default` when it is not given."""
    text = query.get(name)
    if text is None:
        return default
    if _INTEGER.fullmatch(text) is None or not minimum <= int(text) <= maximum:
        raise _refuse(name, f"It must be an integer from {minimum} to {maximum}.")
    return int(text)


def refuse_unknown(query: Mapping[str, str], known: Iterable[str]) -> None:
    """Raises `Refused` (400) for the first parameter that is not `known`; for routes that are raw ASGI."""
    allowed = frozenset(known)
    for name in query:
        if name not in allowed:
            raise _refuse(name, "There is no such parameter.")


def refuse_undeclared(query: Mapping[str, str], declared: Mapping[str, bool]) -> None:
    """As `refuse_unknown`; where `declared` says that a parameter is an integer, it must be plain digits.

    A framework's own conversion is kinder: Litestar's takes `1e3` for 1000 and `5.0` for 5.
    """
    refuse_unknown(query, declared)
    for name, value in query.items():
        if declared[name] and _INTEGER.fullmatch(value) is None:
            raise _refuse(name, "It must be an integer of at most 18 digits.")
