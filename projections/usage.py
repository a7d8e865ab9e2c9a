"""The view `usage`: what a user spent on each UTC day. Counters only, all in clear."""

from __future__ import annotations

from collections.abc import Sequence

from domain.limits import DAY_MS
from projections.event_groups import ACTIONS, CONVERSATIONS, KEPT, LATER, SESSIONS, TASKS
from projections.view import Change, Column, Seen, Table, Upsert, View

COUNTERS = (
    *("messages", "calls", "input_tokens", "output_tokens", "completed", "canned", "failed", "stopped"),
    "searches",
)

# `day` counts from 1970-01-01 in UTC.
DAYS = Table("usage_days", [Column("day", "bigint")], [Column(name, "bigint", sums=True) for name in COUNTERS])


def _counted(
    event: Seen,
    *,
    messages: int = 0,
    calls: int = 0,
    input_tokens: int = 0,
    output_tokens: int = 0,
    outcome: str = "",
    searches: int = 0,
) -> Sequence[Change]:
    ended = (outcome == "completed", outcome == "canned", outcome == "failed", outcome == "stopped")
    values = (messages, calls, input_tokens, output_tokens, *map(int, ended), searches)
    return [Upsert(DAYS, (event.user_id, event.at_ms // DAY_MS), values)]


def _message_received(event: Seen) -> Sequence[Change]:
    return _counted(event, messages=1)


def _reply_started(event: Seen) -> Sequence[Change]:
    """Only a claim that is going to call a model reserves tokens."""
    return _counted(event, calls=1) if event.data.reserved_tokens else ()


def _search_started(event: Seen) -> Sequence[Change]:
    return _counted(event, searches=1)


def _reply_completed(event: Seen) -> Sequence[Change]:
    return _ended(event, "canned" if event.data.canned else "completed")


def _reply_failed(event: Seen) -> Sequence[Change]:
    return _ended(event, "failed")


def _reply_stopped(event: Seen) -> Sequence[Change]:
    return _ended(event, "stopped")


def _ended(event: Seen, outcome: str) -> Sequence[Change]:
    usage = event.data.usage
    return _counted(event, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, outcome=outcome)


USAGE = View(
    name="usage",
    version=1,
    tables=(DAYS,),
    handlers={
        "MessageReceived": _message_received,
        "ReplyStarted": _reply_started,
        "ReplyCompleted": _reply_completed,
        "ReplyFailed": _reply_failed,
        "ReplyStopped": _reply_stopped,
        "FlightSearchStarted": _search_started,
    },
    ignores=CONVERSATIONS
    | SESSIONS
    | {"ReplyRequested", "ReplyStopRequested"}
    | ACTIONS
    | TASKS
    | KEPT
    | (LATER - {"FlightSearchStarted"}),
)
