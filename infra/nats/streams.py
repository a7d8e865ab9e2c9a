"""The streams and the consumer that we need in NATS, as data, and how a server is brought to have them.

Subjects: `evt.v1.<user>.<aggregate>.<Name>`, `job.llm.<user>`, `tok.<user>.<reply>`, and what the server repeats
after storing it, `live.tok.<user>.<reply>`. Every stream may vanish at any time: nothing is kept only here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from nats.aio.msg import Msg

from infra.nats.link import NatsAway, NatsLink
from infra.telemetry import get_logger

logger = get_logger("infra.nats.streams")

FACTS, JOBS, TOKENS = "EVT", "JOB", "TOK"
ALL_FACTS = "evt.v1.>"
HINT_CONSUMER = "llm"

SECOND_NS = 1_000_000_000
DUPLICATE_WINDOW_SECONDS = 600
JOB_RETENTION_SECONDS = 86_400
TOKEN_BYTES_MAX = 256 * 1024 * 1024
TOKENS_PER_REPLY_MAX = 20_000
HINT_ACK_WAIT_SECONDS = 10
HINTS_UNACKNOWLEDGED_MAX = 10_000

STREAM_NOT_FOUND = 10059
STREAM_NAME_IN_USE = 10058


class StreamRefused(Exception):
    """The server has, or insists on, something that we cannot work with. The message says what to do."""


def fact_subject(user_id: str, aggregate: str, name: str) -> str:
    return f"evt.v1.{user_id}.{aggregate}.{name}"


def hint_subject(user_id: str) -> str:
    return f"job.llm.{user_id}"


def token_subject(user_id: str, reply_id: str) -> str:
    return f"tok.{user_id}.{reply_id}"


def live_tokens_subject(user_id: str) -> str:
    return f"live.tok.{user_id}.*"


def stream_configs(*, event_retention_seconds: int, token_retention_seconds: int) -> list[dict[str, object]]:
    """Only the fields that we rely on; what an operator sets beside them (replicas, placement) is left alone."""
    limits: dict[str, object] = {"retention": "limits", "discard": "old", "allow_direct": True}
    return [
        {
            "name": FACTS,
            "subjects": [ALL_FACTS],
            "storage": "file",
            "max_age": event_retention_seconds * SECOND_NS,
            # The server refuses a window that is longer than the messages live.
            "duplicate_window": min(DUPLICATE_WINDOW_SECONDS, event_retention_seconds) * SECOND_NS,
            **limits,
        },
        {
            "name": JOBS,
            "subjects": ["job.llm.*"],
            "storage": "file",
            "retention": "workqueue",
            "discard": "old",
            "max_age": JOB_RETENTION_SECONDS * SECOND_NS,
            # One wake-up a user is as good as many, and the newest is never lost to an older one.
            "max_msgs_per_subject": 1,
        },
        {
            "name": TOKENS,
            "subjects": ["tok.>"],
            "storage": "memory",
            "max_age": token_retention_seconds * SECOND_NS,
            "max_bytes": TOKEN_BYTES_MAX,
            "max_msgs_per_subject": TOKENS_PER_REPLY_MAX,
            "republish": {"src": "tok.>", "dest": "live.tok.>"},
            **limits,
        },
    ]


async def ensure_streams(link: NatsLink, configs: Sequence[Mapping[str, object]]) -> None:
    """Make what is missing, correct what has drifted. Raises `StreamRefused` or `NatsAway`."""
    for config in configs:
        await _ensure_stream(link, config)


async def ensure_hint_consumer(link: NatsLink) -> None:
    """Creating it again corrects it. Raises `StreamRefused` or `NatsAway`."""
    config = {
        "durable_name": HINT_CONSUMER,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": HINT_ACK_WAIT_SECONDS * SECOND_NS,
        "max_ack_pending": HINTS_UNACKNOWLEDGED_MAX,
        "replay_policy": "instant",
    }
    body = {"stream_name": JOBS, "config": config}
    answer = await call_api(link, f"CONSUMER.DURABLE.CREATE.{JOBS}.{HINT_CONSUMER}", body)
    _refuse_error(answer, f"consumer {HINT_CONSUMER} of {JOBS}")


async def _ensure_stream(link: NatsLink, config: Mapping[str, object]) -> None:
    name = str(config["name"])
    answer = await call_api(link, f"STREAM.INFO.{name}")
    if _error_code(answer) == STREAM_NOT_FOUND:
        answer = await call_api(link, f"STREAM.CREATE.{name}", dict(config))
        if _error_code(answer) == STREAM_NAME_IN_USE:  # another process was quicker, with other settings
            answer = await call_api(link, f"STREAM.INFO.{name}")
    _refuse_error(answer, f"stream {name}")
    present = answer["config"]
    drift = {key: present.get(key) for key, wanted in config.items() if present.get(key) != wanted}
    if not drift:
        return
    wanted = {key: config[key] for key in drift}
    logger.warning("nats.stream_corrected", kind=name, reason=f"{drift} instead of {wanted}")
    answer = await call_api(link, f"STREAM.UPDATE.{name}", {**present, **config})
    _refuse_error(answer, f"stream {name} has {drift} and should have {wanted}, delete it (it fills again by itself)")


async def call_api(link: NatsLink, verb: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
    """One JetStream request; the answer may carry an `error`. Raises `NatsAway`, also while JetStream starts."""
    message = await link.request(f"$JS.API.{verb}", json.dumps(body).encode() if body is not None else b"")
    if not message.data:
        raise NatsAway(f"JetStream does not answer: {status_of(message)}")
    answer: dict[str, Any] = json.loads(message.data)
    if "error" in answer and answer["error"].get("code") == 503:
        raise NatsAway(f"JetStream: {answer['error'].get('description')}")
    return answer


def status_of(message: Msg) -> str | None:
    """The status that the server sets on a message of its own, None on anybody's message."""
    return message.headers.get("Status") if message.headers else None


def _error_code(answer: Mapping[str, Any]) -> int | None:
    return answer["error"].get("err_code") if "error" in answer else None


def _refuse_error(answer: Mapping[str, Any], what: str) -> None:
    if "error" in answer:
        raise StreamRefused(f"NATS refuses: {what}: {answer['error'].get('description')}")
