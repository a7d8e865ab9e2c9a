"""The HTTP/1.1 transport below the models against servers that answer byte for byte what a test says."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from workers.llm.transport import BUFFERED_BYTES_MAX, HEAD_BYTES_MAX, StreamingTransport

pytestmark = pytest.mark.anyio

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HELLO = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops: workers run on uvloop, whose transports differ in small things."""
    return "asyncio", {"use_uvloop": request.param}


class Scripted(asyncio.Protocol):
    """Answers the n-th request of the server with the n-th script; None closes, and so does the end of a script
    that says so."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server.connections.append(self)

    def data_received(self, data: bytes) -> None:
        self.server.received += data
        if not data.endswith((b"\r\n\r\n", b"{}")):
            return
        answer, close = self.server.script.pop(0)
        self.transport.write(answer)
        if close:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        self.server.lost.set()


class Server:
    def __init__(self, *script: bytes | tuple[bytes, bool]) -> None:
        self.script = [step if isinstance(step, tuple) else (step, False) for step in script]
        self.connections: list[Scripted] = []
        self.received = b""
        self.lost = asyncio.Event()
        self.url = ""

    @asynccontextmanager
    async def listening(self, context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Scripted(self), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{port}/path?x=1"
        try:
            yield self
        finally:
            server.close()
            for connection in self.connections:
                connection.transport.abort()
            await server.wait_closed()


@asynccontextmanager
async def client_of(server: Server, idle_seconds_max: float = 60.0) -> AsyncIterator[httpx.AsyncClient]:
    async with server.listening():
        transport = StreamingTransport(idle_seconds_max=idle_seconds_max)
        async with httpx.AsyncClient(transport=transport, timeout=60) as client:
            yield client


async def fetched(*script: bytes | tuple[bytes, bool]) -> httpx.Response:
    server = Server(*script)
    async with client_of(server) as client:
        return await client.post(server.url, content=b"{}")


async def test_the_request_is_sent_as_httpx_made_it() -> None:
    server = Server(HELLO)
    async with client_of(server) as client:
        response = await client.post(server.url, content=b"{}", headers={"x-a": "b"})
    head, _, body = server.received.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /path?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nx-a: b" in head
    assert body == b"{}"
    assert response.text == "hello"


@pytest.mark.parametrize(
    "answer",
    [
        HELLO,
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        (b"HTTP/1.1 200 OK\r\n\r\nhello", True),
        (b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nhello", True),
        b"HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\n" + HELLO,
        CHUNKED + b"2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nx-trailer: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b"
        % (len(gzip.compress(b"hello")), gzip.compress(b"hello")),
    ],
    ids=["chunked", "length", "until close", "HTTP/1.0", "after 100", "extensions and trailers", "gzip"],
)
async def test_a_body_ends_where_its_head_says(answer: bytes | tuple[bytes, bool]) -> None:
    response = await fetched(answer)
    assert response.text == "hello"
    assert "x-early" not in response.headers


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_is_whole(status: int) -> None:
    response = await fetched(b"HTTP/1.1 %d Nothing\r\n\r\n" % status)
    assert (response.status_code, response.content) == (status, b"")


@pytest.mark.parametrize(
    "answer",
    [
        (b"", True),
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * (HEAD_BYTES_MAX + 1) + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nabc",
        (CHUNKED + b"5\r\nhel", True),
        CHUNKED + b"zz\r\nhello\r\n",
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", True),
    ],
    ids=["nothing", "not HTTP", "endless head", "upgrade", "cut chunk", "bad chunk", "short body"],
)
async def test_what_is_not_a_whole_answer_is_a_protocol_error(answer: bytes | tuple[bytes, bool]) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await fetched(answer)


async def test_what_had_arrived_before_the_cut_is_handed_over_first() -> None:
    server = Server((CHUNKED + b"5\r\nhello\r\n3\r\nwo", True))
    async with client_of(server) as client, client.stream("POST", server.url, content=b"{}") as response:
        await server.lost.wait()
        pieces = response.aiter_raw()
        assert (await anext(pieces)).startswith(b"hello")
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(pieces)


async def test_a_connection_is_used_again_only_after_an_answer_read_to_its_end() -> None:
    closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
    server = Server(HELLO, HELLO, CHUNKED + b"5\r\nhello\r\n", closing, HELLO)
    connections = []
    async with client_of(server) as client:
        for _ in range(2):
            await client.post(server.url, content=b"{}")
            connections.append(len(server.connections))
        async with client.stream("POST", server.url, content=b"{}"):
            pass
        for _ in range(2):
            await client.post(server.url, content=b"{}")
            connections.append(len(server.connections))
    assert connections == [1, 1, 2, 3]


@pytest.mark.parametrize("disturb", [lambda c: c.transport.write(HELLO), lambda c: c.transport.close()])
async def test_an_idle_connection_that_the_server_touches_is_not_used_again(
    disturb: Callable[[Scripted], None],
) -> None:
    server = Server(HELLO, HELLO)
    async with client_of(server) as client:
        await client.post(server.url, content=b"{}")
        disturb(server.connections[0])
        await server.lost.wait()
        assert (await client.post(server.url, content=b"{}")).text == "hello"
        assert len(server.connections) == 2


async def test_an_idle_connection_is_closed_before_the_server_would() -> None:
    server = Server(HELLO)
    async with client_of(server, idle_seconds_max=0.01) as client:
        await client.post(server.url, content=b"{}")
        await server.lost.wait()


async def test_leaving_an_answer_closes_its_connection_at_once() -> None:
    server = Server(CHUNKED + b"5\r\nhello\r\n")
    async with client_of(server) as client:
        async with client.stream("POST", server.url, content=b"{}") as response:
            assert await anext(response.aiter_raw()) == b"hello"
        await server.lost.wait()


async def test_a_reader_that_is_slow_holds_the_server_back_instead_of_filling_memory() -> None:
    size = 64 * BUFFERED_BYTES_MAX
    server = Server(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (size, b"x" * size))
    async with client_of(server) as client, client.stream("POST", server.url, content=b"{}") as response:
        for _ in range(1_000):
            await asyncio.sleep(0)
        largest = total = 0
        async for piece in response.aiter_raw():
            largest = max(largest, len(piece))
            total += len(piece)
        assert total == size
        assert largest <= 3 * BUFFERED_BYTES_MAX


async def test_a_head_that_would_break_the_request_is_not_sent() -> None:
    server = Server(HELLO)
    async with client_of(server) as client:
        with pytest.raises(httpx.LocalProtocolError):
            await client.post(server.url, headers={"x": "a\r\nx-injected: 1"})
        assert server.received == b""


async def test_closing_the_client_ends_what_is_under_way() -> None:
    server = Server(CHUNKED + b"5\r\nhello\r\n")
    async with server.listening():
        client = httpx.AsyncClient(transport=StreamingTransport())
        response = await client.send(client.build_request("POST", server.url, content=b"{}"), stream=True)
        await client.aclose()
        await server.lost.wait()
        await response.aclose()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_path, key_path


async def test_tls_is_spoken_with_a_server_that_is_trusted_and_with_no_other(tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(HELLO)
    async with server.listening(context):
        async with httpx.AsyncClient(transport=StreamingTransport()) as stranger:
            with pytest.raises(httpx.ConnectError):
                await stranger.post(server.url, content=b"{}")
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with httpx.AsyncClient(transport=StreamingTransport(ssl_context=trusting)) as client:
            assert (await client.post(server.url, content=b"{}")).text == "hello"
