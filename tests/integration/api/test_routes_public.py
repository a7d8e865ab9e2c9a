"""What needs no token: health, metrics, the schema and its page, the development log-in. And the WebSocket's door."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import httpx
import pytest

from api.app import open_api
from infra.login_codes import issue_login_code
from tests.support.api_world import ApiWorld, User, serving
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio

SECURITY = ("x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy", "x-request-id")


async def test_health_says_that_all_is_well_and_tells_nothing_of_users(world: ApiWorld) -> None:
    client = world.clients[0]
    live = await client.get("/health/live")

    async def is_well() -> httpx.Response | None:
        answer = await client.get("/health/ready")
        return None if answer.json().get("nats") == "away" else answer

    ready = await eventually_true(is_well, "NATS to be connected")
    assert ready is not None
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert ready.status_code == 200
    assert ready.json() == {"status": "ok", "postgres": "ok", "migrations": "ok", "keys": "ok", "nats": "ok"}
    for answer in (live, ready):
        assert answer.headers["cache-control"] == "no-store"
        assert all(name in answer.headers for name in SECURITY)
        assert "server" not in answer.headers
        assert "x-stream-version" not in answer.headers


async def test_without_nats_it_is_degraded_and_serves_on(world: ApiWorld) -> None:
    settings = replace(world.settings, nats_url="nats://127.0.0.1:9", nats_connect_timeout_seconds=0.1)
    async with open_api(settings) as opened, serving(opened) as server, world.client_of(server) as client:
        ready = await client.get("/health/ready")
        assert (ready.status_code, ready.json()["status"], ready.json()["nats"]) == (200, "degraded", "away")
        world.clients.append(client)
        assert (await world.user().post("/tasks", {"task": {"title": "x"}}, at=-1)).status_code == 201
        world.clients.pop()


async def test_without_keys_or_migrations_it_is_not_ready(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.app.head_revision", lambda: "9999")
    ready = await world.clients[0].get("/health/ready")
    assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
    assert "migrations" in ready.json()["detail"]
    assert ready.headers["retry-after"] == "1"
    assert (await world.clients[0].get("/health/live")).status_code == 200
    monkeypatch.undo()
    # A database that another master key was used with has taken the place of ours.
    change = "UPDATE master_key SET check_value = %s"
    queries = world.apps[0].side.queries
    kept = await queries.fetch("SELECT check_value FROM master_key")
    await queries.fetch(change, (b"of another key",))
    ready = await world.clients[0].get("/health/ready")
    await queries.fetch(change, kept[0])
    assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
    assert "keys: not this database's" in ready.json()["detail"]
    assert (await world.clients[0].get("/health/ready")).status_code == 200


async def test_a_process_that_is_older_than_the_schema_serves_on(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all the old processes would be taken away before the first new one is there."""
    monkeypatch.setattr("api.app.head_revision", lambda: "0001")
    assert (await world.clients[0].get("/health/ready")).status_code == 200


async def test_metrics_count_requests_by_route_and_hold_no_ids(world: ApiWorld) -> None:
    user = world.user()
    task = await user.task("canary in a title")
    await user.read(f"/tasks/{task['id']}")
    await user.get("/nothing/of/that/name")
    await user.send("PROPFIND", "/state")
    metrics = await world.clients[0].get("/metrics")
    assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = metrics.text
    for labels in (
        'method="POST",route="/api/v1/tasks",status="201"',
        'method="GET",route="/api/v1/tasks/{task_id}",status="200"',
        'method="GET",route="none",status="404"',
        'method="other",route="none",status="405"',
    ):
        assert f"microcos_http_request_seconds_count{{{labels}}}" in text
    for secret in (task["id"], user.sub, "canary", await world.user_id(user.sub), "nothing/of"):
        assert secret not in text
    routes = set(re.findall(r'route="([^"]*)"', text))
    assert all("{" in route or route == "none" or not re.search(r"\d{2}", route) for route in routes)


async def test_the_schema_and_its_page_are_served_without_a_token(world: ApiWorld) -> None:
    client = world.clients[0]
    document = (await client.get("/schema/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/realtime" in document["paths"]
    page = await client.get("/schema")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/schema", "/auth/dev"])
async def test_other_methods_are_refused_with_those_that_are_taken(world: ApiWorld, path: str) -> None:
    answer = await world.clients[0].request("DELETE", path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == ("OPTIONS, POST" if path == "/auth/dev" else "GET, HEAD, OPTIONS")


# --- log-in -------------------------------------------------------------------------------------------------------


async def log_in(client: httpx.AsyncClient, code: Any) -> httpx.Response:
    return await client.post("/auth/dev", json={"code": code})


async def test_a_login_code_is_exchanged_once_for_a_token_at_any_process(world: ApiWorld) -> None:
    code = issue_login_code(world.settings, "somebody")
    answer = await log_in(world.clients[0], code)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    shape = answer.json()
    assert (shape["userId"], shape["expiresIn"]) == ("somebody", 86_400)
    user = User(world, "somebody", shape["token"])
    assert (await user.read("/state"))["userId"] == "somebody"
    used = await log_in(world.clients[1], code)
    unknown = await log_in(world.clients[1], "x" * 32)
    assert (used.status_code, used.content) == (404, unknown.content)


@pytest.mark.parametrize("code", ["", "short", "x" * 129, 1, None, ["x" * 32]])
async def test_a_code_that_nobody_made_is_refused(world: ApiWorld, code: Any) -> None:
    assert (await log_in(world.clients[0], code)).status_code == 400


async def test_there_is_no_development_login_in_earnest(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(world.settings), "auth_mode", "static", raising=False)
    code = issue_login_code(world.settings, "somebody")
    answer = await log_in(world.clients[0], code)
    assert (answer.status_code, answer.json()["code"]) == (404, "login_off")


# --- the WebSocket's door -----------------------------------------------------------------------------------------


async def test_the_websocket_asks_for_an_upgrade(world: ApiWorld) -> None:
    user = world.user()
    answer = await user.get("/realtime")
    assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")
    assert answer.headers["upgrade"] == "websocket"
    assert (await world.clients[0].get("/api/v1/realtime")).status_code == 401
    assert (await user.post("/realtime")).status_code == 405
