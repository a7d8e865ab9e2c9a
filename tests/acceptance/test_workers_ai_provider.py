"""A client that nobody here wrote: Cloudflare's npm package `workers-ai-provider` accepts the stand-in of Workers AI
that our own client is tested against. So what our client understands is what Cloudflare's understands.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_workers_ai import fake_workers_ai
from tests.support.model_server import ModelServer
from tests.support.npm import installed

pytestmark = [pytest.mark.node, pytest.mark.anyio, pytest.mark.timeout(300)]

SOURCE = Path(__file__).with_name("workers_ai_provider")


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest) -> Path:
    """The client's folder with its packages installed, kept from run to run for as long as the lock is the same."""
    return installed(request.config, SOURCE)


async def seen_by(client: Path, server: ModelServer) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        "node", "client.mjs", server.url, cwd=client, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    seen: dict[str, Any] = json.loads(out)
    return seen


async def test_cloudflares_client_understands_everything_that_the_stand_in_answers(client: Path) -> None:
    async with fake_workers_ai() as server:
        seen = await seen_by(client, server)
        journal = [call.path for call in server.calls]
    for name in ("native", "newer", "gateway"):
        assert seen[name]["text"] == "one two three", name
        assert (seen[name]["reason"], seen[name]["usage"], seen[name]["error"]) == ("stop", [11, 3], None), name
    for name in ("call", "newerCall"):
        assert seen[name]["calls"] == [{"name": "create_task", "input": {"title": "call John"}}], name
    assert seen["truncated"]["text"] == "one two three"
    assert seen["truncated"]["reason"] == "error"
    assert seen["allowance"]["error"] == {"status": 429, "retryable": True}  # Its client goes by the status alone.
    assert seen["missing"]["error"] == {"status": 400, "retryable": False}
    assert seen["whole"] == {"text": "one two three", "usage": [11, 3]}
    assert any("/workers-ai/run/" in path for path in journal)
