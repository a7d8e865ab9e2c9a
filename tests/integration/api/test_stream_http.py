"""The SSE stream through the real server: bytes on real sockets, disconnects, slow readers, the end of the process."""

from __future__ import annotations

import asyncio
import socket

import httpx
import pytest

from api.live import client as client_module
from commands.notes import AddNote
from commands.sessions import OpenSession
from tests.support.live_server import END_SECONDS, LiveServer, bearer, live_server
from tests.support.live_world import GENERATION
from tests.support.sse_reader import Reducer, read_events
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

STREAMS = 200


async def ask(live: LiveServer, method: str, path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=live.url, timeout=30) as client:
        return await client.request(method, path, headers={**bearer(), **headers})


async def test_a_reply_streams_over_http_and_resumes_after_a_cut() -> None:
    async with live_server() as live:
        reducer = Reducer(cursor=f"{GENERATION}.1")
        async with live.stream(f"?after={GENERATION}.1") as stream:
            assert await stream.until(b": ok\n\n") == b"retry: 1000\n: ok\n\n"
            assert stream.response.headers["content-type"] == "text/event-stream"
            assert stream.response.headers["cache-control"] == "no-cache, no-transform"
            assert stream.response.headers["x-content-type-options"] == "nosniff"
            live.world.history.say("hello")
            live.world.start()
            live.world.write("one ")
            live.process.give_all()
            await stream.until(b"llm.token")
            await stream.until(b"one ")
        for event in read_events(stream.data[:-20]):
            reducer.apply(event)
        live.world.write("two")
        live.world.end()
        live.process.give_all()
        async with live.stream(**{"last-event-id": str(reducer.cursor)}) as stream:
            await stream.until(b"message.completed")
            await stream.until(b'"event":"done"')
        for event in read_events(stream.data + b"\n\n"):
            reducer.apply(event)
        assert [*reducer.ended.values()] == ["one two"]


async def test_a_client_that_leaves_is_noticed_at_once() -> None:
    async with live_server() as live:
        async with live.stream() as stream:
            await stream.until(b": ok\n\n")
            await until(lambda: len(live.process.hub.clients) == 1)
        await until(lambda: not live.process.hub.clients)


async def test_another_users_session_and_an_unknown_one_look_alike() -> None:
    async with live_server() as live:
        unknown = await ask(live, "GET", "/api/v1/stream/s_nobody")
        foreign = await ask(live, "GET", live.stream_path, **bearer(sub="u2"))
        assert unknown.status_code == foreign.status_code == 404
        assert unknown.content == foreign.content
        assert unknown.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "query", "headers", "status", "code"),
    [
        ("GET", "", {"authorization": ""}, 401, "unauthorized"),
        ("GET", "?ticket=bad-ticket", {"authorization": "x"}, 401, "unauthorized"),
        ("GET", "?token=abc", {}, 400, "invalid_query"),
        ("GET", "?after=zzz", {}, 400, "cursor_malformed"),
        ("GET", "?after=g1.1&after=g1.1", {}, 400, "invalid_query"),
        ("GET", "", {"last-event-id": "-1"}, 400, "cursor_malformed"),
        ("GET", "", {"last-event-id": "g1." + "9" * 10_000}, 400, "cursor_malformed"),
        ("POST", "", {"content-type": "application/json"}, 405, "method_not_allowed"),
    ],
)
async def test_bad_requests_are_problems(
    method: str, query: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with live_server() as live:
        response = await ask(live, method, live.stream_path + query, **headers)
        assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_ticket_opens_one_stream() -> None:
    async with live_server() as live:
        path = live.stream_path + "?ticket=good-ticket"
        async with httpx.AsyncClient(base_url=live.url, timeout=30) as client, client.stream("GET", path) as response:
            assert response.status_code == 200
        async with httpx.AsyncClient(base_url=live.url, timeout=30) as client:
            assert (await client.get(path)).status_code == 401


async def test_one_stream_too_many_is_told_when_to_come_again() -> None:
    async with live_server(streams_per_user=1) as live, live.stream() as stream:
        await stream.until(b": ok\n\n")
        refused = await ask(live, "GET", live.stream_path)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1


async def test_head_gives_the_headers_and_ends() -> None:
    async with live_server() as live:
        response = await ask(live, "HEAD", live.stream_path)
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        await until(lambda: not live.process.hub.clients)


async def test_a_client_that_never_reads_is_dropped_and_others_get_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "LAGGED_CUT_SECONDS", 0.5)
    async with live_server(queue_frames=20) as live, live.stream(f"?after={GENERATION}.1") as other:
        await other.until(b": ok\n\n")
        request = f"GET {live.stream_path} HTTP/1.1\r\nhost: x\r\nauthorization: {bearer()['authorization']}\r\n\r\n"
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            deaf.connect(("127.0.0.1", live.server.port))
            deaf.sendall(request.encode())
            await until(lambda: len(live.process.hub.clients) == 2)
            noted = 0
            while len(live.process.hub.clients) == 2:
                live.world.history.do(AddNote(note_id=f"n{noted}", note_ref=f"n_{noted}", text="x" * 60_000))
                noted += 1
                live.process.give_all()
                await other.until(b'"noteId":"n%d"' % (noted - 1))
            assert noted > 20
            live.world.history.do(OpenSession())
            live.process.give_all()
            await other.until(b"session.opened")
        names = [event["event"] for event in read_events(other.data + b"\n\n")]
        assert names.count("note.created") == noted


async def test_when_the_server_stops_every_stream_is_told_and_the_process_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in END_SECONDS:
        monkeypatch.setattr(module, name, 60.0)
    async with live_server(streams_per_user=0) as live:
        streams = [asyncio.create_task(read_all(live)) for _ in range(STREAMS)]
        await until(lambda: live.process.registry.wants("07/11111111-2222-4333-8444-555555555555"))
        await until(lambda: len(live.process.hub.clients) == STREAMS)
        live.server.should_exit = True
        for data in await asyncio.gather(*streams):
            assert read_events(data)[-1]["event"] == "server.closing"
            assert data.startswith(b"retry: 1000\n: ok\n\n")


async def read_all(live: LiveServer) -> bytes:
    async with live.stream() as stream:
        return await stream.to_the_end()
