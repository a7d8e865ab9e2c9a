"""One API world for the tests of each file that asks for it; each test takes users of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from infra.embedded.nats import EmbeddedNats
from tests.support.api_world import ApiWorld, open_world, world_settings


@pytest.fixture(scope="module")
async def world(
    module_database_url: str, nats_server: EmbeddedNats, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ApiWorld]:
    settings = world_settings(module_database_url, nats_server.url, tmp_path_factory.mktemp("data"))
    async with open_world(settings) as opened:
        yield opened
