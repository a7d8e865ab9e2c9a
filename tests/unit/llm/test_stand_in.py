"""The stand-in of OpenAI as a process of its own: what the benchmark and the kill tests rely on."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from domain.ports import ModelError, TextDelta
from tests.support.model_server import now_us, read_sent_us, split_words
from tests.support.models import answer, asked, text_of
from workers.llm.openai import OpenAIModel

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def stand_in(*options: str) -> AsyncIterator[str]:
    """Its base URL, as SDKs take it."""
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.support.fake_openai", *options)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    yield json.loads(await process.stdout.readline())["url"]
    process.stdin.close()
    assert await process.wait() == 0


async def test_it_serves_until_its_input_closes_and_each_token_tells_when_it_was_sent() -> None:
    before = now_us()
    async with stand_in("--rate", "500", "--tokens", "7") as url:
        model = OpenAIModel(base_url=url)
        events = await answer(model, asked("hello"))
        await model.aclose()
    times = [before, *(read_sent_us(event.text) for event in events if isinstance(event, TextDelta)), now_us()]
    assert len(times) == 9
    assert times == sorted(times)


async def test_it_is_driven_over_http_and_counts_calls_by_what_the_user_said() -> None:
    async with stand_in("--plan", '{"text": "from the start"}') as url:
        root = url.removesuffix("/v1")
        model = OpenAIModel(base_url=url)
        async with httpx.AsyncClient() as control:
            assert text_of(await answer(model, asked("one"))) == "from the start"
            await control.put(f"{root}/plan", json={"text": "from now on"})
            await control.post(f"{root}/plans", json=[{"status": 500}, {"text": "once"}])
            with pytest.raises(ModelError):
                await answer(model, asked("two"))
            assert [text_of(await answer(model, asked("two"))) for _ in range(2)] == ["once", "from now on"]
            assert (await control.get(f"{root}/counts")).json() == {"one": 1, "two": 3}
            journal = (await control.get(f"{root}/journal")).json()
            assert [call["outcome"] for call in journal] == ["completed", "refused", "completed", "completed"]
            await control.post(f"{root}/reset")
            assert (await control.get(f"{root}/counts")).json() == {}
        await model.aclose()


@pytest.mark.parametrize("text", ["", "a", "a b", " a  b\n\nc ", "\n", "日本 語 "])
async def test_words_put_together_again_are_the_text(text: str) -> None:
    assert "".join(split_words(text)) == text
