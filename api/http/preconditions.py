"""`If-Match`: the version that an object must still be at for a change to it to be made."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

from domain.errors import PreconditionFailed

IF_MATCH = re.compile(r'(?P<quote>"?)(?P<version>[0-9]{1,18})(?:-[0-9a-f]{32})?(?P=quote)')


def expected_version(request: Request[Any, Any, Any], object_id: str | None) -> int | None:
    """The version in `If-Match`: bare, quoted, or as an object's ETag begins. None without one, or `*`.

    Raises `PreconditionFailed` for what names no version, and for any where there is no object yet.
    """
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    match = IF_MATCH.fullmatch(given.strip())
    if match is None:
        raise PreconditionFailed("If-Match names no version. Read what you want to change again.", code="version_stale")
    if object_id is None:
        raise PreconditionFailed("What is not there yet has no version: leave If-Match out.", code="version_stale")
    return int(match["version"])
