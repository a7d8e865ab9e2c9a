"""What each failure means: the code, whether another try can help, and after how long."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import ModelError
from tests.support.fake_workers_ai import STATUSES, failed
from workers.llm.policy import (
    DETAIL_CHARACTERS_MAX,
    WORKERS_AI_CODES,
    context_tokens_told,
    failure_of_payload,
    failure_of_response,
    failure_of_transport,
)


def told(status: int, body: Any = None, **headers: str) -> ModelError:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    names = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return failure_of_response(status, names, content, codes=WORKERS_AI_CODES)


def openai_error(message: str, kind: str | None = None, code: Any = None, **more: Any) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "refused", False),
        (401, "refused", False),
        (402, "quota", False),
        (403, "refused", False),
        (404, "refused", False),
        (405, "refused", False),
        (408, "timeout", True),
        (409, "unavailable", True),
        (413, "context_too_long", False),
        (422, "refused", False),
        (425, "unavailable", True),
        (429, "rate_limited", True),
        (500, "unavailable", True),
        (501, "refused", False),
        (502, "unavailable", True),
        (503, "unavailable", True),
        (504, "unavailable", True),
        (529, "unavailable", True),
        (301, "refused", False),
        (204, "refused", False),
    ],
)
def test_a_status_alone_decides_where_the_body_says_nothing(status: int, code: str, retryable: bool) -> None:
    for body in (b"", b"<html>Bad gateway</html>", b"null", b"[]", b'{"error":null}', b"\xff"):
        error = told(status, body)
        assert (error.code, error.retryable) == (code, retryable)
        assert error.detail


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (429, openai_error("Slow down", "requests", "rate_limit_exceeded"), "rate_limited"),
        (400, failed(5004, "JSON Mode couldn't be met"), "bad_answer"),
        (500, {"error": "AiError: JSON mode couldn’t be met"}, "bad_answer"),
        (429, openai_error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"), "quota"),
        (429, openai_error("Too many tokens per min, the context window is not it"), "rate_limited"),
        (400, openai_error("x", code="context_length_exceeded"), "context_too_long"),
        (400, openai_error("too big", "exceed_context_size_error", 400, n_ctx=4096), "context_too_long"),
        (500, openai_error("the request exceeds the available context size"), "context_too_long"),
        (400, {"object": "error", "message": "maximum context length is 2048 tokens", "code": 400}, "context_too_long"),
        (400, openai_error("blocked", None, "content_filter"), "refused"),
        (400, [openai_error("Gemini answers with a list", "x", 400)], "refused"),
        (503, openai_error("Loading model", "unavailable_error", 503), "unavailable"),
        (500, {"detail": "boom"}, "unavailable"),
        (422, {"detail": [{"loc": ["body"], "msg": "bad", "input": "the user's secret"}]}, "refused"),
        (400, {"error": "model 'x' not found"}, "refused"),
        (429, {"name": "AiError", "httpCode": 429, "internalCode": 3021, "description": "rate"}, "rate_limited"),
        (400, failed(5021, "exceeded this model context window limit (24000)"), "context_too_long"),
        (401, failed(10000, "Authentication error"), "refused"),
    ],
)
def test_what_the_body_says_beats_the_status(status: int, body: Any, code: str) -> None:
    error = told(status, body)
    assert error.code == code
    assert "secret" not in error.detail


def test_each_code_of_workers_ai_has_a_meaning_and_the_two_kinds_of_429_are_opposites() -> None:
    assert set(STATUSES) <= set(WORKERS_AI_CODES)
    errors = {code: told(status, failed(code, "AiError")) for code, status in STATUSES.items()}
    assert {code for code, error in errors.items() if error.retryable} == {3007, 3008, 3021, 3040}
    assert (errors[3036].code, errors[3036].retryable) == ("quota", False)
    assert (errors[3040].code, errors[3040].retryable) == ("unavailable", True)
    assert errors[3006].code == "context_too_long"
    assert errors[5007].code == "refused"
    assert all(str(code) in error.detail for code, error in errors.items())


def test_a_code_of_workers_ai_means_nothing_to_another_provider() -> None:
    assert failure_of_response(429, httpx.Headers(), msgspec.json.encode(failed(3036, "x"))).code == "rate_limited"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "-3"}, 0.0),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "1e999"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:30 GMT", "date": "Wed, 21 Oct 2026 07:28:00 GMT"}, 30.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT", "date": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0.0),
        ({"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert told(429, None, **headers).retry_after_seconds == seconds


def test_an_error_in_the_stream_goes_by_its_own_number() -> None:
    assert failure_of_payload(b'{"error":{"message":"x","code":429}}').code == "rate_limited"
    assert failure_of_payload(b'{"error":{"message":"x","code":"502"}}').code == "unavailable"
    assert failure_of_payload(b'{"error":{"message":"x","code":12}}').code == "unavailable"


def test_broken_connections_differ_by_what_had_begun() -> None:
    gone = httpx.RemoteProtocolError("gone")
    assert failure_of_transport(gone, begun=False).code == "unavailable"
    assert failure_of_transport(gone, begun=True).code == "truncated"
    assert failure_of_transport(httpx.ReadTimeout("silence"), begun=True).code == "timeout"
    assert failure_of_transport(httpx.ConnectTimeout("x"), begun=False).code == "timeout"
    assert failure_of_transport(httpx.ConnectError(""), begun=False).detail == "ConnectError"
    refused = failure_of_transport(httpx.UnsupportedProtocol("ftp"), begun=False)
    assert (refused.code, refused.retryable) == ("refused", False)


@pytest.mark.parametrize(
    ("message", "tokens"),
    [
        ("This model's maximum context length is 8192 tokens. However, you requested 9000", 8192),
        ("exceeded this model context window limit (24000)", 24_000),
        ("max_model_len=2048", 2_048),
        ("no number here", None),
    ],
)
def test_the_window_is_learned_from_errors_that_name_it(message: str, tokens: int | None) -> None:
    assert context_tokens_told(msgspec.json.encode(openai_error(message))) == tokens
    assert context_tokens_told(msgspec.json.encode(openai_error(message, n_ctx=4096))) == 4096


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "code", "type", "message", "detail", "internalCode", "n_ctx"]), inner
        )
    ),
    max_leaves=8,
)


@given(body=json_values | st.binary(max_size=100), status=st.integers(min_value=100, max_value=599))
def test_any_body_with_any_status_gives_one_short_printable_line(body: Any, status: int) -> None:
    error = told(status, body)
    assert 0 < len(error.detail) <= DETAIL_CHARACTERS_MAX
    assert not any(ord(c) < 32 for c in error.detail)
