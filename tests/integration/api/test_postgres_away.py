"""A Postgres that takes connections and answers nothing: everybody hears 503 and when to come back, and nobody waits
for ever, on no address of the API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from infra.embedded.nats import EmbeddedNats
from infra.settings import Settings
from tests.support.api_routes import SPECIAL, UNKNOWN, good_body, routes_of
from tests.support.api_world import ApiWorld, User, open_world, world_settings
from tests.support.postgres_proxy import PostgresProxy, postgres_proxy
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio

LOOKS = 100  # at readiness: more than the machine has threads for what blocks


@pytest.fixture(scope="module")
async def proxy(module_database_url: str) -> AsyncIterator[PostgresProxy]:
    async with postgres_proxy(module_database_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
async def world(
    proxy: PostgresProxy, nats_server: EmbeddedNats, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ApiWorld]:
    usual = Settings()
    settings = world_settings(
        proxy.url,
        nats_server.url,
        tmp_path_factory.mktemp("data"),
        database_wait_seconds=usual.database_wait_seconds,
        database_connect_timeout_seconds=usual.database_connect_timeout_seconds,
    )
    async with open_world(settings, apis=1, answers=False) as opened:
        yield opened


@pytest.fixture
async def frozen(world: ApiWorld, proxy: PostgresProxy) -> AsyncIterator[User]:
    """Somebody whom the API knows, with the server frozen behind it; afterwards it has to recover by itself."""
    user = world.user()

    async def is_known() -> bool:
        return (await user.post("/tasks", {"task": {"title": "Known before"}})).status_code == 201

    await eventually_true(is_known, "the API to know somebody")
    proxy.freeze()
    yield user
    proxy.thaw()

    async def is_ready() -> bool:
        return (await world.clients[0].get("/health/ready")).status_code == 200

    async def serves() -> bool:
        return (await user.get("/tasks")).status_code == 200

    await eventually_true(is_ready, "the API to be ready again")
    await eventually_true(serves, "the API to serve again")


def is_told_to_come_back(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1


async def test_every_route_answers(world: ApiWorld, frozen: User) -> None:
    routes = [route for name, route in (await routes_of(world)).items() if name not in SPECIAL]
    answers = await asyncio.gather(
        *(
            frozen.send(route.method, route.filled(**UNKNOWN.path_values()), good_body(route.operation, UNKNOWN))
            for route in routes
        )
    )
    wrong = {
        route.operation: (answer.status_code, answer.text)
        for route, answer in zip(routes, answers, strict=True)
        if not is_told_to_come_back(answer)
    }
    assert wrong == {}


@pytest.mark.parametrize(("method", "path"), [("GET", "/export"), ("POST", "/erase")])
async def test_what_concerns_all_of_a_user_answers(frozen: User, method: str, path: str) -> None:
    assert is_told_to_come_back(await frozen.send(method, path))


async def test_a_service_is_answered(world: ApiWorld, frozen: User) -> None:
    body = {"userId": "00/00000000-0000-4000-8000-000000000000", "messageId": "m_x", "text": "Done"}
    assert is_told_to_come_back(await world.serve_command("/complete-llm", body))


async def test_the_log_in_answers(world: ApiWorld, frozen: User) -> None:
    assert is_told_to_come_back(await world.clients[0].post("/auth/dev", json={"code": "x" * 32}))


async def test_who_looks_whether_it_is_ready_again_and_again_uses_nothing_up(world: ApiWorld, frozen: User) -> None:
    answers = await asyncio.gather(*(world.clients[0].get("/health/ready") for _ in range(LOOKS)))
    assert all(is_told_to_come_back(answer) for answer in answers)
    async with asyncio.timeout(30):
        await asyncio.to_thread(int)  # where files are read and audio is looked at
