"""Logs and metrics: one JSON object a line on stderr, and one registry that /metrics shows.

No text of a user may get into either. So a log line holds only fields that are listed here, users as a hash, and an
exception as its type and the places that it passed, never its message: databases and validators quote values.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from traceback import extract_tb
from types import TracebackType
from typing import Any, TypeVar

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from structlog.contextvars import bound_contextvars
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from infra.settings import Settings, SettingsError

METRICS_CONTENT_TYPE = "text/plain; version=0.0.4"  # the framework names the charset
TEXT_CHARACTERS_MAX = 300
STACK_PLACES_MAX = 12

# Names of fields whose values are ids, names of our own making, numbers or states. Add one only if that holds for it.
FIELDS = frozenset(
    {
        *("event", "level", "timestamp", "module", "role", "error", "stack", "sqlstate"),
        *("request_id", "command_id", "correlation_id", "causation_id", "user", "conversation", "message_id"),
        *("reply_id", "session_id", "action_id", "task_id", "event_id", "key_id", "workflow_id", "job_id"),
        *("command", "event_name", "method", "route", "status", "code", "outcome", "reason", "state", "stage", "kind"),
        *("tool", "intent", "provider", "model", "view", "from_version", "to_version", "child", "exit_status", "pid"),
        *("version", "position", "head", "attempt", "index", "lag", "limit", "page", "generation", "shard", "log"),
        *("epoch", "leader", "owner", "host", "port", "consumer", "sequence", "restarts"),
        *("count", "accepted", "duplicates", "conflicts", "refused", "bytes", "tokens", "input_tokens"),
        *("output_tokens", "frames", "clients", "users", "replies", "views"),
        *("duration_ms", "wait_ms", "skew_ms", "seconds", "retry_after_seconds", "deadline_seconds"),
    }
)

# Other people's loggers whose messages were read and hold no values of a user; of all others only the template is kept.
READ_LOGGERS = ("psycopg.pool", "uvicorn.error", "alembic", "asyncio")

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
Metric = TypeVar("Metric", Counter, Gauge, Histogram)
_metrics: dict[str, Counter | Gauge | Histogram] = {}


def configure_logging(settings: Settings, role: str) -> None:
    """Once a process, before the first line. `role` is api, worker, relay, projections or the command's name."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    processors = _processors(role)
    structlog.configure(
        processors=[*processors, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_StderrLogger,
        # Loggers are made when modules are imported, which is before this call.
        cache_logger_on_first_use=False,
    )
    handler = _ForeignHandler(processors)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    for name in READ_LOGGERS:
        # Whoever was imported before us may have silenced them: `eventsourcing.postgres` sets the pool's, and the one
        # above it, to ERROR.
        logging.getLogger(name).disabled = False
        logging.getLogger(name).setLevel(root.level)


def get_logger(name: str) -> FilteringBoundLogger:
    """`name` is the module, as `infra.event_log.store`. The event is a fixed phrase; what varies goes into fields."""
    logger: FilteringBoundLogger = structlog.get_logger(module=name)
    return logger


def log_context(
    *, user_id: str | None = None, conversation_id: str | None = None, **fields: str | int | None
) -> AbstractContextManager[None]:
    """Fields for all lines of this task while the block runs: hashes of these two, request_id, command_id, …"""
    present = {name: value for name, value in fields.items() if value is not None}
    if user_id is not None:
        present["user"] = hashed(user_id)
    if conversation_id is not None:
        # A client may have chosen it, so it can be a word.
        present["conversation"] = hashed(f"{user_id}/{conversation_id}")
    return bound_contextvars(**present)


def hashed(text: str) -> str:
    """The same in all processes, so that lines can be joined. An internal user id is random and can't be guessed."""
    return hashlib.sha256(b"microcos-log:" + text.encode()).hexdigest()[:16]


def safe_exception(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the exception's type and the places it passed."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    error = given if isinstance(given, BaseException) else (given if isinstance(given, tuple) else sys.exc_info())[1]
    if error is None:
        return event
    event["error"] = f"{type(error).__module__}.{type(error).__qualname__}"
    event["stack"] = _places(error.__traceback__)
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate:
        event["sqlstate"] = sqlstate
    return event


def only_listed_fields(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Drop what is not listed, and say so: a field that was forgotten in the list shall be noticed, not leaked."""
    kept = {name: _bounded(value) for name, value in event.items() if name in FIELDS}
    dropped = sorted(event.keys() - kept.keys())
    return {**kept, "dropped_fields": dropped} if dropped else kept


def counter(name: str, text: str, labels: Iterable[str] = ()) -> Counter:
    """The counter of that name, made at the first call. Labels must have few values: never an id."""
    return _metric(Counter, name, text, labels)


def gauge(name: str, text: str, labels: Iterable[str] = ()) -> Gauge:
    return _metric(Gauge, name, text, labels)


def histogram(name: str, text: str, labels: Iterable[str] = (), buckets: Iterable[float] | None = None) -> Histogram:
    """`buckets` are upper bounds in the unit of the name, seconds by convention."""
    options = {"buckets": tuple(buckets)} if buckets else {}
    return _metric(Histogram, name, text, labels, **options)


def render_metrics() -> bytes:
    """What GET /metrics answers, as `METRICS_CONTENT_TYPE`."""
    return generate_latest(REGISTRY)


def serve_metrics(settings: Settings) -> None:
    """For roles without an HTTP server of their own: /metrics on loopback, where a port is set.

    Raises `SettingsError` where the port is taken.
    """
    if settings.metrics_port:
        try:
            start_http_server(settings.metrics_port, addr="127.0.0.1", registry=REGISTRY)
        except OSError as error:
            raise SettingsError(f"MICROCOS_METRICS_PORT: {settings.metrics_port}: {error.strerror}.") from error


def _metric(kind: type[Metric], name: str, text: str, labels: Iterable[str], **options: Any) -> Metric:
    found = _metrics.get(name)
    if found is None:
        found = _metrics[name] = kind(name, text, tuple(labels), registry=REGISTRY, **options)
    assert isinstance(found, kind), f"{name} is there already, as another kind of metric"
    return found


def _places(traceback: TracebackType | None) -> list[str]:
    places = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in extract_tb(traceback)]
    return places[-STACK_PLACES_MAX:]


def _short(filename: str) -> str:
    return "/".join(Path(filename).parts[-2:])


def _bounded(value: Any) -> Any:
    if isinstance(value, str):
        return value[:TEXT_CHARACTERS_MAX]
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return type(value).__name__


def _processors(role: str) -> list[structlog.typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _name, event: {"role": role, **event},
        safe_exception,
        only_listed_fields,
    ]


_render = structlog.processors.JSONRenderer(ensure_ascii=False)


class _StderrLogger:
    """Writes to whatever stderr is at that moment; one write a line, so that lines of threads do not mix."""

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = msg


class _ForeignHandler(logging.Handler):
    """Lines of libraries that use `logging`, in our shape."""

    def __init__(self, processors: list[structlog.typing.Processor]) -> None:
        super().__init__()
        self._processors = processors
        self._logger = _StderrLogger()

    def emit(self, record: logging.LogRecord) -> None:
        is_read = record.name.startswith(READ_LOGGERS)
        event: Any = {
            "event": record.getMessage() if is_read else str(record.msg),
            "module": record.name,
            "exc_info": record.exc_info,
        }
        for processor in self._processors:
            event = processor(None, record.levelname.lower(), event)
        self._logger.msg(str(_render(None, record.levelname.lower(), event)))


# Until a process configures itself, its lines are as safe and go to stderr too: stdout belongs to commands' output.
structlog.configure(processors=[*_processors("unset"), _render], logger_factory=_StderrLogger)
