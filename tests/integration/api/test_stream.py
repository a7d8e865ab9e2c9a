"""The live stream over real Postgres and real NATS: two API processes' worth of hubs, a real worker, a gated model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest

from api.app import open_api
from api.http.server import Server, server_config_from_settings
from cli.worker import open_worker
from infra.clock import SystemClock
from infra.dev_tokens import make_token
from infra.ids import new_id
from infra.settings import Settings
from tests.support.nats_streams import delete_all_streams
from tests.support.patience import PATIENCE
from tests.support.sse_reader import Reducer, read_events
from tests.support.worker_world import ScriptedModel, Step

pytestmark = pytest.mark.anyio


@dataclass
class Stack:
    settings: Settings
    urls: list[str]
    http: httpx.AsyncClient

    async def say(self, text: str = "hello") -> dict[str, str]:
        """The answer of `POST /message`, with its `streamUrl`."""
        body = {"channel": "chat", "text": text}
        answer = await self.http.post(f"{self.urls[0]}/api/v1/message", json=body)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    async def follow(
        self, path: str, *, until: str, reducer: Reducer, api: int = 0, unread: int = 0
    ) -> list[dict[str, object]]:
        """Reads until an event holds `until`; the last `unread` bytes count as cut off."""
        headers = {} if reducer.cursor is None else {"last-event-id": reducer.cursor}
        data = b""
        async with self.http.stream("GET", self.urls[api] + path, headers=headers) as response:
            assert response.status_code == 200
            async for chunk in response.aiter_bytes():
                data += chunk
                if until.encode() in data.rpartition(b"\n\n")[0]:
                    break
        events = read_events(data[: len(data) - unread])
        for event in events:
            reducer.apply(event)
        return events


@asynccontextmanager
async def stack_of(settings: Settings, *script: Step, apis: int = 2) -> AsyncIterator[Stack]:
    settings = replace(settings, **PATIENCE)
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(_api(settings)) for _ in range(apis)]
        stop = asyncio.Event()
        consumer, _ = await stack.enter_async_context(open_worker(settings, ScriptedModel(script), stop))
        stack.push_async_callback(consumer.drain, 2.0)
        token = make_token(settings, SystemClock(), "u1")
        headers = {"authorization": f"Bearer {token}"}
        http = await stack.enter_async_context(httpx.AsyncClient(headers=headers, timeout=60))
        yield Stack(settings, urls, http)


@asynccontextmanager
async def _api(settings: Settings) -> AsyncIterator[str]:
    async with open_api(settings) as opened:
        listening = asyncio.Event()
        config = server_config_from_settings(opened.app, settings, new_id)
        server = Server(config, opened.streams.drain, listening.set)
        task = asyncio.create_task(server.serve())
        await listening.wait()
        try:
            yield f"http://127.0.0.1:{server.port}"
        finally:
            server.should_exit = True
            await task


def whole(reducer: Reducer) -> Sequence[str | None]:
    return [*reducer.ended.values()]


async def test_a_reply_is_streamed_while_it_is_written(settings: Settings) -> None:
    go_on = asyncio.Event()
    async with stack_of(settings, "one ", "two ", go_on, "three") as stack:
        said = await stack.say()
        reducer = Reducer()
        await stack.follow(said["streamUrl"], until="two ", reducer=reducer)
        assert "".join(reducer.texts.values()) == "one two "
        go_on.set()
        await stack.follow(said["streamUrl"], until="message.completed", reducer=reducer, api=1)
        assert whole(reducer) == ["one two three"]
        assert reducer.resets == 0


async def test_a_client_that_is_cut_in_mid_event_goes_on_at_another_process(settings: Settings) -> None:
    gates = [asyncio.Event() for _ in range(6)]
    script = [step for number, gate in enumerate(gates) for step in (f"part {number}, ", "\r\n\0 ", gate)]
    async with stack_of(settings, *script, "end") as stack:
        said = await stack.say()
        reducer = Reducer()
        for number, gate in enumerate(gates):
            until = f"part {number}, "
            await stack.follow(said["streamUrl"], until=until, reducer=reducer, api=number % 2, unread=17 * number)
            gate.set()
        await stack.follow(said["streamUrl"], until="message.completed", reducer=reducer)
        assert whole(reducer) == ["".join(f"part {number}, \r\n\0 " for number in range(6)) + "end"]
        assert reducer.resets == 0


async def test_a_stream_url_gives_the_whole_reply_long_after(settings: Settings) -> None:
    async with stack_of(settings, "all ", "of it") as stack:
        said = await stack.say()
        await stack.follow(said["streamUrl"], until="message.completed", reducer=Reducer())
        late = Reducer()
        events = await stack.follow(said["streamUrl"], until="message.completed", reducer=late, api=1)
        assert whole(late) == ["all of it"]
        assert [event["event"] for event in events].count("llm.token") == 1


async def test_with_nats_away_the_reply_comes_from_postgres(settings: Settings) -> None:
    away = replace(settings, nats_url="nats://127.0.0.1:1", segment_seconds=0.05)
    go_on = asyncio.Event()
    async with stack_of(away, "without ", go_on, "NATS") as stack:
        said = await stack.say()
        reducer = Reducer()
        await stack.follow(said["streamUrl"], until="without ", reducer=reducer)
        go_on.set()
        await stack.follow(said["streamUrl"], until="message.completed", reducer=reducer, api=1)
        assert whole(reducer) == ["without NATS"]


async def test_a_wiped_nats_in_the_middle_of_a_reply_loses_nothing(settings: Settings) -> None:
    go_on, reducer = asyncio.Event(), Reducer()
    async with stack_of(settings, "before ", go_on, "after ", "it") as stack:
        said = await stack.say()
        await stack.follow(said["streamUrl"], until="before ", reducer=reducer)
        await asyncio.to_thread(delete_all_streams, settings.nats_url)
        go_on.set()
        await stack.follow(said["streamUrl"], until="message.completed", reducer=reducer, api=1)
        assert whole(reducer) == ["before after it"]


async def test_a_ticket_opens_a_stream_and_a_socket_lists_what_happens(settings: Settings) -> None:
    async with stack_of(settings, "hello", apis=1) as stack:
        opened = (await stack.http.post(f"{stack.urls[0]}/api/v1/sessions", json={})).json()
        ticket = (await stack.http.post(f"{stack.urls[0]}/api/v1/stream/ticket", json={})).json()["ticket"]
        url = f"{stack.urls[0]}{opened['streamUrl']}&ticket={ticket}"
        async with httpx.AsyncClient(timeout=60) as stranger:
            async with stranger.stream("GET", url) as response:
                assert response.status_code == 200
            assert (await stranger.get(url)).status_code == 401
