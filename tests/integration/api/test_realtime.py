"""The WebSocket through the real server: the same frames as SSE, commands up, and everything that ends it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.live import client as client_module
from commands.sessions import OpenSession
from tests.support.live_server import END_SECONDS, LiveServer, bearer, live_server
from tests.support.live_world import GENERATION
from tests.support.sse_reader import Reducer, read_events
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def waits_for_whoever_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that stands still reads no last frame either."""
    for module, name in END_SECONDS:
        monkeypatch.setattr(module, name, 60.0)


def socket_to(live: LiveServer, query: str = "", **headers: str) -> connect:
    given = {**bearer(), **headers}
    return connect(live.socket_url + query, additional_headers=given, open_timeout=60, close_timeout=0.5)


def deaf_socket_to(live: LiveServer) -> connect:
    """One that takes in little of what it does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect(("127.0.0.1", live.server.port))
    client.setblocking(False)
    return connect(live.socket_url, sock=client, additional_headers=bearer(), open_timeout=60, close_timeout=0.5)


async def ask(socket: ClientConnection, **message: Any) -> dict[str, Any]:
    """Sends a message and skips frames until its answer."""
    await socket.send(json.dumps({"requestId": "r1", **message}))
    return await answer(socket)


async def answer(socket: ClientConnection) -> dict[str, Any]:
    while "event" in (received := json.loads(await socket.recv())):
        pass
    return dict(received)


async def closing_code(socket: ClientConnection) -> int | None:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await socket.recv()
    return closed.value.rcvd.code if closed.value.rcvd else None


async def test_the_socket_shows_what_the_sse_stream_shows() -> None:
    after = f"?after={GENERATION}.1"
    async with live_server() as live, live.stream(after) as stream, socket_to(live, after) as socket:
        await stream.until(b": ok\n\n")
        await until(lambda: len(live.process.hub.clients) == 2)
        live.world.history.say("hello")
        live.world.start()
        live.world.write("one \r\n\0 two")
        live.world.write(action={"action": "create_task", "payload": {}})
        live.world.end()
        live.process.give_all()
        await stream.until(b'"event":"done"')
        sse = [event for event in read_events(stream.data + b"\n\n") if event["event"] != "state.updated"]
        over_socket = []
        while len(over_socket) < len(sse):
            frame = json.loads(await socket.recv())
            if frame["event"] != "state.updated":
                over_socket.append(frame)
        assert over_socket == sse


async def test_a_message_is_acknowledged_with_the_answer_of_the_route() -> None:
    async with live_server() as live, socket_to(live) as socket:
        reply = await ask(socket, type="message", idempotencyKey="k1", channel="chat", text="hello")
        assert reply == {"type": "ack", "requestId": "r1", "status": "accepted", "version": 4}
        assert live.posted == [({"channel": "chat", "text": "hello"}, "k1")]


async def test_a_refused_command_is_an_error_with_the_problems_code() -> None:
    async with live_server() as live, socket_to(live) as socket:
        reply = await ask(socket, type="stop", messageId="m_1")
        assert (reply["type"], reply["requestId"], reply["status"]) == ("error", "r1", 404)
        assert reply["code"] == "message_unknown"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"type":"dance","requestId":"r1"}', "type_unknown"),
        ('{"requestId":"r1"}', "type_unknown"),
        ('{"type":"message"}', "invalid"),
        ('{"type":"message","requestId":7}', "invalid"),
        ('{"type":"message","requestId":"r1","idempotencyKey":""}', "invalid"),
        ('{"type":"stop","requestId":"r1"}', "invalid"),
        ('{"type":"stop","requestId":"r1","messageId":"m","x":1}', "unknown_field"),
        ('{"type":"resume","requestId":"r1","cursor":"zzz"}', "cursor_malformed"),
        ('{"type":"voice.start","requestId":"r1"}', "voice_off"),
        ('{"type":"voice.end","requestId":"r1"}', "voice_not_started"),
        ("[]", "malformed_json"),
        ("{", "malformed_json"),
        ('{"type":"message","type":"stop"}', "malformed_json"),
        ('{"requestId":"\\ud800"}', "malformed_json"),
        ("[" * 60_000, "malformed_json"),
    ],
)
async def test_what_cannot_be_understood_is_answered_and_the_socket_goes_on(message: str, code: str) -> None:
    async with live_server() as live, socket_to(live) as socket:
        await socket.send(message)
        reply = await answer(socket)
        assert (reply["type"], reply["code"]) == ("error", code)
        assert (await ask(socket, type="message", text="still here"))["type"] == "ack"


async def test_audio_behind_a_refused_start_is_dropped_until_the_client_hears_of_it() -> None:
    async with live_server() as live, socket_to(live) as socket:
        await socket.send('{"type":"voice.start","requestId":"r1"}')
        await socket.send(b"\x00\x01")
        assert (await answer(socket))["code"] == "voice_off"
        await socket.send('{"type":"voice.end","requestId":"r2"}')
        assert (await answer(socket))["code"] == "voice_not_started"
        assert (await ask(socket, type="message", text="still here"))["type"] == "ack"
        await socket.send(b"\x00\x01")
        assert await closing_code(socket) == 1003


Send = Callable[[ClientConnection], Awaitable[None]]


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda socket: socket.send(b"\x00\x01"), 1003),
        (lambda socket: socket.send("x" * 100_000), 1009),
        (lambda socket: socket.send("x" * 1_000_000), 1009),
        (lambda socket: socket.send(b"\xff\xfe", text=True), 1007),
    ],
)
async def test_frames_that_may_not_come_end_the_socket_and_are_no_error_of_ours(
    send: Send, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with live_server() as live, socket_to(live) as socket:
        await send(socket)
        assert await closing_code(socket) == code
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_flood_of_messages_ends_the_socket() -> None:
    async with live_server() as live, socket_to(live) as socket:
        with suppress(ConnectionClosed):
            for _ in range(1_000):
                await socket.send("{}")
        assert await closing_code(socket) == 1008


async def test_resume_goes_on_after_the_cursor_that_it_names() -> None:
    async with live_server() as live, socket_to(live) as socket:
        live.world.history.say("hello")
        live.world.start()
        live.world.write("one ")
        live.process.give_all()
        reply = await ask(socket, type="resume", cursor=f"{GENERATION}.1")
        assert reply == {"type": "ack", "requestId": "r1", "version": 5}
        live.world.write("two")
        live.world.end()
        live.process.give_all()
        reducer = Reducer()
        while not reducer.ended:
            reducer.apply(json.loads(await socket.recv()))
        assert [*reducer.ended.values()] == ["one two"]
        assert reducer.facts[0][0] == 2


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://app.example", True), ("https://evil.example", False), ("null", False)],
)
async def test_only_listed_origins_may_connect(origin: str, allowed: bool) -> None:
    async with live_server() as live:
        if allowed:
            async with socket_to(live, origin=origin) as socket:
                assert (await ask(socket, type="message", text="hello"))["type"] == "ack"
            return
        with pytest.raises(InvalidStatus) as refused:
            async with socket_to(live, origin=origin):
                pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {"authorization": "Bearer nonsense"}, 401),
        ("?after=zzz", {}, 400),
        ("?sessionId=s_nobody", {}, 404),
        ("?token=abc", {}, 400),
    ],
)
async def test_a_refused_socket_is_a_problem_and_no_error_of_ours(
    query: str, headers: dict[str, str], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with live_server() as live:
        with pytest.raises(InvalidStatus) as refused:
            async with socket_to(live, query, **headers):
                pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"{}")["status"] == status
    assert [line for line in caplog.messages if "handshake" in line] == []


async def test_a_ticket_opens_a_socket_once() -> None:
    async with live_server() as live:
        url = f"{live.socket_url}?ticket=good-ticket"
        async with connect(url) as socket:
            assert (await ask(socket, type="message", text="hello"))["type"] == "ack"
        with pytest.raises(InvalidStatus):
            await connect(url)


async def test_sockets_and_streams_share_the_users_limit() -> None:
    async with live_server(streams_per_user=1) as live, socket_to(live):
        with pytest.raises(InvalidStatus) as refused:
            async with socket_to(live):
                pass
        assert refused.value.response.status_code == 429


async def test_when_the_server_stops_the_socket_is_told_why() -> None:
    async with live_server() as live, socket_to(live) as socket:
        await until(lambda: len(live.process.hub.clients) == 1)
        live.server.should_exit = True
        frames = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                frames.append(json.loads(await socket.recv())["event"])
        assert frames[-1] == "server.closing"
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012


async def test_a_socket_that_leaves_is_noticed_at_once() -> None:
    async with live_server() as live:
        async with socket_to(live):
            await until(lambda: len(live.process.hub.clients) == 1)
        await until(lambda: not live.process.hub.clients)


async def test_a_socket_that_breaks_a_rule_and_does_not_read_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "CUT_SECONDS", 0.5)
    async with live_server(queue_frames=100_000) as live, deaf_socket_to(live) as socket:
        await until(lambda: len(live.process.hub.clients) == 1)
        socket.transport.pause_reading()
        (client,) = live.process.hub.clients
        while not client.channel._frames:  # as long as the connection's own buffers take them
            live.world.history.do(*(OpenSession() for _ in range(200)))
            live.process.give_all()
            await live.process.settle()
        cut, was_cut = client.cut, asyncio.Event()
        client.cut = lambda: (was_cut.set(), cut())
        await socket.send("x" * 100_000)
        await until(lambda: was_cut.is_set() and not live.process.hub.clients)


async def test_a_socket_that_does_not_read_is_dropped() -> None:
    async with live_server(queue_frames=8) as live, deaf_socket_to(live) as socket:
        await until(lambda: len(live.process.hub.clients) == 1)
        socket.transport.pause_reading()
        while live.process.hub.clients:
            for _ in range(200):
                live.world.history.do(OpenSession())
            live.process.give_all()
            await live.process.settle()
