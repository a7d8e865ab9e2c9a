"""What may come in as a body, before any framework's parser sees it: media type, size, and strict JSON.

A route that is not in the table takes a JSON object of at most 64 KiB. How slowly it may come is the server's business
(api/http/protocol.py). Must not know what the fields mean.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from api.problems import Problem, Refused, bad_request
from api.strict_json import MalformedJson, parse_object
from domain.values import Json

BODY_BYTES_MAX = 65_536
DOCUMENT_BYTES_MAX = 1_048_576  # notes, .ics
AUDIO_BYTES_MAX = 26_214_400
FRAMING_BYTES_MAX = 16_384  # multipart boundaries and part headers around a file

Receive = Callable[[], Awaitable[Any]]

_JSON_TYPE = re.compile(rb'application/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?', re.IGNORECASE)
_METHODS_WITHOUT_BODY = ("GET", "HEAD", "OPTIONS", "TRACE", "CONNECT")


class ClientGone(Exception):
    """The client closed the connection before its body was complete; nobody is left to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyRule:
    """What one route takes.

    `kind`: `json` an object; `empty` nothing but `{}`; `raw` bytes of `media_types`, read whole; `stream` the same, but
    left to the handler to read, under the same limits. `json_too`: JSON of 64 KiB is taken as well. `optional`: no body
    at all counts as `{}`.
    """

    kind: Literal["json", "empty", "raw", "stream"] = "json"
    bytes_max: int = BODY_BYTES_MAX
    media_types: tuple[bytes, ...] = ()
    json_too: bool = False
    optional: bool = False


_EMPTY = BodyRule(kind="empty", optional=True)
_OPTIONAL = BodyRule(optional=True)
_DEFAULT = BodyRule()

