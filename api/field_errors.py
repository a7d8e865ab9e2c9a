"""From the errors of Pydantic and Litestar to `{pointer, message}` pairs. No message repeats a value that was sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar.exceptions import ValidationException

from domain.values import Json

ERRORS_MAX = 20
POINTER_CHARACTERS_MAX = 256
ECHO_CHARACTERS_MIN = 3  # shorter ones occur in any English sentence

_GENERIC = "This value can't be accepted."
# msgspec begins the sentences that name only types and bounds like this; its others quote the value.
_QUOTES_NO_VALUE = ("Expected `", "Missing required ", "Object missing ", "Object contains unknown ")


@dataclass(frozen=True, slots=True)
class FieldError:
    """`pointer` is an RFC 6901 JSON pointer into the body, or the name of a query or path parameter."""

    pointer: str
    message: str


def of_pydantic(errors: Iterable[Mapping[str, Any]], body: Json = None) -> tuple[FieldError, ...]:
    """`errors` as `ValidationError.errors()` gives them, for the model of `body`; the first `ERRORS_MAX` of them."""
    found: dict[FieldError, None] = {}  # a union tells the same thing once for each of its members
    for error in errors:
        found[FieldError(_pointer(error["loc"], error["type"], body), _message(error))] = None
        if len(found) == ERRORS_MAX:
            break
    return tuple(found)


def of_litestar(error: ValidationException, body: Json = None) -> tuple[FieldError, ...]:
    """The errors of a handler's arguments: its `data`, or query, path and header parameters."""
    cause = error.__cause__
    listed = getattr(cause, "errors", None)  # msgspec's error as Litestar extends it, around Pydantic's list
    if isinstance(listed, list):
        return of_pydantic(listed, body)
    extra = error.extra if isinstance(error.extra, list) else []
    return tuple(
        FieldError(str(item.get("key", ""))[:POINTER_CHARACTERS_MAX], _parameter_message(item))
        for item in extra[:ERRORS_MAX]
        if isinstance(item, dict)
    )


def _pointer(location: Sequence[int | str], kind: str, body: Json) -> str:
    """Pydantic names union members among the fields; a pointer follows only what the body really holds."""
    parts: list[str] = []
    here: Json = body
    for index, step in enumerate(location):
        below = _step_into(here, step)
        if below is not None:
            here = below[0]
        elif not (kind == "missing" and index == len(location) - 1):
            continue
        parts.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{part}" for part in parts)[:POINTER_CHARACTERS_MAX]


def _step_into(here: Json, step: int | str) -> tuple[Json] | None:
    if isinstance(here, dict) and isinstance(step, str) and step in here:
        return (here[step],)
    if isinstance(here, list) and isinstance(step, int) and 0 <= step < len(here):
        return (here[step],)
    return None


def _message(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return "There is no such field."
    if kind == "missing":
        return "This field is required."
    if kind in ("model_type", "model_attributes_type", "dataclass_type"):
        return "Input should be an object."
    if kind == "union_tag_invalid":
        return (
            f"{context.get('discriminator', 'The tag')} must be one of {context.get('expected_tags', 'those known')}."
        )
    message = str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return _GENERIC if _repeats(message, error.get("input")) else message


def _repeats(message: str, value: object) -> bool:
    if isinstance(value, bool | dict | list) or value is None:
        return False
    text = str(value)
    return len(text) >= ECHO_CHARACTERS_MIN and text in message


def _parameter_message(item: Mapping[str, Any]) -> str:
    message = str(item.get("message", ""))
    return message if message.startswith(_QUOTES_NO_VALUE) else _GENERIC
