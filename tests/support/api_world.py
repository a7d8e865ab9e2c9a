"""The whole API in the test's own loop: two API processes on one Postgres, views kept, messages answered.

The servers are real, and so is all that is behind them; only the model waits when a message tells it to. Every test
takes users of its own, so one world serves all the tests of a file.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import httpx

from api.app import OpenApi, open_api
from api.http.server import Server, server_config
from cli.worker import open_worker
from domain.events import Fact
from domain.ports import ModelEvent, ModelRequest, SpeechToText, TextDelta, TextToSpeech
from infra.clock import SystemClock
from infra.dev_tokens import make_token
from infra.ids import SeededIds, new_id
from infra.keys.local import make_master_key
from infra.leases import PostgresLeaders
from infra.settings import Settings
from projections.projector import Projector
from tests.support.patience import PATIENCE
from tests.support.waiting import eventually_true
from workers.llm.offline.model import OfflineModel

SERVICE_TOKEN = "the service token of this test"
HOLD = "Hold the line"  # a message with these words is answered when the test says so
ENDS = ("completed", "failed", "stopped")

_names = count(1)


class WaitingModel(OfflineModel):
    """The offline model, which says one word to a message with `HOLD` in it and then waits until it may go on.

    `held` counts those that have come so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()
        self.held = 0

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        if any(HOLD in message.content for message in request.messages[-1:]):
            yield TextDelta("Waiting ")
            self.held += 1
            await self.may_go_on.wait()
        async for event in super().stream(request):
            yield event