BODY_RULES: Mapping[str, BodyRule] = {
    "/api/v1/message": _DEFAULT,
    "/api/v1/sessions": _OPTIONAL,
    "/api/v1/erase": _OPTIONAL,
    "/api/v1/stream/ticket": _OPTIONAL,
    "/api/v1/message/{id}/stop": _OPTIONAL,
    "/api/v1/message/{id}/regenerate": _OPTIONAL,
    "/api/v1/actions/{id}/approve": _OPTIONAL,
    "/api/v1/actions/{id}/reject": _OPTIONAL,
    "/api/v1/travel/{workflow_id}/select/{flight_id}": _OPTIONAL,
    "/api/v1/notes": BodyRule(bytes_max=DOCUMENT_BYTES_MAX),
    "/api/v1/calendar/import": BodyRule(kind="raw", bytes_max=DOCUMENT_BYTES_MAX, media_types=(b"text/calendar",)),
    "/api/v1/voice-upload": BodyRule(
        kind="stream",
        bytes_max=AUDIO_BYTES_MAX + FRAMING_BYTES_MAX,
        media_types=(b"multipart/form-data",),
        json_too=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Admitted:
    """`body` is the parsed JSON, None where the handler gets bytes; `receive` gives `data` to whoever reads on."""

    body: Json
    data: bytes | None
    receive: Receive


class BodyGate:
    def __init__(self, rules: Mapping[str, BodyRule] = BODY_RULES) -> None:
        self._exact = {path: rule for path, rule in rules.items() if "{" not in path}
        self._templates = [(_template(path), rule) for path, rule in rules.items() if "{" in path]

    def rule(self, method: str, path: str) -> BodyRule:
        if method == "DELETE":
            return _EMPTY
        found = self._exact.get(path)
        if found is not None:
            return found
        for pattern, rule in self._templates:
            if pattern.fullmatch(path) is not None:
                return rule
        return _DEFAULT

    async def admit(
        self, method: str, path: str, headers: Mapping[bytes, bytes], repeated: Collection[bytes], receive: Receive
    ) -> Admitted:
        """Read and judge the body. Raises `Refused` (400, 413, 415) and `ClientGone`."""
        declared = _declared_bytes(headers)
        if method in _METHODS_WITHOUT_BODY:
            if declared != 0:
                raise _refuse(400, "invalid", "This method takes no body.")
            return Admitted(None, None, receive)
        rule = self.rule(method, path)
        if b"content-encoding" in headers:
            raise _refuse(415, "unsupported_media_type", "Send the body without Content-Encoding.")
        is_json = _is_json(rule, headers, repeated, declared)
        bytes_max = min(rule.bytes_max, BODY_BYTES_MAX) if is_json and rule.json_too else rule.bytes_max
        if declared is not None and declared > bytes_max:
            raise _too_large(bytes_max)
        if rule.kind == "stream" and not is_json:
            return Admitted(None, None, _limited(receive, bytes_max))
        data = await _read(receive, bytes_max)
        return Admitted(_parse(data, rule) if is_json else None, data, _replay(data, receive))


async def _read(receive: Receive, bytes_max: int) -> bytes:
    message = await receive()
    data = _chunk(message)
    if message.get("more_body", False):
        chunks = bytearray(data)
        while len(chunks) <= bytes_max and message.get("more_body", False):
            message = await receive()
            chunks += _chunk(message)
        data = bytes(chunks)
    if len(data) > bytes_max:
        raise _too_large(bytes_max)
    return data


def _limited(receive: Receive, bytes_max: int) -> Receive:
    """As `receive`, for a body that its handler reads while it comes."""
    received = 0
    done = False

    async def limited() -> Any:
        nonlocal received, done
        message = await receive()
        if not done:
            received += len(_chunk(message))
            if received > bytes_max:
                raise _too_large(bytes_max)
            done = not message.get("more_body", False)
        return message

    return limited


def _template(path: str) -> re.Pattern[str]:
    return re.compile("/".join("[^/]+" if part.startswith("{") else re.escape(part) for part in path.split("/")))


def _refuse(status: int, code: str, detail: str) -> Refused:
    """The rest of the body stays unread, so the connection ends with the answer."""
    return Refused(Problem(status=status, code=code, detail=detail, close=True))


def _too_large(bytes_max: int) -> Refused:
    return _refuse(413, "body_too_large", f"The body may have at most {bytes_max} bytes.")


def _declared_bytes(headers: Mapping[bytes, bytes]) -> int | None:
    """The length that the headers announce; None when they leave it open. The server has checked the digits."""
    if b"transfer-encoding" in headers:
        return None
    length = headers.get(b"content-length", b"0")
    if not length.isdigit():
        raise _refuse(400, "invalid", "Content-Length is not a number.")
    return int(length) if len(length) <= 18 else 10**18


def _is_json(rule: BodyRule, headers: Mapping[bytes, bytes], repeated: Iterable[bytes], declared: int | None) -> bool:
    """Whether the body is to be JSON; raises `Refused` (415) when it is neither that nor what the rule takes."""
    kind = headers.get(b"content-type")
    takes_json = rule.kind in ("json", "empty") or rule.json_too
    if kind is None and declared == 0:
        return takes_json  # nothing was sent: the parser says so, or the rule allows it
    if kind is not None and b"content-type" not in repeated:
        if takes_json and (kind == b"application/json" or _JSON_TYPE.fullmatch(kind) is not None):
            return True
        if kind.partition(b";")[0].strip().lower() in rule.media_types:
            return False
    names = [*([b"application/json"] if takes_json else []), *rule.media_types]
    listed = " or ".join(name.decode() for name in names)
    raise _refuse(415, "unsupported_media_type", f"The Content-Type must be {listed}.")


def _parse(data: bytes, rule: BodyRule) -> Json:
    if not data and rule.optional:
        return {}
    try:
        body = parse_object(data)
    except MalformedJson as error:
        raise Refused(bad_request(f"The body can't be read. {error}", code="invalid_json")) from None
    if body and rule.kind == "empty":
        raise Refused(bad_request("This address takes no fields; send no body or {}."))
    return body


def _chunk(message: Any) -> bytes:
    if message["type"] != "http.request":
        raise ClientGone
    chunk: bytes = message.get("body", b"")
    return chunk


def _replay(data: bytes, receive: Receive) -> Receive:
    """Gives the body that was read, once, and then whatever the connection says: that the client has gone."""
    given = False

    async def replay() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": data, "more_body": False}

    return replay
