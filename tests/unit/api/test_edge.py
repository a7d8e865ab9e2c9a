"""The wrapper around the application: who may come in, what every answer carries, what no answer tells."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import httpx
import pytest
from litestar import Litestar

from api.auth.authenticator import authenticator_from_settings
from api.http.edge import Edge, litestar_options
from api.http.headers import SECURITY, Cors
from api.http.server import server_config_from_settings
from infra.clock import ManualClock
from infra.ids import SeededIds
from infra.settings import Settings
from tests.support.asgi_client import Reply, scope_of, send_request
from tests.support.echo_app import FAILURES, NOW_SECONDS, ROUTES, SERVICE_TOKEN, EchoApp, token
from tests.support.token_maker import make

JSON = ("content-type", "application/json")


@cache
def edge() -> Edge:
    return EchoApp().edge()


async def ask(
    method: str, target: str, *headers: tuple[str, str | bytes], body: bytes = b"", bearer: str | None = ""
) -> Reply:
    """With a good token, unless `bearer` is another one or None."""
    listed = list(headers)
    if bearer is not None:
        listed.append(("authorization", f"Bearer {bearer or token()}"))
    if body:
        listed += [("content-length", str(len(body))), JSON]
    return await send_request(edge(), method, target, headers=listed, chunks=(body,))


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/api/v1/state", 200),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/nothing", 404),
        ("PUT", "/api/v1/state", 405),
        ("TRACE", "/api/v1/state", 405),
        ("GET", "/api/v1/fail/bug", 500),
        ("GET", "/api/v1/fail/unavailable", 503),
        ("GET", "/api/v1/state?x=1", 400),
        ("OPTIONS", "/api/v1/state", 204),
        ("GET", "/health/live", 200),
    ],
)
async def test_every_answer_carries_a_request_id_and_the_security_headers(
    method: str, target: str, status: int
) -> None:
    reply = await ask(method, target)
    assert reply.status == status
    assert reply.header("x-request-id")
    for name, value in SECURITY:
        assert reply.header(name.decode()) == value.decode()
    assert reply.header("cache-control") == "no-store"
    assert reply.header("server") is None
    assert reply.header("strict-transport-security") is None
    if status >= 400:
        assert reply.header("content-type") == "application/problem+json"
        assert reply.header("content-length") == str(len(reply.body))
        assert reply.json()["status"] == status


async def test_a_request_id_is_kept_when_it_is_one_word_and_made_when_it_is_not() -> None:
    assert (await ask("GET", "/health/live", ("x-request-id", "a-proxy-made-1"))).header(
        "x-request-id"
    ) == "a-proxy-made-1"
    for bad in ("short", "x" * 65, "two words here", 'quote"quote"', "line\nbreak-x", "é" * 10):
        made = (await ask("GET", "/health/live", ("x-request-id", bad))).header("x-request-id")
        assert made not in (None, bad)


async def test_over_tls_browsers_are_told_to_keep_to_it() -> None:
    reply = await ask("GET", "/health/live", ("x-forwarded-proto", "https"))
    assert reply.header("strict-transport-security") == "max-age=31536000"


@pytest.mark.parametrize("name", FAILURES)
async def test_no_answer_tells_what_an_exception_said(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    reply = await ask("GET", f"/api/v1/fail/{name}")
    assert reply.status >= 400
    assert b"secret text" not in reply.body
    captured = capsys.readouterr()
    assert "secret text" not in captured.out + captured.err
    if reply.status >= 500:
        assert str(reply.header("x-request-id")) in captured.err
    if reply.status in (429, 503):
        assert reply.header("retry-after") is not None


async def test_an_unknown_id_and_another_users_answer_the_same_bytes() -> None:
    first = await ask("DELETE", "/api/v1/notes/mine-not")
    second = await ask("DELETE", "/api/v1/notes/another-ones-0123456789", bearer=token(sub="u2"))
    assert first.status == 404
    assert first.body == second.body


BAD_TOKENS: dict[str, list[tuple[str, str | bytes]]] = {
    "none": [],
    "empty": [("authorization", "")],
    "no scheme": [("authorization", token())],
    "basic": [("authorization", f"Basic {token()}")],
    "two words": [("authorization", f"Bearer {token()} x")],
    "two headers": [("authorization", f"Bearer {token()}"), ("authorization", f"Bearer {token()}")],
    "not latin": [("authorization", b"Bearer \xff\xfe")],
    "expired": [("authorization", f"Bearer {token(exp=NOW_SECONDS - 11)}")],
    "another's signature": [("authorization", f"Bearer {token()[:-4]}AAAA")],
    "very long": [("authorization", "Bearer " + "a" * 1_000_000)],
    "in Access's header": [("cf-access-jwt-assertion", token())],
    "the service's": [("authorization", "Bearer " + SERVICE_TOKEN)],
}


@pytest.mark.parametrize("name", BAD_TOKENS)
async def test_whoever_is_not_believed_gets_the_same_401(name: str) -> None:
    reply = await ask("GET", "/api/v1/state", *BAD_TOKENS[name], bearer=None)
    expected = await ask("GET", "/api/v1/state", bearer=None)
    assert (reply.status, reply.body) == (401, expected.body)
    assert reply.header("www-authenticate") == 'Bearer realm="microcos"'


@pytest.mark.parametrize("target", ["/api/v1/state?access_token=", "/api/v1/state?token=", "/api/v1/state?jwt="])
async def test_a_token_in_the_url_is_not_read(target: str) -> None:
    assert (await ask("GET", target + token(), bearer=None)).status == 401


@pytest.mark.parametrize(
    "path",
    [
        *(
            "//api/v1/state",
            "/api//v1/state",
            "/./api/v1/state",
            "/x/../api/v1/state",
            "/%2Fapi/v1/state",
            "/api/v1/..",
        ),
        *("/api/v1/state%00", "/api/v1/state/%2e%2e/list", "\\api\\v1\\state", "/api/v1/state%0a", "api/v1/state"),
    ],
)
async def test_no_other_spelling_of_a_path_gets_around_the_token(path: str) -> None:
    for bearer in (None, ""):
        assert (await ask("GET", path, bearer=bearer)).status in (401, 404)


@pytest.mark.parametrize("path", ["/api/v1/state/", "/%61pi/v1/state"])
async def test_a_harmless_spelling_is_the_same_path(path: str) -> None:
    assert (await ask("GET", path, bearer=None)).status == 401
    assert (await ask("GET", path)).status == 200


async def test_public_routes_need_no_token_and_have_no_user() -> None:
    assert (await ask("GET", "/health/live", bearer=None)).status == 200
    reply = await ask("POST", "/auth/dev", body=b'{"code": "x"}', bearer=None)
    assert (reply.status, reply.json()) == (201, {"body": {"code": "x"}})


async def test_internal_routes_take_the_service_token_and_nothing_else() -> None:
    path = "/api/v1/complete-llm"
    with_user = await ask("POST", path, body=b"{}")
    assert (with_user.status, with_user.code) == (403, "forbidden")
    assert (await ask("POST", path, body=b"{}", bearer=None)).status == 401
    assert (await ask("POST", path, body=b"{}", bearer="no-token")).status == 401
    by_service = await ask("POST", path, body=b"{}", bearer=SERVICE_TOKEN)
    assert (by_service.status, by_service.json()) == (201, {"service": True})
    assert (await ask("GET", "/api/v1/state", bearer=SERVICE_TOKEN)).status == 401


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT"])
async def test_a_ticket_opens_a_stream_once(method: str) -> None:
    fresh = EchoApp().edge()

    async def take(target: str) -> int:
        return (await send_request(fresh, method, target, headers=(), chunks=(b"",), then="gone")).status

    opened = await take("/api/v1/stream/s1?ticket=good-ticket")
    assert opened == (200 if method in ("GET", "HEAD") else 401)
    assert await take("/api/v1/stream/s1?ticket=good-ticket") == 401
    assert await take("/api/v1/state?ticket=good-ticket") == 401


async def test_a_method_that_a_path_does_not_take_is_405_with_those_that_it_takes() -> None:
    for body in (b"", b"{}", b"x"):
        reply = await ask("PUT", "/api/v1/state", body=body)
        assert (reply.status, reply.header("allow")) == (405, "GET, HEAD, OPTIONS")
        assert (await ask("POST", "/api/v1/nothing", body=body)).status == 404
    raw = await ask("POST", "/api/v1/raw", body=b"{}")
    assert (raw.status, raw.header("allow")) == (405, "GET, HEAD, OPTIONS")
    assert (await ask("GET", "/api/v1/raw?x=y")).body == b"y"
    for method in ("TRACE", "CONNECT", "BREW"):
        reply = await ask(method, "/api/v1/state", bearer=None)
        assert (reply.status, reply.header("allow")) == (405, "GET, HEAD, OPTIONS")


async def test_options_lists_methods_without_a_token() -> None:
    reply = await ask("OPTIONS", "/api/v1/message", bearer=None)
    assert (reply.status, reply.header("allow"), reply.body) == (204, "OPTIONS, POST", b"")
    assert (await ask("OPTIONS", "/api/v1/nothing", bearer=None)).status == 404


async def test_head_is_get_without_the_body() -> None:
    got, headed = await ask("GET", "/api/v1/state"), await ask("HEAD", "/api/v1/state")
    assert (headed.status, headed.body, headed.complete) == (200, b"", True)
    assert headed.header("content-length") == got.header("content-length")
    assert (await ask("HEAD", "/api/v1/message")).status == 405


async def test_head_of_a_stream_ends_at_once() -> None:
    reply = await ask("HEAD", "/api/v1/stream/s1")
    assert (reply.status, reply.complete, reply.body) == (200, True, b"")


async def test_the_idempotency_key_is_one_header_of_printable_ascii() -> None:
    async def send(*headers: tuple[str, str | bytes]) -> Reply:
        return await ask("POST", "/api/v1/message", *headers, body=b'{"text": "x"}')

    assert (await send(("idempotency-key", "k" * 255))).json()["key"] == "k" * 255
    assert (await send(("idempotency-key", 'a "quoted" key'))).json()["key"] == 'a "quoted" key'
    assert (await send()).json()["key"] is None
    for bad in ("", "k" * 256, "a\tb", "a\x01b", "ключ".encode(), b"\xff"):
        reply = await send(("idempotency-key", bad))
        assert (reply.status, reply.code) == (400, "invalid_idempotency_key")
    assert (await send(("idempotency-key", "a"), ("idempotency-key", "a"))).status == 400


async def test_query_parameters_are_those_that_the_route_declares() -> None:
    assert (await ask("GET", "/api/v1/state?limit=7&since=x%20y")).json() == {"limit": 7, "since": "x y"}
    assert (await ask("GET", "/api/v1/list?cursor=a%2Bb")).json() == {"cursor": "a+b"}
    for bad in ("x=1", "limit=1&limit=2", "limit=1e3", "limit=5.0", "limit=-1", "limit=", "limit=%D9%A3", "cursor=1"):
        reply = await ask("GET", f"/api/v1/state?{bad}")
        assert (reply.status, reply.code) == (400, "invalid_query")
    for path in (
        "/api/v1/list?limit=1",
        "/health/live?x=1",
        "/api/v1/state?" + "&".join(f"p{n}=1" for n in range(3_000)),
    ):
        assert (await ask("GET", path)).status == 400


async def test_handlers_errors_in_fields_have_pointers_and_no_values() -> None:
    body = json.dumps({"text": "", "channel": "canary", "tags": ["ok", 1]}).encode()
    for path in ("/api/v1/message", "/api/v1/typed"):
        reply = await ask("POST", path, body=body)
        assert reply.status == 400
        assert {error["pointer"] for error in reply.json()["errors"]} == {"/text", "/channel", "/tags/1"}
        assert b"canary" not in reply.body


async def test_a_refusal_before_the_body_was_read_ends_the_connection() -> None:
    unread = await ask("POST", "/api/v1/message", body=b'{"text": "x"}', bearer="x.y.z")
    assert (unread.status, unread.chunks_read, unread.header("connection")) == (401, 0, "close")
    for body in (b'{"text": ""}', b"{"):
        assert (await ask("POST", "/api/v1/message", body=body)).header("connection") is None
    assert (await ask("GET", "/api/v1/state", bearer="x.y.z")).header("connection") is None


async def test_cors_answers_listed_origins_and_no_other() -> None:
    listed = EchoApp(cors=Cors(["https://app.example"])).edge()

    async def send(method: str, origin: str, *more: tuple[str, str]) -> Reply:
        headers = [("origin", origin), ("authorization", f"Bearer {token()}"), *more]
        return await send_request(listed, method, "/api/v1/state", headers=headers)

    reply = await send("GET", "https://app.example")
    assert reply.header("access-control-allow-origin") == "https://app.example"
    assert reply.header("cross-origin-resource-policy") == "cross-origin"
    assert "x-stream-version" in (reply.header("access-control-expose-headers") or "")
    preflight = await send("OPTIONS", "https://app.example", ("access-control-request-method", "POST"))
    assert preflight.status == 204
    assert "idempotency-key" in (preflight.header("access-control-allow-headers") or "")
    for origin in ("https://evil.example", "null", "https://app.example.evil.example", "http://app.example"):
        for method in ("GET", "OPTIONS"):
            other = await send(method, origin, ("access-control-request-method", "POST"))
            assert other.header("access-control-allow-origin") is None
            assert other.header("vary") == "origin"
    assert (await ask("GET", "/api/v1/state", ("origin", "https://app.example"))).header("vary") is None


async def test_each_answer_is_counted_by_its_template() -> None:
    app = EchoApp()
    counted = app.edge()
    for target in ("/api/v1/notes/a", "/api/v1/nothing"):
        await send_request(counted, "DELETE", target, headers=[("authorization", f"Bearer {token()}")])
    assert app.seen == [("/api/v1/notes/{note_id}", 404), ("", 404)]


async def _socket(*headers: tuple[str, str], path: str = "/api/v1/realtime", say: str = "bye") -> list[dict[str, Any]]:
    scope = {**scope_of("GET", path, headers), "type": "websocket", "scheme": "ws", "subprotocols": []}
    del scope["method"]
    scope["extensions"] = {"websocket.http.response": {}}
    said = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": say}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return said.pop(0) if said else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await EchoApp(cors=Cors(["https://app.example"])).edge()(scope, receive, send)
    return sent


async def test_a_socket_is_opened_by_a_token_or_a_ticket() -> None:
    by_token = await _socket(("authorization", f"Bearer {token()}"))
    assert [message["type"] for message in by_token] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert by_token[1]["text"] == "u1"
    assert (await _socket(path="/api/v1/realtime?ticket=good-ticket"))[1]["text"] == "u1"


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ([], "/api/v1/realtime", 401),
        ([], "/api/v1/realtime?ticket=another", 401),
        ([("authorization", "Bearer " + token()), ("origin", "https://evil.example")], "/api/v1/realtime", 403),
        ([("authorization", "Bearer " + token())], "/api/v1/nothing", 404),
    ],
)
async def test_a_socket_is_refused_with_a_problem(headers: list[tuple[str, str]], path: str, status: int) -> None:
    start, body = await _socket(*headers, path=path)
    assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
    assert json.loads(body["body"])["status"] == status
    assert b"x-request-id" in dict(start["headers"])


@pytest.mark.parametrize("origin", ["https://app.example", "http://test", "https://test"])
async def test_a_socket_may_come_from_our_own_page_and_from_listed_ones(origin: str) -> None:
    sent = await _socket(("authorization", f"Bearer {token()}"), ("origin", origin))
    assert sent[0]["type"] == "websocket.accept"


async def test_a_socket_that_fails_is_closed_without_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    sent = await _socket(("authorization", f"Bearer {token()}"), say="fail")
    assert sent[-1] == {"type": "websocket.close", "code": 1011}
    early = await _socket(("authorization", f"Bearer {token()}"), path="/api/v1/realtime?early=1")
    assert early[0]["status"] == 500
    logged = capsys.readouterr().err
    assert "secret text" not in f"{sent}{early}{logged}"
    assert "request failed" in logged


async def test_when_no_keys_can_be_fetched_nobody_is_called_a_stranger() -> None:
    async def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("secret text")

    settings = Settings(auth_mode="jwks", auth_jwks_url=("https://issuer/keys",), auth_issuer=("https://issuer",))
    app = Litestar(ROUTES, openapi_config=None, **litestar_options())
    async with httpx.AsyncClient(transport=httpx.MockTransport(away)) as http:
        clock = ManualClock(NOW_SECONDS * 1000)
        judged = Edge(app, authenticator_from_settings(settings, clock, http), clock=clock, new_id=SeededIds())
        headers = [("authorization", "Bearer " + make("RS256", {"iss": "https://issuer"}).decode())]
        reply = await send_request(judged, "GET", "/api/v1/state", headers=headers)
    assert (reply.status, reply.code, reply.header("retry-after")) == (503, "auth_unavailable", "1")


def test_the_server_takes_its_limits_from_the_settings() -> None:
    settings = Settings(port=0, body_timeout_seconds=3.0, drain_seconds=0.5)
    config = server_config_from_settings(edge(), settings, SeededIds())
    assert (config.host, config.port, config.timeout_graceful_shutdown) == ("127.0.0.1", 0, 1)
    assert not any((config.server_header, config.date_header, config.access_log, config.proxy_headers))
    protocol: Any = config.http
    assert protocol.args[1].body_seconds_max == 3.0