@dataclass
class User:
    """One caller. `at` chooses the API process that is asked, the first one where it is not said."""

    world: ApiWorld
    sub: str
    token: str

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        at: int = 0,
        content: bytes | None = None,
        **headers: str,
    ) -> httpx.Response:
        """`path` without the base. `body` is sent as JSON, `content` as it is; names of headers with underscores."""
        given = {"authorization": f"Bearer {self.token}"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            given["idempotency-key"] = key
        if body is not None:
            content = json.dumps(body).encode()
        if content is not None:
            given.setdefault("content-type", "application/json")
        return await self.world.clients[at].request(method, f"/api/v1{path}", content=content, headers=given)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        return await self.send("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return await self.send("POST", path, body, **options)

    async def put(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return await self.send("PUT", path, body, **options)

    async def patch(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return await self.send("PATCH", path, body, **options)

    async def delete(self, path: str, **options: Any) -> httpx.Response:
        return await self.send("DELETE", path, **options)

    async def made(self, path: str, body: Any = None, **options: Any) -> dict[str, Any]:
        """The answer of a POST that is accepted."""
        answer = await self.post(path, body, **options)
        assert answer.is_success, answer.text
        shape: dict[str, Any] = answer.json()
        return shape

    async def say(self, text: str, **more: Any) -> dict[str, Any]:
        return await self.made("/message", {"channel": "chat", "text": text, **more})

    async def task(self, title: str, *, at: int = 0, **more: Any) -> dict[str, Any]:
        return await self.made("/tasks", {"task": {"title": title, **more}}, at=at)

    async def head(self) -> int:
        """The stream's version, by the log itself."""
        user_id = await self.world.user_id(self.sub)
        return await self.world.apps[0].side.log.head(user_id)

    async def read(self, path: str, *, at: int = 0) -> dict[str, Any]:
        """The answer of a query that has seen everything so far."""
        joint = "&" if "?" in path else "?"
        answer = await self.get(f"{path}{joint}min_version={await self.head()}", at=at)
        assert answer.status_code == 200, answer.text
        shape: dict[str, Any] = answer.json()
        return shape

    async def message(self, message_id: str, *statuses: str) -> dict[str, Any]:
        """A message of the state, once it has one of these statuses."""

        async def look() -> dict[str, Any] | None:
            state = await self.read("/state?limit=500")
            found = [message for message in state["messages"] if message["id"] == message_id]
            return found[0] if found and found[0]["status"] in statuses else None

        found = await eventually_true(look, f"{message_id} to be {statuses}", every_seconds=0.01)
        assert found is not None
        return found

    async def ended(self, reply_id: str) -> dict[str, Any]:
        return await self.message(reply_id, *ENDS)

    async def facts(self) -> list[Fact]:
        side = self.world.apps[0].side
        user_id = await self.world.user_id(self.sub)
        return await side.keyring.open_events(user_id, await side.log.read_stream(user_id, after=0))


@dataclass
class ApiWorld:
    settings: Settings
    model: WaitingModel
    apps: list[OpenApi] = field(default_factory=list)
    servers: list[Server] = field(default_factory=list)
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def user(self, name: str = "user") -> User:
        """Somebody new, known to nobody yet."""
        sub = f"{name}-{next(_names)}"
        return User(self, sub, make_token(self.settings, SystemClock(), sub))

    def client_of(self, server: Server) -> httpx.AsyncClient:
        # No proxy of this machine's may stand between.
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=60, trust_env=False)

    async def user_id(self, sub: str) -> str:
        return await self.apps[0].side.keyring.ensure_user("", sub)

    async def serve_command(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """A request of a service and not of a user."""
        given = {"authorization": f"Bearer {SERVICE_TOKEN}", "content-type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.clients[0].post(f"/api/v1{path}", content=json.dumps(body).encode(), headers=given)


class _Announced(Server):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.listening.set()


def world_settings(database_url: str, nats_url: str, data_dir: Any, **changes: Any) -> Settings:
    given = {
        "database_url": database_url,
        "nats_url": nats_url,
        "data_dir": data_dir,
        "port": 0,
        "master_key": make_master_key(),
        "auth_dev_secret": "a development secret of more than 32 bytes",
        "service_token": SERVICE_TOKEN,
        "log_poll_seconds": 0.2,
        "database_pool_size": 4,
        "limit_tokens_per_day": 0,
    }
    return Settings(**{**PATIENCE, **given, **changes})


@asynccontextmanager
async def open_world(
    settings: Settings,
    *,
    apis: int = 2,
    answers: bool = True,
    ears: SpeechToText | None = None,
    voice: TextToSpeech | None = None,
) -> AsyncIterator[ApiWorld]:
    """`answers`: whether a worker runs. Views are always kept."""
    async with AsyncExitStack() as stack:
        world = ApiWorld(settings, WaitingModel())
        for _ in range(apis):
            opened = await stack.enter_async_context(open_api(settings, ears=ears))
            world.apps.append(opened)
            world.servers.append(await stack.enter_async_context(serving(opened)))
        side = world.apps[0].side
        leaders = PostgresLeaders(side.queries, new_id())
        projector = Projector(side.log, side.queries, leaders, side.clock, settings)
        stack.push_async_callback(_cancelled, asyncio.create_task(projector.run()))
        if answers:
            stop = asyncio.Event()
            consumer, _ = await stack.enter_async_context(
                open_worker(settings, world.model, stop, ears=ears, voice=voice)
            )
            stack.push_async_callback(consumer.drain, 0.0)
        for server in world.servers:
            world.clients.append(await stack.enter_async_context(world.client_of(server)))
        yield world


@asynccontextmanager
async def serving(opened: OpenApi) -> AsyncIterator[Server]:
    server = _Announced(server_config(opened.app, host="127.0.0.1", port=0, new_id=SeededIds()), opened.streams.drain)
    task = asyncio.create_task(server.serve())
    await server.listening.wait()
    try:
        yield server
    finally:
        server.should_exit = True
        await task


async def _cancelled(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def with_limits(settings: Settings, **limits: int) -> Settings:
    return replace(settings, **{f"limit_{name}": value for name, value in limits.items()})  # type: ignore[arg-type]


def codes(answers: Sequence[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]
