"""A message through the whole system, answered by a real llama.cpp server: real processes, and a model nobody here
wrote. Protocol is asserted, never meaning.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.clock import SystemClock
from infra.dev_tokens import make_token
from tests.support.cluster import Cluster
from tests.support.llama_server import llama_server, missing
from tests.support.sse_reader import ENDS, read_events
from tests.support.waiting import eventually_true

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.local_llm,
    pytest.mark.timeout(300),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

# Nobody is killed here: a worker that the model leaves no processor keeps its reply, and a view may take its time.
PATIENT = {
    "llm_timeout_seconds": 120.0,
    "llm_deadline_seconds": 240.0,
    "llm_max_tokens": 600,
    "lease_seconds": 120.0,
    "lease_renew_seconds": 5.0,
    "min_version_wait_seconds": 50.0,
}


@dataclass(frozen=True)
class Llama:
    base_url: str


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    with llama_server(context_tokens=8_192, slots=2) as url:
        yield url


@asynccontextmanager
async def system(tmp_path: Path, llama: str) -> AsyncIterator[httpx.AsyncClient]:
    cluster = Cluster(tmp_path)
    cluster.settings = replace(cluster.settings, **PATIENT)  # type: ignore[arg-type]
    try:
        await cluster.start(Llama(f"{llama}/v1"), {"api": 1, "worker": 1, "projections": 1, "relay": 1})  # type: ignore[arg-type]
        token = make_token(cluster.settings, SystemClock(), "u1")
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=cluster.urls[0], headers=headers, timeout=60) as client:
            yield client
    finally:
        await cluster.stop()


async def events_of(client: httpx.AsyncClient, stream_url: str) -> AsyncGenerator[dict[str, Any], None]:
    async with client.stream("GET", stream_url) as stream:
        waiting = b""
        async for piece in stream.aiter_bytes():
            whole, separator, waiting = (waiting + piece).rpartition(b"\n\n")
            for event in read_events(whole + separator):
                yield event


async def post(client: httpx.AsyncClient, text: str) -> dict[str, Any]:
    answer = await client.post("/api/v1/message", json={"channel": "chat", "text": text})
    assert answer.status_code == 202, answer.text
    ack: dict[str, Any] = answer.json()
    return ack


async def test_the_streamed_text_of_a_real_model_is_the_text_in_the_state(tmp_path: Path, llama: str) -> None:
    async with system(tmp_path, llama) as client:
        ack = await post(client, "Say hello to me.")
        text, end = "", None
        async with aclosing(events_of(client, ack["streamUrl"])) as events:
            async for event in events:
                if event["event"] == "llm.token":
                    assert event["data"]["offset"] == len(text)
                    text += event["data"]["token"]
                elif event["event"] in ENDS:
                    end = event
                    break
        assert end is not None
        assert (end["event"], end["data"]["text"]) == ("message.completed", text)
        assert text
        assert end["data"]["usage"]["outputTokens"] > 0
        state = await client.get("/api/v1/state", params={"min_version": end["data"]["version"]})
        (reply,) = [m for m in state.json()["messages"] if m["id"] == ack["replyId"]]
        assert (reply["text"], reply["status"]) == (text, "completed")


async def test_stopping_a_long_reply_frees_the_servers_slot(tmp_path: Path, llama: str) -> None:
    async with system(tmp_path, llama) as client:
        ack = await post(client, "Count slowly from one to five hundred, in words, one number a line.")
        seen, end = "", None
        async with aclosing(events_of(client, ack["streamUrl"])) as events:
            async for event in events:
                if event["event"] == "llm.token" and not seen:
                    stopped = await client.post(f"/api/v1/message/{ack['replyId']}/stop")
                    assert stopped.status_code in (200, 202)
                if event["event"] == "llm.token":
                    seen += event["data"]["token"]
                if event["event"] in ENDS:
                    end = event
                    break
        assert end is not None
        # A small model may say little enough to be done before it hears the stop.
        assert end["event"] in ("message.stopped", "message.completed")
        assert end["data"]["text"] == seen

        async with httpx.AsyncClient(base_url=llama, timeout=60) as server:

            async def all_free() -> bool:
                slots = (await server.get("/slots")).json()
                return not any(slot["is_processing"] for slot in slots)

            await eventually_true(all_free, "the server's slots to be free")
