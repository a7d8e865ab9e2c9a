"""How long requests take, by route: what `/metrics` shows of the edge. Streams are left out: they last as they last."""

from __future__ import annotations

from typing import Any

from infra.telemetry import histogram

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
STREAMS = ("/api/v1/stream/{session_id}", "/api/v1/realtime")

_seconds = histogram(
    "microcos_http_request_seconds",
    "From a request's header to the end of its answer.",
    ("method", "route", "status"),
    BUCKETS,
)


def watch(scope: Any, status: int, seconds: float) -> None:
    """For the edge. Whatever a client can make up becomes one label: methods and paths that are not ours."""
    route = scope.get("path_template") or "none"
    if route not in STREAMS:
        method = scope["method"] if scope["method"] in METHODS else "other"
        _seconds.labels(method, route, str(status)).observe(seconds)
