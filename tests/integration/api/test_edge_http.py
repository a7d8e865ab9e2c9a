"""What only a real connection shows: malformed HTTP, limits of the head, connections that end. Rows 21 to 40."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from api.http.protocol import WireLimits
from api.http.server import Server
from tests.support.echo_app import EchoApp, token
from tests.support.serving import Connection, RawReply, connected, serving

BODY = b'{"text": "x"}'
HEAD_BYTES_MAX = WireLimits().head_bytes_max
HASTY = WireLimits(head_seconds_max=1.0, body_seconds_max=1.0)
"""For what waits until a clock runs out. All others use the usual limits."""


def ask(
    *lines: str, body: bytes = b"", method: str = "POST", path: str = "/api/v1/message", length: bool = True
) -> bytes:
    """A good request but for `lines`."""
    head = [f"{method} {path} HTTP/1.1", "Host: test", f"Authorization: Bearer {token()}"]
    if body:
        head.append("Content-Type: application/json")
    if length and body:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, *lines, "", ""]).encode("latin-1") + body


@pytest.fixture(scope="module", params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
async def server(anyio_backend: object) -> AsyncIterator[Server]:
    async with serving(EchoApp().edge()) as running:
        yield running


@pytest.fixture(scope="module")
async def hasty_server(anyio_backend: object) -> AsyncIterator[Server]:
    async with serving(EchoApp().edge(), limits=HASTY) as running:
        yield running


@pytest.fixture
async def connection(server: Server) -> AsyncIterator[Connection]:
    async with connected(server) as opened:
        yield opened


def check_problem(reply: RawReply, status: int) -> None:
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["x-request-id"]
    assert json.loads(reply.body)["status"] == status


async def test_requests_follow_each_other_on_one_connection(connection: Connection) -> None:
    for number in range(3):
        await connection.write(ask(body=b'{"text": "%d"}' % number))
        reply = await connection.reply()
        assert (reply.status, json.loads(reply.body)["text"]) == (202, str(number))
        assert len(reply.names) == len(set(reply.names))
        assert not {"server", "date", "connection"} & set(reply.names)


async def test_requests_sent_at_once_are_answered_in_order(connection: Connection) -> None:
    await connection.write(b"".join(ask(body=b'{"text": "%d"}' % number) for number in range(3)))
    assert [json.loads((await connection.reply()).body)["text"] for _ in range(3)] == ["0", "1", "2"]


MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "both lengths": ask("Transfer-Encoding: chunked", body=BODY),
    "two lengths": ask("Content-Length: 13", body=BODY),
    "two lengths that differ": ask("Content-Length: 12", body=BODY),
    "a negative length": ask("Content-Length: -1"),
    "a length in words": ask("Content-Length: ten"),
    "a length with a plus": ask("Content-Length: +13", body=BODY, length=False),
    "a length of many digits": ask("Content-Length: " + "9" * 40),
    "a bad chunk": ask("Transfer-Encoding: chunked", "Content-Type: application/json") + b"zz\r\n",
    "a chunk without its end": ask("Transfer-Encoding: chunked", "Content-Type: application/json")
    + b"1\r\n{x\r\n0\r\n",
    "an unknown coding": ask("Transfer-Encoding: gzip", body=BODY, length=False),
    "a coding before chunked": ask(
        "Transfer-Encoding: gzip, chunked",
        "Content-Type: application/json",
        body=b"d\r\n" + BODY + b"\r\n0\r\n\r\n",
        length=False,
    ),
    "chunked not last": ask("Transfer-Encoding: chunked, gzip", body=BODY, length=False),
    "no host": b"GET /health/live HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a space before the colon": b"GET /health/live HTTP/1.1\r\nHost : a\r\n\r\n",
    "a folded header": b"GET /health/live HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "NUL in a header": b"GET /health/live HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "a bare line feed": b"GET /health/live HTTP/1.1\nHost: a\n\n",
    "an unknown method": b"BREW /health/live HTTP/1.1\r\nHost: a\r\n\r\n",
    "no path": b"GET HTTP/1.1\r\nHost: a\r\n\r\n",
    "a path that is not ASCII": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "CONNECT": b"CONNECT example.com:443 HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_not_plain_http_is_400_and_ends_the_connection(connection: Connection, name: str) -> None:
    await connection.write(MALFORMED[name])
    reply = await connection.reply()
    check_problem(reply, 400)
    assert reply.headers["connection"] == "close"
    assert await connection.closed() == b""


async def test_nothing_after_a_malformed_request_is_served(connection: Connection) -> None:
    """Whatever hides behind two lengths must not become a request of its own."""
    smuggled = ask(body=BODY)
    await connection.write(ask("Transfer-Encoding: chunked", body=b"0\r\n\r\n" + smuggled))
    assert (await connection.reply()).status == 400
    assert await connection.closed() == b""


HEADS = {
    "one long header": ask("X: " + "x" * HEAD_BYTES_MAX),
    "200 kB": ask("X: " + "x" * 200_000),
    "200 kB that never end": ask()[:-2] + b"X: " + b"x" * 200_000,
    "many headers": ask(*[f"X-{number}: 1" for number in range(200)]),
    "a long path": ask(path="/" + "x" * HEAD_BYTES_MAX, method="GET"),
}


@pytest.mark.parametrize("name", HEADS)
async def test_a_head_that_is_too_large_is_431_and_ends_the_connection(connection: Connection, name: str) -> None:
    connection.writer.write(HEADS[name])
    reply = await connection.reply()
    check_problem(reply, 431)
    assert await connection.closed() == b""


async def test_a_head_of_nearly_the_limit_is_fine(connection: Connection) -> None:
    for _ in range(2):
        await connection.write(ask("X: " + "x" * (HEAD_BYTES_MAX - 1_000), body=BODY))
        assert (await connection.reply()).status == 202


async def test_a_head_that_comes_too_slowly_is_408(hasty_server: Server) -> None:
    async with connected(hasty_server, first=b"GET /health/live HTTP/1.1\r\nHost: a\r\n") as hasty:
        check_problem(await hasty.reply(), 408)
        assert await hasty.closed() == b""


async def test_the_second_head_of_a_connection_has_its_clock_too(hasty_server: Server) -> None:
    async with connected(hasty_server, first=ask(body=BODY) + b"GET /health") as hasty:
        assert (await hasty.reply()).status == 202
        check_problem(await hasty.reply(), 408)
        assert await hasty.closed() == b""


async def test_a_connection_that_says_nothing_is_closed(hasty_server: Server) -> None:
    async with connected(hasty_server) as hasty:
        assert await hasty.closed() == b""


async def test_a_body_that_comes_too_slowly_is_408_and_ends_the_connection(hasty_server: Server) -> None:
    begun = ask("Content-Length: 13", "Content-Type: application/json") + b"{"
    async with connected(hasty_server, first=begun) as hasty:
        check_problem(await hasty.reply(), 408)
        assert await hasty.closed() == b""


async def test_a_file_that_comes_too_slowly_is_408_while_its_handler_reads(hasty_server: Server) -> None:
    lines = ("Transfer-Encoding: chunked", "Content-Type: multipart/form-data; boundary=b")
    begun = ask(*lines, path="/api/v1/voice-upload") + b"1\r\n-\r\n"
    async with connected(hasty_server, first=begun) as hasty:
        check_problem(await hasty.reply(), 408)


async def test_a_long_body_has_more_time(hasty_server: Server) -> None:
    """A second more for each 64 KiB: this one takes longer than a small one may, and has 17 s for it."""
    size = 16 * HASTY.bytes_per_second_min
    head = ask(f"Content-Length: {size}", "Content-Type: text/calendar", path="/api/v1/calendar/import")
    async with connected(hasty_server, first=head + b"x" * 1_000) as hasty:
        await hasty.write(b"x" * (size - 1_001))
        await asyncio.sleep(1.5 * HASTY.body_seconds_max)
        await hasty.write(b"x")
        assert json.loads((await hasty.reply()).body) == {"size": size}


@pytest.mark.parametrize(
    "framing", ["Content-Length: 65537", "Content-Length: 99999999999", "Transfer-Encoding: chunked"]
)
async def test_a_body_that_is_too_large_is_413_and_is_not_read_on(connection: Connection, framing: str) -> None:
    await connection.write(ask(framing, "Content-Type: application/json"))
    if framing.startswith("T"):
        connection.writer.write(b"20000\r\n" + b"x" * 0x20000)
    check_problem(await connection.reply(), 413)
    assert await connection.closed() == b""


async def test_a_client_that_asks_first_is_refused_before_it_sends(connection: Connection) -> None:
    await connection.write(ask("Content-Length: 65537", "Content-Type: application/json", "Expect: 100-continue"))
    check_problem(await connection.reply(), 413)


async def test_a_client_that_asks_first_is_told_to_go_on(connection: Connection) -> None:
    await connection.write(ask("Content-Length: 13", "Content-Type: application/json", "Expect: 100-continue"))
    assert (await connection.reply()).status == 100
    await connection.write(BODY)
    assert (await connection.reply()).status == 202


async def test_a_body_in_chunks_is_read(connection: Connection) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n"
    await connection.write(ask("Transfer-Encoding: chunked", "Content-Type: application/json") + chunks)
    assert (await connection.reply()).status == 202


async def test_head_has_the_length_and_no_body(connection: Connection) -> None:
    await connection.write(ask(method="HEAD", path="/api/v1/state"))
    head = await connection.reader.readuntil(b"\r\n\r\n")
    assert b"200 OK" in head
    assert b"content-length: 2" in head
    await connection.write(ask(method="GET", path="/api/v1/state"))
    assert (await connection.reply()).status == 200


async def test_trace_is_405(connection: Connection) -> None:
    await connection.write(ask(method="TRACE", path="/api/v1/state"))
    reply = await connection.reply()
    check_problem(reply, 405)
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_an_upgrade_to_something_else_is_just_not_done(connection: Connection) -> None:
    await connection.write(ask("Connection: Upgrade", "Upgrade: h2c", method="GET", path="/api/v1/state"))
    assert (await connection.reply()).status == 200


async def test_a_failure_after_the_answer_began_cuts_the_connection(connection: Connection) -> None:
    """An end that looks like one would make half an answer a whole one."""
    await connection.write(ask(method="GET", path="/api/v1/half"))
    reply = await connection.reply()
    assert reply.headers["transfer-encoding"] == "chunked"
    assert await connection.closed() == b"4\r\nhalf\r\n"


_UPGRADE = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: " + "A" * 22 + "==",
]


async def test_a_socket_opens_over_a_real_connection(connection: Connection) -> None:
    await connection.write(ask(*_UPGRADE, method="GET", path="/api/v1/realtime"))
    reply = await connection.reply()
    assert reply.status == 101
    assert await connection.reader.readexactly(4) == b"\x81\x02u1"


async def test_a_socket_without_a_token_gets_the_problem(connection: Connection) -> None:
    lines = ["GET /api/v1/realtime HTTP/1.1", "Host: test", *_UPGRADE, "", ""]
    await connection.write("\r\n".join(lines).encode())
    check_problem(await connection.reply(), 401)


async def test_a_malformed_request_behind_another_gets_no_answer_that_could_be_taken_for_the_first(
    connection: Connection,
) -> None:
    await connection.write(ask(method="GET", path="/api/v1/stream/s1"))
    await connection.reader.readuntil(b"data: u1\n\n")
    await connection.write(b"hello\r\n\r\n")
    assert b"HTTP/1.1" not in await connection.closed()
