"""MCP servers as programs and over HTTP: started, killed, away and back, and one that nobody here wrote."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from domain.travel import FlightQuery
from infra.clock import ManualClock
from infra.ids import new_id
from infra.tool_servers import Open, Program, over_http, over_stdio, program_of
from tests.support.flight_servers import NOW_MS, OURS, TIMEOUT_SECONDS, over_loopback, session_with
from tests.support.processes import Running, none_left_with, processes_with, python, wait_until_gone
from tests.support.serving import serving
from workers.tools.airports import airports
from workers.tools.errors import ToolMissing, ToolTimeout, ToolUnavailable
from workers.tools.flights import McpFlights
from workers.tools.flights_server import make_server
from workers.tools.mcp_client import RESULT_BYTES_MAX, McpSession
from workers.tools.timetable import distance_km

pytestmark = pytest.mark.anyio

QUERY = {"origins": ["JFK"], "destinations": ["BOS"], "departure_from": "2026-06-08", "departure_until": "2026-06-08"}

# Opens a session with our server as a program and waits to be killed.
HOLDER = """
import asyncio, sys
from infra.tool_servers import over_stdio, program_of
from workers.tools.mcp_client import RESULT_BYTES_MAX, McpSession

async def main():
    open_client = over_stdio(program_of(sys.argv[1]), result_bytes_max=RESULT_BYTES_MAX)
    session = McpSession(open_client, timeout_seconds=30)
    print("tools", *(await session.tools()), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""

# Our server, which does not end with its input as it should.
STUBBORN = "import anyio, time; from workers.tools.flights_server import serve; anyio.run(serve); time.sleep(3_600)"

# Writes down what it was started with.
TELLER = """
import json, os, sys
json.dump({"arguments": sys.argv, "variables": dict(os.environ)}, open(sys.argv[1], "w"))
"""


@pytest.fixture
def marker() -> str:
    """A word in the command line of this test's program and of no other."""
    return f"marker-{new_id()}"


def program(marker: str) -> Program:
    return program_of(f"{OURS} {marker}")


def by_pipes(of: Program) -> Open:
    return over_stdio(of, result_bytes_max=RESULT_BYTES_MAX)


async def test_a_killed_program_is_started_again_by_the_next_call(marker: str) -> None:
    session = session_with(by_pipes(program(marker)))
    tool = (await session.tools())["search_flights"]
    before = await session.call(tool, QUERY)
    [pid] = processes_with(marker)
    os.kill(pid, signal.SIGKILL)
    assert await session.call(tool, QUERY) == before
    [again] = processes_with(marker)
    assert again != pid
    await session.aclose()
    assert none_left_with(marker)


@pytest.mark.parametrize("code", ["import workers.tools.flights_server as s, anyio; anyio.run(s.serve)", STUBBORN])
async def test_closing_ends_the_program_whether_it_wants_or_not(marker: str, code: str) -> None:
    session = session_with(by_pipes(Program(arguments=(sys.executable, "-c", code, marker))))
    await session.tools()
    assert len(processes_with(marker)) == 1
    await session.aclose()
    assert none_left_with(marker)
    await session.aclose()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children of their parent's death on Linux only")
def test_a_killed_parent_leaves_no_program_behind(marker: str) -> None:
    holder = Running(python("-c", HOLDER, f"stdio:{sys.executable} -c '{STUBBORN}' {marker}"))
    try:
        holder.expect("tools search_flights")
        [pid] = processes_with(marker) - {holder.process.pid}
        holder.signal(signal.SIGKILL)
        holder.wait()
        assert wait_until_gone(pid)
    finally:
        holder.close()
        for left in processes_with(marker):
            os.kill(left, signal.SIGKILL)


async def test_a_program_gets_its_own_variables_and_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROCOS_MASTER_KEY", "canary-key")
    monkeypatch.setenv("SOME_API_KEY", "canary-key")
    said = tmp_path / "said.json"
    target = f"stdio:DUFFEL_KEY={{token}} QUIET='a b' {sys.executable} -c '{TELLER}' {said}"
    session = session_with(by_pipes(program_of(target, "canary-token")))
    with pytest.raises(ToolUnavailable):
        await session.tools()
    await session.aclose()
    told = json.loads(said.read_text())
    assert "canary-key" not in json.dumps(told)
    assert told["variables"]["DUFFEL_KEY"] == "canary-token"
    assert told["variables"]["QUIET"] == "a b"
    assert "canary-token" not in json.dumps(told["arguments"])
    assert "canary-token" not in repr(program_of(target, "canary-token"))


@pytest.mark.parametrize("target", ["stdio:", "stdio:NAME=value", 'stdio:"unclosed'])
def test_a_target_without_a_command_is_refused(target: str) -> None:
    with pytest.raises(ValueError):
        program_of(target)


@pytest.mark.parametrize("arguments", [("/no/such/program",), ("false",), (sys.executable, "-c", "print('hello')")])
async def test_a_program_that_is_no_server_is_unavailable(arguments: tuple[str, ...]) -> None:
    session = session_with(by_pipes(Program(arguments=arguments)))
    with pytest.raises(ToolUnavailable) as caught:
        await session.tools()
    assert caught.value.retryable
    await session.aclose()


async def test_a_program_that_never_answers_is_given_up_and_ended(marker: str) -> None:
    silent = "import sys; print('not json', flush=True); sys.stdin.read()"
    session = session_with(by_pipes(Program(arguments=(sys.executable, "-c", silent, marker))), timeout_seconds=1.0)
    with pytest.raises(ToolTimeout):
        await session.tools()
    await session.aclose()
    assert none_left_with(marker)


# --- over HTTP ------------------------------------------------------------------------------------------------


def at(url: str, token: str = "") -> Open:
    return over_http(url, token, timeout_seconds=TIMEOUT_SECONDS, result_bytes_max=RESULT_BYTES_MAX)


async def test_a_server_that_restarts_is_found_again_by_the_next_call() -> None:
    async with over_loopback(make_server(ManualClock(NOW_MS))) as url:
        session = session_with(at(url))
        tool = (await session.tools())["search_flights"]
        before = await session.call(tool, QUERY)
    with pytest.raises(ToolUnavailable):
        await session.call(tool, QUERY)
    async with over_loopback(make_server(ManualClock(NOW_MS)), port=httpx2.URL(url).port or 0):
        assert await session.call(tool, QUERY) == before
        await session.aclose()


def answering(status: int, kind: bytes, pieces: Sequence[bytes]) -> Any:
    """A server that says this, whatever it is asked."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"no"),
        (503, b"{}"),
        (401, b"{}"),
        (404, b""),
        (200, b"no json"),
        (200, b'{"jsonrpc": "2.0", "id": 1, "result": "' + b"x" * 3 * RESULT_BYTES_MAX + b'"}'),
    ],
    ids=["500", "503", "401", "404", "no JSON", "too large"],
)
async def test_a_url_that_is_no_server_is_unavailable(status: int, body: bytes) -> None:
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
    app = answering(status, b"application/json", pieces)
    async with serving(app) as server:
        session = session_with(at(f"http://127.0.0.1:{server.port}/mcp"))
        with pytest.raises(ToolUnavailable):
            await session.tools()
        await session.aclose()


async def test_what_a_server_says_wrong_fills_no_log(caplog: pytest.LogCaptureFixture) -> None:
    app = answering(200, b"text/event-stream", [b"event: nonsense\ndata: nonsense\n\n" * 100])
    async with serving(app) as server:
        session = session_with(at(f"http://127.0.0.1:{server.port}/mcp"))
        with pytest.raises(ToolUnavailable):
            await session.tools()
        await session.aclose()
    assert [record.name for record in caplog.records if record.name.startswith("mcp.")] == []


async def test_the_token_is_sent_as_a_bearer_token() -> None:
    seen: list[bytes] = []
    inner = make_server(ManualClock(NOW_MS)).streamable_http_app()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(value for name, value in scope.get("headers", ()) if name == b"authorization")
        await inner(scope, receive, send)

    async with serving(app) as server:
        session = session_with(at(f"http://127.0.0.1:{server.port}/mcp", "token-1"))
        assert "search_flights" in await session.tools()
        await session.aclose()
    assert set(seen) == {b"Bearer token-1"}


# --- a server that nobody here wrote --------------------------------------------------------------------------


@pytest.fixture
async def planner() -> AsyncIterator[McpSession]:
    # Without the variable it would report each use to its makers.
    program = Program(
        arguments=(str(Path(sys.executable).with_name("flight-planner-mcp")),), variables={"DO_NOT_TRACK": "1"}
    )
    session = session_with(by_pipes(program))
    yield session
    await session.aclose()


async def test_another_makers_server_is_listed_pinned_and_called(planner: McpSession) -> None:
    tools = await planner.tools()
    assert {"airport_lookup", "distance_calc", "route_check"} <= set(tools)
    assert {tool.pin for tool in tools.values()} == {tool.pin for tool in (await planner.tools()).values()}
    found = await planner.call(tools["airport_lookup"], {"query": "Boston"})
    assert (found["iata"], found["country"]) == ("BOS", "US")


@pytest.mark.parametrize("route", [("JFK", "BOS"), ("SFO", "SYD"), ("LHR", "CDG"), ("EZE", "ICN")], ids="-".join)
async def test_another_makers_server_measures_the_same_distances(planner: McpSession, route: tuple[str, str]) -> None:
    origin, destination = route
    tool = (await planner.tools())["distance_calc"]
    told = await planner.call(tool, {"origin": origin, "destination": destination})
    ends = [airports().get(code) for code in route]
    assert ends[0] is not None
    assert ends[1] is not None
    assert distance_km(ends[0], ends[1]) == pytest.approx(told["km"], rel=0.01)


async def test_a_server_without_a_search_that_we_know_is_said_to_lack_it(planner: McpSession) -> None:
    search = McpFlights(planner, ManualClock(NOW_MS), timeout_seconds=TIMEOUT_SECONDS)
    with pytest.raises(ToolMissing) as caught:
        await search.search(msgspec.convert(QUERY, FlightQuery))
    assert await search.check() == caught.value.detail
