"""The version that a caller expects a thing to be at, so that nobody writes over what they have not seen."""

from __future__ import annotations

from domain.errors import PreconditionFailed


def check_version(thing: str, known: int | None, expected: int | None) -> None:
    """`known` is None for what is not there yet, `expected` where the caller does not mind.

    Raises `PreconditionFailed`.
    """
    if expected is None or expected == known:
        return
    detail = (
        f"The {thing} is not there yet, so it has no version."
        if known is None
        else f"The {thing} is at version {known}, not {expected}. Read it again, then change it."
    )
    raise PreconditionFailed(detail, code="version_stale")
