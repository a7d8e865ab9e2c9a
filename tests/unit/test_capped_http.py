"""An answer over HTTP has an end to its size, before anybody has read it whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from infra.capped_http import STREAM_ANSWERS, CappedTransport
from tests.support.serving import serving

pytestmark = pytest.mark.anyio

CAP = 200_000


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with as many bytes as its path says; packed where the query says how."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    coding = scope["query_string"]
    headers = [(b"content-encoding", coding)] if coding else []
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"x" * int(scope["path"].strip("/"))})


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with serving(app) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with httpx2.AsyncClient(base_url=url, transport=CappedTransport(CAP)) as client:
            yield client


async def test_an_answer_up_to_the_cap_is_read_whole(client: httpx2.AsyncClient) -> None:
    assert len((await client.post(f"/{CAP}")).content) == CAP


async def test_an_answer_beyond_the_cap_is_a_read_error_and_the_client_stays_of_use(client: httpx2.AsyncClient) -> None:
    for _ in range(3):
        with pytest.raises(httpx2.ReadError):
            await client.post(f"/{CAP + 1}")
    assert (await client.post("/1")).content == b"x"


async def test_a_stream_that_is_listened_to_may_be_longer_and_ends_too(client: httpx2.AsyncClient) -> None:
    assert len((await client.get(f"/{STREAM_ANSWERS * CAP}")).content) == STREAM_ANSWERS * CAP
    with pytest.raises(httpx2.ReadError):
        await client.get(f"/{STREAM_ANSWERS * CAP + 1}")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "GZIP", "identity, gzip", "br"])
async def test_an_answer_that_is_packed_is_not_unpacked(client: httpx2.AsyncClient, coding: str) -> None:
    for method in ("GET", "POST"):
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.request(method, f"/1?{coding.replace(' ', '')}")
