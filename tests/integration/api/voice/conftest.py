"""A world whose engines of speech write words into the sound and read them out again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from infra.audio_store import AudioStore, audio_store
from infra.clock import SystemClock
from infra.embedded.nats import EmbeddedNats
from tests.support.api_world import ApiWorld, open_world, world_settings
from tests.support.voices import Ears, Voice


@pytest.fixture(scope="module")
def ears() -> Ears:
    return Ears()


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice()


@pytest.fixture(autouse=True)
def open_again(ears: Ears) -> Iterator[None]:
    """A test that failed while it held the ears shall not hold those of the next one."""
    yield
    ears.gate.set()


@pytest.fixture(scope="module")
async def world(
    module_database_url: str,
    nats_server: EmbeddedNats,
    tmp_path_factory: pytest.TempPathFactory,
    ears: Ears,
    voice: Voice,
) -> AsyncIterator[ApiWorld]:
    settings = world_settings(
        module_database_url,
        nats_server.url,
        tmp_path_factory.mktemp("data"),
        stt_provider="openai",
        tts_provider="openai",
        work_poll_seconds=0.05,
    )
    async with open_world(settings, ears=ears, voice=voice) as opened:
        yield opened


@pytest.fixture
def store(world: ApiWorld) -> AudioStore:
    return audio_store(world.settings, SystemClock())
