"""The live stream's routes behind the real edge and the real server, over ports in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
from litestar import Litestar, Router

from api.auth.authenticator import Authenticator, TrustedIssuer
from api.auth.jwks import FixedKey
from api.auth.token_keys import secret_key
from api.auth.tokens import ClaimRules, Principal
from api.http import server as http_server
from api.http.edge import Edge, litestar_options
from api.http.headers import Cors
from api.http.server import Server, server_config
from api.live import client, hub_registry
from api.realtime import Commands, RealtimeEndpoint
from api.stream import StreamEndpoint, stream_route
from api.voice_desk import VoiceDesk
from domain.errors import NotFound
from domain.values import Json
from infra.audio_store import AudioStore
from infra.clock import SystemClock
from infra.ids import SeededIds
from infra.speech.none import NoSpeechToText
from tests.support.echo_app import SECRET, OneTicket
from tests.support.echo_app import token as token_of_test
from tests.support.live_world import USER, Process, World

FAR = 3_000_000_000
# How long the product waits for those who do not read their last frame: module and name.
END_SECONDS = ((client, "CUT_SECONDS"), (hub_registry, "CUT_SECONDS"), (http_server, "DRAIN_SECONDS_MAX"))


def token(**changes: Any) -> str:
    return token_of_test(**{"exp": FAR, **changes})


def bearer(**changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {token(**changes)}"}


@dataclass
class LiveServer:
    """`url` without a slash at its end. `posted` are the bodies that came over sockets, with their keys."""

    world: World
    process: Process
    server: Server
    posted: list[tuple[dict[str, Json], str | None]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def stream_path(self) -> str:
        return f"/api/v1/stream/{self.world.session_id}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/api/v1/realtime"

    @asynccontextmanager
    async def stream(self, query: str = "", **headers: str) -> AsyncIterator[SseStream]:
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=30, verify=False) as caller,
            caller.stream("GET", self.stream_path + query, headers={**bearer(), **headers}) as response,
        ):
            yield SseStream(response)


class SseStream:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.data = b""
        self._chunks = response.aiter_bytes()

    async def until(self, part: bytes) -> bytes:
        while part not in self.data:
            self.data += await anext(self._chunks)
        return self.data

    async def to_the_end(self) -> bytes:
        async for chunk in self._chunks:
            self.data += chunk
        return self.data


@asynccontextmanager
async def live_server(**options: Any) -> AsyncIterator[LiveServer]:
    world = World()
    world.clock = SystemClock()  # type: ignore[assignment]
    process = Process(world, **options)
    posted: list[tuple[dict[str, Json], str | None]] = []
    commands = _commands(world, process, posted)

    async def user_id_of(principal: Principal) -> str:
        return USER if principal.sub == "u1" else "08/somebody-else"

    stream = StreamEndpoint(process.registry, user_id_of)
    # Nobody listens here, and a socket stores no audio.
    desk = VoiceDesk(AudioStore(Path(), bytes(32), world.clock), NoSpeechToText(), can_speak=False)
    realtime = RealtimeEndpoint(process.registry, user_id_of, commands, world.clock, desk)
    routes = Router("/api/v1", route_handlers=[stream_route(stream), realtime.route()])
    tickets = OneTicket()
    tickets.waiting = {"good-ticket": Principal("", "u1", FAR)}
    edge = Edge(
        Litestar([routes], openapi_config=None, **litestar_options()),
        Authenticator([TrustedIssuer(FixedKey(secret_key(SECRET)), ClaimRules(lifetime_max_seconds=FAR))], world.clock),
        clock=world.clock,
        new_id=SeededIds(),
        cors=Cors(["https://app.example"]),
        tickets=tickets,
    )
    server = _Announced(server_config(edge, host="127.0.0.1", port=0, new_id=SeededIds()), process.registry.drain)
    task = asyncio.create_task(server.serve())
    await server.listening.wait()
    try:
        yield LiveServer(world, process, server, posted)
    finally:
        server.should_exit = True
        await task
        await process.close()


class _Announced(Server):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def _commands(world: World, process: Process, posted: list[tuple[dict[str, Json], str | None]]) -> Commands:
    async def post_message(principal: Principal, body: dict[str, Json], key: str | None) -> bytes:
        posted.append((body, key))
        world.history.say(str(body["text"]))
        process.give_all()
        return msgspec.json.encode({"status": "accepted", "version": len(world.history.facts)})

    async def stop(principal: Principal, target: str, key: str | None) -> bytes:
        raise NotFound("There is no such message.", code="message_unknown")

    return Commands(post_message=post_message, stop=stop)
