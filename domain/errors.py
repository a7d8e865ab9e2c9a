"""What may go wrong, as one tree. Each leaf has a stable `code`; `api/problems.py` maps the branches to HTTP.

    DomainError
    ├── Invalid            the request makes no sense                       400
    ├── Forbidden          not for this caller                              403
    ├── NotFound           unknown, or another user's: the two look alike   404
    ├── Conflict           makes no sense in the present state              409
    ├── Gone               what it refers to was deleted for good           410
    ├── PreconditionFailed the version that the caller named is not the one 412
    ├── KeyReused          the idempotency key stands for another request   422
    ├── TooMany            a limit is reached; `retry_after_seconds`        429
    └── Unavailable        try again; the outcome may be unknown            503

`EngineError` stands beside the tree: what it means to a user is for whoever asked the engine. Programmer errors are
assertions and are never caught.
"""

from __future__ import annotations


class DomainError(Exception):
    """`detail` is one sentence for the person who made the request, and says what to do next."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.retry_after_seconds = retry_after_seconds


class Invalid(DomainError):
    code = "invalid"


class Forbidden(DomainError):
    code = "forbidden"


class NotFound(DomainError):
    code = "not_found"


class Conflict(DomainError):
    code = "conflict"


class Gone(DomainError):
    code = "gone"


class PreconditionFailed(DomainError):
    code = "precondition_failed"


class KeyReused(DomainError):
    code = "idempotency_key_reused"


class TooMany(DomainError):
    code = "too_many"


class Unavailable(DomainError):
    code = "unavailable"


class StaleAttempt(Conflict):
    """A worker whose attempt is over tried to write: its lease passed to another, or the reply has ended."""

    code = "stale_attempt"


class EngineError(Exception):
    """A language model or a speech engine failed. `code` is stable, `detail` one line for an operator; `retryable` says
    whether another try can help, `retry_after_seconds` when, where the engine said so."""

    def __init__(self, code: str, detail: str, *, retryable: bool, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
