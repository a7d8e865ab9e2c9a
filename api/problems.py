"""Every failure as RFC 9457 `application/problem+json`: the one table from an exception to what a client sees.

A body never names the request, the exception or a value that was sent, so that the answers for an unknown id and for
another user's are the same bytes. The request id travels in the `x-request-id` header.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import psycopg
import pydantic
from litestar.exceptions import HTTPException, ValidationException

from api.auth.tokens import AuthError, KeysUnavailable
from api.field_errors import FieldError, of_litestar, of_pydantic
from domain import errors as failures
from domain.values import Json

MEDIA_TYPE = b"application/problem+json"
RETRY_AFTER_SECONDS_DEFAULT = 1.0

TITLES = {
    400: "The request makes no sense",
    401: "A valid token is needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "Not acceptable",
    408: "The request took too long",
    409: "It conflicts with the present state",
    410: "Deleted for good",
    412: "The version has moved on",
    413: "The body is too large",
    415: "The media type is not supported",
    422: "The idempotency key is used already",
    426: "Another protocol is needed",
    429: "Too many requests",
    431: "The header is too large",
    500: "Something went wrong",
    503: "Not available now",
    507: "No space left",
}

_Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What the client is told. `close`: the request was not read to its end, so the connection can't go on."""

    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: _Headers = ()
    close: bool = False

    def body(self) -> bytes:
        """UTF-8 JSON: `type`, `title`, `status`, `detail`, `code` and, for bad fields, `errors`."""
        members: dict[str, object] = {
            "type": f"/problems/{self.code}",
            "title": TITLES.get(self.status, "Refused"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            members["errors"] = [{"pointer": error.pointer, "message": error.message} for error in self.errors]
        return msgspec.json.encode(members)

    def header_list(self, body: bytes) -> list[tuple[bytes, bytes]]:
        """Header names in lower case, as ASGI wants them."""
        headers = [(b"content-type", MEDIA_TYPE), (b"content-length", str(len(body)).encode())]
        headers.extend(self.headers)
        if self.close:
            headers.append((b"connection", b"close"))
        return headers


class Refused(Exception):
    """The edge itself refuses the request, with this problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


UNAUTHORIZED = Problem(
    status=401,
    code="unauthorized",
    detail="Send a valid token in the header `Authorization: Bearer <token>`.",
    headers=((b"www-authenticate", b'Bearer realm="microcos"'),),
)
INTERNAL = Problem(
    status=500,
    code="internal",
    detail="Something went wrong on our side. Send it again with the same Idempotency-Key.",
)
NOT_FOUND = Problem(status=404, code="not_found", detail="There is nothing at this address.")


def retry_after(seconds: float | None) -> _Headers:
    """Whole seconds, rounded up, at least 1: a client that keeps to it never comes too early."""
    whole = max(1, math.ceil(RETRY_AFTER_SECONDS_DEFAULT if seconds is None else seconds))
    return ((b"retry-after", str(whole).encode()),)


def unavailable(detail: str, *, code: str = "unavailable", seconds: float | None = None) -> Problem:
    return Problem(status=503, code=code, detail=detail, headers=retry_after(seconds))


def bad_request(detail: str, *, code: str = "invalid", errors: tuple[FieldError, ...] = ()) -> Problem:
    return Problem(status=400, code=code, detail=detail, errors=errors)


def method_not_allowed(allow: bytes) -> Problem:
    return Problem(
        status=405,
        code="method_not_allowed",
        detail="This address does not take this method; `Allow` lists those that it takes.",
        headers=((b"allow", allow),),
    )


def problem_of(error: BaseException, body: Json = None) -> Problem:
    """What the client is told about `error`; whatever is not in the table is a 500 that says nothing about it.

    `body` is the request's parsed body, used only to turn field names into JSON pointers.
    """
    if isinstance(error, Refused):
        return error.problem
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return problem_of(error.exceptions[0], body)
    if isinstance(error, ValidationException):
        return _bad_fields("request", of_litestar(error, body))
    if isinstance(error, pydantic.ValidationError):
        listed = error.errors(include_url=False)
        return _bad_fields("body", of_pydantic(listed, body))
    for kind in type(error).__mro__:
        if (make := _TABLE.get(kind)) is not None:
            return make(error)
    return INTERNAL


def _bad_fields(where: str, errors: tuple[FieldError, ...]) -> Problem:
    """The detail names the first of them, for who shows nothing else."""
    first = f" {errors[0].pointer}: {errors[0].message}" if errors else ""
    return bad_request(f"The {where} has fields that can't be accepted.{first}", errors=errors)


def _of_domain(status: int, *, retry: bool = False) -> Callable[[BaseException], Problem]:
    def make(error: BaseException) -> Problem:
        assert isinstance(error, failures.DomainError)
        has_time = retry or error.retry_after_seconds is not None
        headers = retry_after(error.retry_after_seconds) if has_time else ()
        return Problem(status=status, code=error.code, detail=error.detail, headers=headers)

    return make


def _always(problem: Problem) -> Callable[[BaseException], Problem]:
    return lambda _: problem


# Litestar's own sentences name paths and values; these do not.
_HTTP_DETAILS: dict[int, tuple[str, str]] = {
    400: ("invalid", "The request can't be read."),
    403: ("forbidden", "This is not for you."),
    406: ("not_acceptable", "None of the media types in `Accept` can be served."),
    409: ("conflict", "It conflicts with the present state."),
    410: ("gone", "It was deleted for good."),
    412: ("precondition_failed", "The version that was named is not the present one."),
    413: ("body_too_large", "The body is larger than this address takes."),
    415: ("unsupported_media_type", "This address does not take this kind of body."),
}


def _of_http(error: BaseException) -> Problem:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status == 401:
        return UNAUTHORIZED
    if status == 404:
        return NOT_FOUND
    if status == 405:
        allow = str((error.headers or {}).get("allow", ""))
        return method_not_allowed(", ".join(sorted(filter(None, allow.split(", ")))).encode())
    if status == 429:
        detail = "Too many requests; wait as long as `Retry-After` says."
        return Problem(status=429, code="too_many", detail=detail, headers=retry_after(None))
    if status == 503:
        return unavailable("Not available now; try again.")
    if status in _HTTP_DETAILS:
        code, detail = _HTTP_DETAILS[status]
        return Problem(status=status, code=code, detail=detail, close=status == 413)
    return bad_request(_HTTP_DETAILS[400][1]) if 400 <= status < 500 else INTERNAL


def _of_os_error(error: BaseException) -> Problem:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        detail = "There is no space left to store this. Nothing was changed."
        return Problem(status=507, code="no_space", detail=detail, headers=retry_after(None))
    return INTERNAL


_AWAY = _always(unavailable("The store does not answer now. Send it again with the same Idempotency-Key."))
_UNREADABLE = _always(bad_request("The request holds characters or nesting that can't be stored."))

_TABLE: dict[type[BaseException], Callable[[BaseException], Problem]] = {
    failures.DomainError: _of_domain(400),
    failures.Invalid: _of_domain(400),
    failures.Forbidden: _of_domain(403),
    failures.NotFound: _of_domain(404),
    failures.Conflict: _of_domain(409),
    failures.Gone: _of_domain(410),
    failures.PreconditionFailed: _of_domain(412),
    failures.KeyReused: _of_domain(422),
    failures.TooMany: _of_domain(429, retry=True),
    failures.Unavailable: _of_domain(503, retry=True),
    AuthError: _always(UNAUTHORIZED),
    KeysUnavailable: _always(
        unavailable("The keys that tokens are checked with can't be fetched now.", code="auth_unavailable")
    ),
    HTTPException: _of_http,
    psycopg.OperationalError: _AWAY,
    psycopg.InterfaceError: _AWAY,
    psycopg.errors.ReadOnlySqlTransaction: _AWAY,
    psycopg.DataError: _UNREADABLE,
    TimeoutError: _AWAY,
    ConnectionError: _AWAY,
    OSError: _of_os_error,
    RecursionError: _UNREADABLE,
    UnicodeError: _UNREADABLE,
}
