"""What readiness says of the model: asked seldom, and never better than it was found."""

from __future__ import annotations

import asyncio

import pytest

from cli.api import ModelHealth
from infra.settings import Settings
from workers.llm.offline.model import OfflineModel

pytestmark = pytest.mark.anyio


async def test_a_model_that_does_not_answer_is_not_well_until_it_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(self: OfflineModel) -> str | None:
        await asyncio.Event().wait()
        raise AssertionError("never")

    monkeypatch.setattr(OfflineModel, "check", silent)
    health = ModelHealth(Settings())
    asking = asyncio.create_task(health.check())
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    assert await health.check() == "no answer"
    await health.aclose()
