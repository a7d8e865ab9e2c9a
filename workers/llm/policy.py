"""What a failed model call means: from HTTP statuses, providers' codes and broken connections to one `ModelError`.

    refused           the request, key or model is wrong, or the answer was filtered    never again
    context_too_long  the prompt does not fit                                           not as it is
    quota             an allowance is used up                                           not today
    rate_limited      too many calls just now                                           later
    timeout           silence, or an answer that took too long                          again
    truncated         the stream broke off                                              again
    unavailable       the provider is down, overloaded or out of reach                  again
    bad_answer        what came is not an answer                                        again

It must not decide how often or when to try again: that is the worker's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec

from domain.ports import ModelError
from domain.text import one_line

DETAIL_CHARACTERS_MAX = 300
RETRYABLE = frozenset({"rate_limited", "timeout", "truncated", "unavailable", "bad_answer"})

# Codes and types of OpenAI and of servers that speak like it.
_BY_NAME: Mapping[str, str] = {
    "context_length_exceeded": "context_too_long",
    "exceed_context_size_error": "context_too_long",
    "string_above_max_length": "context_too_long",
    "insufficient_quota": "quota",
    "billing_hard_limit_reached": "quota",
    "billing_not_active": "quota",
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "model_not_found": "refused",
    "invalid_api_key": "refused",
    "rate_limit_exceeded": "rate_limited",
    "rate_limit_error": "rate_limited",
    "overloaded_error": "unavailable",
    "server_error": "unavailable",
    "unavailable_error": "unavailable",
}

# Workers AI and AI Gateway. Two share HTTP 429 and mean opposite things: 3036 is the daily allowance, 3040 passes soon.
WORKERS_AI_CODES: Mapping[int, str] = {
    3003: "refused",  # headers or body incomplete
    3006: "context_too_long",  # request too large
    3007: "timeout",
    3008: "unavailable",  # aborted
    3021: "rate_limited",  # inference requests a minute
    3023: "refused",  # account blocked
    3036: "quota",  # daily free allocation used up
    3039: "refused",  # files missing in a finetune
    3040: "unavailable",  # out of capacity
    3041: "refused",  # account not allowed for this model
    3042: "refused",  # no such model name
    5004: "refused",  # invalid data
    5005: "refused",  # no LoRA for this model
    5007: "refused",  # no such model or task
    5016: "refused",  # model terms not agreed to
    5018: "refused",  # account not allowed for this model
    5019: "refused",  # SDK version deprecated
    5021: "context_too_long",
}

_CONTEXT = re.compile(
    r"context (?:length|window|size)|maximum context|prompt is too long|too many (?:input |prompt )?tokens"
    r"|max_model_len",
    re.IGNORECASE,
)
_CONTEXT_TOKENS = re.compile(r"(?:context (?:length|window)[a-z ]*?(?:is|of|limit)|max_model_len)\D{0,3}(\d{3,8})\b")
_JSON_MODE = re.compile(r"JSON mode couldn.?t be met", re.IGNORECASE)  # Workers AI's words; it gives them no number


@dataclass(frozen=True, slots=True)
class _Told:
    """What an error body says, whatever its form."""

    message: str = ""
    names: tuple[str, ...] = ()
    number: int | None = None
    context_tokens: int | None = None


def failure_of_response(
    status: int, headers: httpx.Headers, body: bytes, *, codes: Mapping[int, str] | None = None
) -> ModelError:
    """From an answer with an error status. `codes`: the provider's own numbers."""
    return _failure(status, _told(body), codes or {}, _retry_after_seconds(headers))


def failure_of_payload(payload: bytes, *, codes: Mapping[int, str] | None = None) -> ModelError:
    """From an error that arrived in the stream, or in a body with status 200."""
    told = _told(payload)
    status = told.number if told.number is not None and 400 <= told.number <= 599 else None
    return _failure(status, told, codes or {}, None)


def failure_of_transport(error: Exception, *, begun: bool) -> ModelError:
    """From what httpx raised. `begun`: the head of the answer was there already."""
    if isinstance(error, httpx.TimeoutException):
        code, text = "timeout", "connecting took too long" if isinstance(error, httpx.ConnectTimeout) else str(error)
    elif begun:
        code, text = "truncated", str(error)
    elif isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError | httpx.InvalidURL):
        code, text = "refused", str(error)
    else:
        code, text = "unavailable", str(error)
    return failure(code, text or type(error).__name__)


def failure(code: str, detail: str, *, retry_after_seconds: float | None = None) -> ModelError:
    """A `ModelError` whose detail is one short printable line."""
    line = one_line(detail)[:DETAIL_CHARACTERS_MAX]
    return ModelError(code, line, retryable=code in RETRYABLE, retry_after_seconds=retry_after_seconds)


def context_tokens_told(body: bytes) -> int | None:
    """The size of the context window where an error about it names one."""
    told = _told(body)
    if told.context_tokens is not None:
        return told.context_tokens
    match = _CONTEXT_TOKENS.search(told.message)
    return int(match.group(1)) if match else None


def _failure(status: int | None, told: _Told, codes: Mapping[int, str], retry_after: float | None) -> ModelError:
    code = _code_of(status, told, codes)
    parts = [f"HTTP {status}" if status else "", *told.names, str(told.number or ""), told.message]
    detail = " · ".join(dict.fromkeys(part for part in parts if part and part != str(status)))
    return failure(code, detail or "no reason given", retry_after_seconds=retry_after)


def _code_of(status: int | None, told: _Told, codes: Mapping[int, str]) -> str:
    if _JSON_MODE.search(told.message):
        return "bad_answer"
    if told.number is not None and told.number in codes:
        return codes[told.number]
    for name in told.names:
        if name in _BY_NAME:
            return _BY_NAME[name]
    if status != 429 and _CONTEXT.search(told.message):
        return "context_too_long"
    match status:
        case None:
            return "unavailable"
        case 429:
            return "rate_limited"
        case 402:
            return "quota"
        case 408:
            return "timeout"
        case 413:
            return "context_too_long"
        case 409 | 425:
            return "unavailable"
        case 501 | 505:
            return "refused"
        case _:
            return "unavailable" if status >= 500 else "refused"


def _told(body: bytes) -> _Told:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _Told()  # An HTML page, most often: its status says all that is of use.
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return _Told()
    inner = value.get("error")
    errors = value.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        inner = errors[0]
    if isinstance(inner, str):
        inner = {"message": inner}
    return _told_by(inner if isinstance(inner, dict) else value)


def _told_by(error: Mapping[str, Any]) -> _Told:
    # A list under `detail` repeats the input that failed to validate: it may hold the prompt and is left out.
    message = next((error[k] for k in ("message", "description", "detail") if isinstance(error.get(k), str)), "")
    names = tuple(error[k] for k in ("code", "type") if isinstance(error.get(k), str) and error[k])
    numbers = [error.get(k) for k in ("internalCode", "code")]
    for name in names:
        if name.isascii() and name.isdigit() and len(name) < 9:
            numbers.append(int(name))
    number = next((n for n in numbers if isinstance(n, int) and not isinstance(n, bool)), None)
    n_ctx = error.get("n_ctx")
    return _Told(message, names, number, n_ctx if isinstance(n_ctx, int) and n_ctx > 0 else None)


def _retry_after_seconds(headers: httpx.Headers) -> float | None:
    """From `Retry-After-Ms`, or `Retry-After` in seconds or as a date, which counts from the answer's own `Date`."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1_000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, TypeError):
        return None
    return max(0.0, wait.total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None
