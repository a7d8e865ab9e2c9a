"""Whether this process lives, whether it can serve, and its metrics. Needs no token and tells nothing of users."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response, get

from api.schemas.answers import HealthOut
from domain.errors import DomainError, Unavailable
from infra.telemetry import METRICS_CONTENT_TYPE, render_metrics

MARGIN_SECONDS = 0.2  # queries end by themselves: cancelled ones first try to tell the server


@dataclass(frozen=True, slots=True)
class Part:
    """`check` gives None when all is well, else what is wrong, in a word or two. Failing `essential` ones are 503."""

    name: str
    check: Callable[[], Awaitable[str | None]]
    essential: bool = False


class Health:
    def __init__(self, parts: list[Part], *, wait_seconds: float) -> None:
        """`wait_seconds`: how long a part may wait for its store."""
        self._parts = parts
        self._seconds_max = wait_seconds + MARGIN_SECONDS

    async def look(self) -> tuple[bool, dict[str, str]]:
        """Whether it can serve, and how each part does; `status` sums up."""
        found = await asyncio.gather(*(_ask(part, self._seconds_max) for part in self._parts))
        parts = {part.name: "ok" if wrong is None else wrong for part, wrong in zip(self._parts, found, strict=True)}
        broken = [part for part in self._parts if parts[part.name] != "ok"]
        if any(part.essential for part in broken):
            return False, parts
        return True, {"status": "degraded" if broken else "ok", **parts}


async def _ask(part: Part, seconds_max: float) -> str | None:
    try:
        async with asyncio.timeout(seconds_max):
            return await part.check()
    except TimeoutError:
        return "no answer"
    except DomainError as error:
        return error.code


@get("/health/live", operation_id="live", tags=["health"])
async def live() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


@get("/health/ready", operation_id="ready", tags=["health"], opt={"answer": HealthOut})
async def ready(request: Request[Any, Any, Any]) -> Response[bytes]:
    """503 when Postgres, keys or migrations fail; `degraded` when NATS or the model does."""
    serves, parts = await request.app.state["health"].look()
    if not serves:
        wrong = ", ".join(f"{name}: {found}" for name, found in parts.items() if found != "ok")
        raise Unavailable(f"Not ready ({wrong}). Run `microcos doctor`.", code="not_ready", retry_after_seconds=1)
    return Response(msgspec.json.encode(parts), media_type="application/json", headers={"cache-control": "no-store"})


@get("/metrics", operation_id="metrics", tags=["health"], media_type="text/plain")
async def metrics() -> Response[bytes]:
    """Prometheus text."""
    return Response(render_metrics(), media_type=METRICS_CONTENT_TYPE)
