"""What our HTTP edge costs: CPU of the API process for a `POST /message`, against a bare ASGI callable on our server.

The command handler is a stub here; what handling costs is in `commands`, and the whole of it in a note. CPU time of the
server's process, so the client's share of the cores does not matter.
"""

from __future__ import annotations

import asyncio

from benchmarks import machine
from benchmarks.figures import Figure
from benchmarks.http_client import Connection
from benchmarks.programs import Program, program
from benchmarks.run import Run
from benchmarks.servers import Database, fresh_servers
from infra.clock import SystemClock
from infra.dev_tokens import make_token

CONNECTIONS = 16
ROUNDS = 3
GOAL = 4.5
BODY = {"channel": "chat", "text": "What is on my agenda today? And can I still make it to the airport?"}


def measure(run: Run) -> list[Figure]:
    requests = run.count(6_000, 1_500)
    with fresh_servers() as database:
        bare, real, whole = run.wait_for(_measure(run, database, requests), seconds=180)
    return [
        Figure(
            name="API CPU per request, JWT cached",
            measured=f"{real * 1e6:.0f} µs",
            against=f"bare ASGI, same server: {bare * 1e6:.0f} µs",
            ratio=real / bare,
            goal=f"≤ {GOAL}×",
            met=real <= GOAL * bare,
            note=f"median of {ROUNDS} rounds of {requests:,} requests, by turns, {CONNECTIONS} connections;"
            f" with the command, to Postgres and back: {whole * 1e6:.0f} µs",
        )
    ]


async def _measure(run: Run, database: Database, requests: int) -> tuple[float, float, float]:
    settings = database.settings
    module = "benchmarks.edge_program"
    with (
        program(module, "bare") as bare,
        program(module, "real", settings=settings) as real,
        program(module, "whole", settings=settings) as whole,
    ):
        tokens = [make_token(settings, SystemClock(), f"edge.{number}") for number in range(CONNECTIONS)]
        found: dict[int, list[float]] = {bare.pid: [], real.pid: []}
        for server in (bare, real):
            await _post(server, tokens, 200)
        for _ in range(ROUNDS):
            for server in (bare, real):
                found[server.pid].append(await _post(server, tokens, requests))
            run.say(f"bare {found[bare.pid][-1] * 1e6:.0f} µs, ours {found[real.pid][-1] * 1e6:.0f} µs")
        await _post(whole, tokens, CONNECTIONS * 5)
        with_command = await _post(whole, tokens, CONNECTIONS * 90)
    return sorted(found[bare.pid])[ROUNDS // 2], sorted(found[real.pid])[ROUNDS // 2], with_command


async def _post(server: Program, tokens: list[str], requests: int) -> float:
    """The server's CPU seconds for each request."""
    connections = [await Connection.open(server.told["url"]) for _ in tokens]
    before = machine.cpu_seconds([server.pid])
    each = requests // len(tokens)
    await asyncio.gather(*(_client(*pair, each) for pair in zip(connections, tokens, strict=True)))
    cpu = machine.cpu_seconds([server.pid]) - before
    for connection in connections:
        connection.close()
    return cpu / (each * len(tokens))


async def _client(connection: Connection, token: str, requests: int) -> None:
    for _ in range(requests):
        status, body = await connection.request("POST", "/api/v1/message", token, BODY)
        assert status == 202, body
