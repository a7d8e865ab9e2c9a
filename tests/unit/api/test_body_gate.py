"""Bodies that the edge refuses before a framework sees them, and those that it lets through: rows 1 to 32."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.body_gate import (
    AUDIO_BYTES_MAX,
    BODY_BYTES_MAX,
    BODY_RULES,
    DOCUMENT_BYTES_MAX,
    FRAMING_BYTES_MAX,
    BodyGate,
)
from tests.support.asgi_client import Reply, send_request
from tests.support.echo_app import EchoApp, multipart, token

JSON = ("content-type", "application/json")


_edge = cache(lambda: EchoApp().edge())


async def post(
    path: str,
    *chunks: bytes,
    kind: tuple[str, str | bytes] | None = JSON,
    extra: tuple[str, str] | None = None,
    then: str = "wait",
) -> Reply:
    """Says the true length, unless `extra` says something about it."""
    headers: list[tuple[str, str | bytes]] = [("authorization", f"Bearer {token()}")]
    headers += [header for header in (kind, extra) if header is not None]
    if extra is None or extra[0] not in ("content-length", "transfer-encoding"):
        headers.append(("content-length", str(sum(map(len, chunks)))))
    return await send_request(_edge(), "POST", path, headers=headers, chunks=chunks or (b"",), then=then)


MALFORMED = {
    "empty": b"",
    "truncated": b'{"text": "x',
    "trailing junk": b'{"text": "x"} y',
    "BOM": b'\xef\xbb\xbf{"text": "x"}',
    "UTF-16": '{"text": "x"}'.encode("utf-16"),
    "bad UTF-8": b'{"text": "\xff"}',
    "lone surrogate": rb'{"text": "\ud800"}',
    "deep array": b'{"text": ' + b"[" * 990 + b"]" * 990 + b"}",
    "very deep": b"[" * 60_000,
    "NaN": b'{"text": NaN}',
    "1e999": b'{"text": 1e999}',
    "400 digits": b'{"text": ' + b"1" * 400 + b"}",
    "duplicate key": b'{"text": "x", "text": "y"}',
    "array": b"[]",
    "null": b"null",
    "number": b"1",
    "NUL": rb'{"text": "\u0000"}',
}


@pytest.mark.parametrize("path", ["/api/v1/message", "/api/v1/typed"])
@pytest.mark.parametrize("name", MALFORMED)
async def test_a_body_that_is_not_one_plain_json_object_is_400(name: str, path: str) -> None:
    reply = await post(path, MALFORMED[name])
    assert (reply.status, reply.code) == (400, "invalid_json")
    assert reply.header("content-type") == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/v1/message", "/api/v1/typed"])
async def test_a_plain_body_reaches_its_handler_with_its_odd_characters(path: str) -> None:
    text = "héllo \u202e\U000e0041 \N{GRINNING FACE}"
    reply = await post(path, json.dumps({"text": text}).encode())
    assert reply.status in (201, 202)
    assert reply.json()["text"] == text


async def test_a_body_in_many_chunks_is_put_together() -> None:
    body = json.dumps({"text": "x" * 200}).encode()
    reply = await post("/api/v1/message", *[body[i : i + 7] for i in range(0, len(body), 7)])
    assert reply.json()["text"] == "x" * 200


@pytest.mark.parametrize(
    "kind",
    [
        *("application/xml", "application/x-www-form-urlencoded", "text/plain", "application/jsonx", "json", ""),
        *("application/json; charset=utf-16", "application/json; charset=utf-8; charset=utf-16"),
        *("application/json;version=1", "application/json, application/json", "application/msgpack"),
    ],
)
async def test_another_media_type_is_415(kind: str) -> None:
    reply = await post("/api/v1/message", b'{"text": "x"}', kind=("content-type", kind))
    assert (reply.status, reply.code) == (415, "unsupported_media_type")
    assert reply.chunks_read == 0


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
async def test_json_is_taken_however_its_type_is_written(kind: str) -> None:
    assert (await post("/api/v1/message", b'{"text": "x"}', kind=("content-type", kind))).status == 202


async def test_no_media_type_and_two_media_types_are_415() -> None:
    assert (await post("/api/v1/message", b'{"text": "x"}', kind=None)).status == 415
    assert (await post("/api/v1/message", b'{"text": "x"}', extra=JSON)).status == 415


@pytest.mark.parametrize("coding", ["gzip", "br", "identity", ""])
async def test_a_coded_body_is_415_and_never_read(coding: str) -> None:
    reply = await post("/api/v1/message", b"\x1f\x8b", extra=("content-encoding", coding))
    assert (reply.status, reply.chunks_read) == (415, 0)


LIMITS = {
    "/api/v1/message": BODY_BYTES_MAX,
    "/api/v1/typed": BODY_BYTES_MAX,
    "/api/v1/notes": DOCUMENT_BYTES_MAX,
    "/api/v1/calendar/import": DOCUMENT_BYTES_MAX,
}


def _kind(path: str) -> tuple[str, str]:
    return ("content-type", "text/calendar") if path.endswith("import") else JSON


@pytest.mark.parametrize("path", LIMITS)
async def test_a_longer_body_that_says_so_is_413_and_never_read(path: str) -> None:
    reply = await post(path, b"x", kind=_kind(path), extra=("content-length", str(LIMITS[path] + 1)))
    assert (reply.status, reply.code, reply.chunks_read) == (413, "body_too_large", 0)
    assert reply.header("connection") == "close"


@pytest.mark.parametrize("path", LIMITS)
async def test_a_longer_body_in_chunks_is_413_at_the_chunk_that_is_too_much(path: str) -> None:
    chunk = b"x" * (LIMITS[path] // 2)
    reply = await post(path, *[chunk] * 5, kind=_kind(path), extra=("transfer-encoding", "chunked"))
    assert (reply.status, reply.chunks_read) == (413, 3)
    assert reply.header("connection") == "close"


async def test_a_longer_body_in_one_chunk_is_413() -> None:
    reply = await post("/api/v1/message", b"x" * (BODY_BYTES_MAX + 1), extra=("transfer-encoding", "chunked"))
    assert reply.status == 413


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    body = b'{"text": "x"}'.ljust(BODY_BYTES_MAX)
    assert (await post("/api/v1/message", body)).status == 202
    note = b'{"text": "x"}'.ljust(DOCUMENT_BYTES_MAX)
    assert (await post("/api/v1/notes", note)).json() == {"size": DOCUMENT_BYTES_MAX}


@pytest.mark.parametrize("length", ["9" * 400, "-1", "1e3", "٣".encode().decode("latin-1"), "0x10", " "])
async def test_a_length_that_is_no_small_number_is_refused(length: str) -> None:
    assert (await post("/api/v1/message", b"{}", extra=("content-length", length))).status in (400, 413)


@pytest.mark.parametrize("path", ["/api/v1/message", "/api/v1/voice-upload"])
async def test_a_client_that_leaves_in_the_middle_gets_no_answer(path: str) -> None:
    kind, body = multipart(b"x")
    header = ("content-type", kind) if path.endswith("upload") else JSON
    reply = await post(path, body[:9], kind=header, extra=("transfer-encoding", "chunked"), then="gone")
    assert reply.status == 0


async def test_a_file_passes_and_is_read_by_its_handler() -> None:
    kind, body = multipart(b"x" * 70_000)
    reply = await post("/api/v1/voice-upload", body[:50_000], body[50_000:], kind=("content-type", kind))
    assert (reply.status, reply.json()) == (201, {"size": len(body)})


async def test_a_file_beyond_the_limit_is_413_while_its_handler_reads() -> None:
    kind, body = multipart(b"x" * 65_536)
    count = (AUDIO_BYTES_MAX + FRAMING_BYTES_MAX) // len(body) + 9
    chunks = [body[:-40], *[b"x" * len(body)] * count]
    reply = await post(
        "/api/v1/voice-upload", *chunks, kind=("content-type", kind), extra=("transfer-encoding", "chunked")
    )
    assert (reply.status, reply.code) == (413, "body_too_large")
    assert reply.chunks_read < len(chunks)


async def test_where_a_file_goes_json_is_held_to_the_limit_of_json() -> None:
    big = b'{"url": "x"}'.ljust(BODY_BYTES_MAX + 1)
    assert (await post("/api/v1/voice-upload", big)).status == 413


@pytest.mark.parametrize("body", [b"", b"{}", b" { } "])
@pytest.mark.parametrize("kind", [None, JSON])
async def test_stop_takes_an_empty_body_and_an_empty_object(body: bytes, kind: tuple[str, str] | None) -> None:
    if body and kind is None:
        return
    reply = await post("/api/v1/message/m1/stop", body, kind=kind)
    assert (reply.status, reply.json()) == (200, {"id": "m1", "body": {}})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_method_without_a_body_takes_none(method: str) -> None:
    headers = [("authorization", f"Bearer {token()}"), ("content-length", "2"), JSON]
    reply = await send_request(_edge(), method, "/api/v1/state", headers=headers, chunks=(b"{}",))
    assert reply.status == 400


async def test_delete_takes_nothing_but_an_empty_object() -> None:
    async def delete(body: bytes) -> int:
        headers = [("authorization", f"Bearer {token()}"), ("content-length", str(len(body))), JSON]
        edge = _edge()
        return (await send_request(edge, "DELETE", "/api/v1/notes/n1", headers=headers, chunks=(body,))).status

    assert [await delete(body) for body in (b"", b"{}", b'{"a": 1}', b"x")] == [404, 404, 400, 400]


async def test_the_handler_gets_the_object_that_was_checked_and_no_second_parse() -> None:
    """Litestar has its own parser, which takes the last of two equal keys: it must never run."""
    reply = await post("/api/v1/typed", b'{"text": "x", "channel": "voice"}')
    assert (reply.status, reply.json()) == (201, {"text": "x"})


def test_each_template_matches_its_own_paths_only() -> None:
    gate = BodyGate()
    for path, rule in BODY_RULES.items():
        assert gate.rule("POST", path.replace("{", "x").replace("}", "y")) == rule
    assert gate.rule("POST", "/api/v1/message/a/b/stop") == gate.rule("POST", "/api/v1/message")
    assert gate.rule("POST", "/api/v1/message//stop") == gate.rule("POST", "/api/v1/message")


_bodies = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=30).map(lambda text: json.dumps({"text": text}).encode()),
    st.text(st.sampled_from('{}[]":,\\u0dD8019eE+-.ntfNaI '), max_size=40).map(str.encode),
)


@given(_bodies, st.sampled_from([JSON, ("content-type", "text/plain")]), st.integers(1, 9))
async def test_no_body_whatever_is_answered_with_a_server_error(body: bytes, kind: tuple[str, str], size: int) -> None:
    chunks = [body[place : place + size] for place in range(0, len(body), size)]
    for path in ("/api/v1/message", "/api/v1/typed"):
        reply = await post(path, *chunks, kind=kind)
        assert reply.status in (201, 202, 400, 415)
        assert reply.complete
