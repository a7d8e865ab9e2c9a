"""A hub with one user's clients, on ports in memory and in the test's hand."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from api.live import hub as hub_module
from tests.support.live_world import USER, Process, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def process(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Process]:
    """One API process, of which each user may have three streams."""
    monkeypatch.setattr(hub_module, "REACH_PAUSE_SECONDS", 0)
    process = Process(world, streams_per_user=3)
    yield process
    for client in list(process.hub.clients) if process.registry.wants(USER) else []:
        client.end("left")
    await process.settle()
    await process.close()
