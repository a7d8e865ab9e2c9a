"""What the edge knows of a request when a handler gets it: its id, its caller, its key, its body and its query.

Handlers take it with `call_of(request)`; nothing of it is read twice.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import pydantic
from litestar.utils.scope.state import ScopeState

from api.auth.tokens import AuthError, Principal
from api.problems import Refused, bad_request
from domain.ports import NewId
from domain.values import Json

IDEMPOTENCY_KEY_CHARACTERS_MAX = 255

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_IDEMPOTENCY_KEY = re.compile(rb"[\x20-\x7e]{1,255}")
_CALL = "call"

_canonical = msgspec.json.Encoder(order="sorted")

Model = TypeVar("Model", bound=pydantic.BaseModel)


@dataclass(slots=True)
class Call:
    """One request at the edge.

    `path` is percent-decoded. `body` is the parsed JSON body ({} for an empty one where that is allowed, None where
    the route takes none or reads it itself). `principal` is None on public routes and for the service. `is_read`
    and `failure` are the edge's own: whether the body has come in whole, and what a WebSocket's handler raised.
    """

    request_id: str
    method: str
    path: str
    principal: Principal | None = None
    service: bool = False
    idempotency_key: str | None = None
    body: Json = None
    query: dict[str, str] = field(default_factory=dict)
    is_read: bool = False
    failure: Exception | None = None

    def user(self) -> Principal:
        """The caller; raises `AuthError` when there is none, so that a route can't forget to ask for one."""
        if self.principal is None:
            raise AuthError("the route needs a user")
        return self.principal

    def read(self, model: type[Model]) -> Model:
        """The body as `model`. Raises `pydantic.ValidationError`, which the edge answers with 400 and pointers."""
        return model.model_validate(self.body)

    def fingerprint(self) -> bytes:
        """32 bytes that are equal for two requests with the same method, path and body."""
        return fingerprint(self.method, self.path, self.body)


def call_of(connection: Any) -> Call:
    """The call of a Litestar request or WebSocket, or of a raw ASGI scope."""
    scope = connection if isinstance(connection, dict) else connection.scope
    call = scope["state"][_CALL]
    assert isinstance(call, Call)
    return call


def attach(scope: Any, call: Call, *, data: bytes | None = None) -> None:
    """Give the call to the handlers: `request.user` is its principal, `call_of(request)` all of it.

    `data` is the body as it came. Litestar is told that it has read and parsed it, so that a handler's `data`
    argument is made from the object that was checked and not from a second, kinder, parse.
    """
    scope.setdefault("state", {})[_CALL] = call
    scope["user"] = call.principal
    scope["auth"] = None
    if data is not None:
        known = ScopeState.from_scope(scope)
        known.body = data
        if call.body is not None:
            known.json = call.body
            known.body = data or b"{}"  # to Litestar no bytes mean no argument; here they mean an empty object


def single_headers(pairs: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], Collection[bytes]]:
    """Header values by lower-case name, and the names that stand more than once."""
    headers: dict[bytes, bytes] = {}
    repeated: set[bytes] | None = None
    for name, value in pairs:
        if name in headers:
            repeated = (repeated or set()) | {name}
        headers[name] = value
    return headers, repeated or ()


class RequestIds:
    """Names requests by a random id of this process and a count: a random id for each would cost time for nothing."""

    def __init__(self, new_id: NewId) -> None:
        self._process_id = new_id()
        self._count = 0

    def of(self, headers: Mapping[bytes, bytes]) -> str:
        """The id that a proxy or client gave the request if it is one word of 8 to 64 characters, else a new one."""
        given = headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given) is not None:
            return given.decode("ascii")
        self._count += 1
        return f"{self._process_id}-{self._count:x}"


def idempotency_key_of(headers: Mapping[bytes, bytes], repeated: Collection[bytes]) -> str | None:
    """The header's value; raises `Refused` (400) for two of them, for an empty, too long or unprintable one."""
    given = headers.get(b"idempotency-key")
    if given is None:
        return None
    if b"idempotency-key" in repeated or _IDEMPOTENCY_KEY.fullmatch(given) is None:
        detail = (
            f"Send one Idempotency-Key of 1 to {IDEMPOTENCY_KEY_CHARACTERS_MAX} printable ASCII characters, or none."
        )
        raise Refused(bad_request(detail, code="invalid_idempotency_key"))
    return given.decode("ascii")


def fingerprint(method: str, path: str, body: Json | bytes) -> bytes:
    """SHA-256 of the method, the path and the body: JSON with sorted keys and no spaces, or raw bytes of a file."""
    content = body if isinstance(body, bytes) else _canonical.encode(body)
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), content))).digest()
