from __future__ import annotations
import pytest, json
from tests.support.api_world import *
pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module")
async def world(module_database_url, nats_server, tmp_path_factory):
    async with open_world(world_settings(module_database_url, nats_server.url, tmp_path_factory.mktemp("data"))) as w:
        yield w

async def test_probe(world):
    u = world.user()
    async def show(method, path, body=None, **o):
        a = await u.send(method, path, body, **o)
        print(method, path, body if body is None else json.dumps(body)[:100], '->', a.status_code, a.headers.get('x-stream-version'), a.headers.get("etag"), a.text[:700], '\n')
        return a
    await show("GET", "/state")
    await show("POST", "/sessions")
    await show("POST", "/message", {"userId": u.sub, "channel":"chat","text":"Hey – what's on my agenda today?"})
    a = await show("POST", "/message", {"channel":"chat","text":"Remind me to call John tomorrow at 5","clientMessageId":"local-1"})
    await u.ended(a.json()["replyId"])
    await show("GET", "/state")
    await show("GET", "/realtime")
    await show("POST", "/realtime")
    await show("POST", "/stream/ticket")
    await show("GET", "/usage")
    await show("GET", "/preferences")
    await show("GET", "/conversations")
    await show("GET", "/conversations/main/messages")
    await show("GET", "/sessions")
    await show("GET", "/state?since=3")
    await show("GET", "/state?since=0&limit=2")
    await show("GET", "/state?as_of=3")
    await show("GET", "/tasks/zzz")
    await show("PUT", "/tasks/zzz", {})
    await show("GET", "/nix")
    await show("POST", "/tasks", {"action":"create","task":{"title":"Send budget","due":"2025-11-21","tags":["finance"]}})
    print((await world.clients[0].get("/health/ready")).text, (await world.clients[0].get("/health/live")).text)
    print((await world.clients[0].get("/metrics")).text[:3000])
