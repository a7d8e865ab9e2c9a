"""Our client against a llama.cpp server and a small model that nobody here wrote. Only the protocol is asserted: the
model is too small for its words to mean anything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx
import pytest

from domain.ports import ModelError, ModelFinished, TextDelta
from tests.support.llama_server import llama_server, missing
from tests.support.models import CREATE_TASK, answer, asked, text_of
from workers.extraction import Unreadable, extracted_calls, extraction_request, extraction_schema
from workers.llm.openai import OpenAIModel
from workers.tool_specs import TOOLS

pytestmark = [
    pytest.mark.local_llm,
    pytest.mark.anyio,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

CONTEXT_TOKENS = 2_048
SLOTS = 2


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with llama_server(context_tokens=CONTEXT_TOKENS, slots=SLOTS) as address:
        yield address


@pytest.fixture
async def model(url: str) -> AsyncIterator[OpenAIModel]:
    opened = OpenAIModel(base_url=f"{url}/v1", silence_seconds=60)
    yield opened
    await opened.aclose()


async def until_slots(url: str, *, busy: int) -> None:
    """Return once so many slots are busy; the test's own time limit ends a wait in vain."""
    async with httpx.AsyncClient() as client:
        while True:
            slots: list[dict[str, Any]] = (await client.get(f"{url}/slots")).json()
            if sum(slot["is_processing"] for slot in slots) == busy:
                return


async def test_an_answer_streams_and_its_usage_is_the_servers_own_count(model: OpenAIModel) -> None:
    *deltas, last = await answer(model, asked("Say hello.", max_tokens=24))
    assert text_of(deltas)
    assert len(deltas) > 2
    assert isinstance(last, ModelFinished)
    assert last.reason in ("stop", "length")
    assert last.usage is not None
    assert not last.usage.estimated
    assert last.usage.input_tokens > 5
    assert 0 < last.usage.output_tokens <= 24


async def test_an_answer_cut_by_the_limit_says_so(model: OpenAIModel) -> None:
    events = await answer(model, asked("Write a very long story about a harbour.", max_tokens=8))
    last = events[-1]
    assert isinstance(last, ModelFinished)
    assert last.reason == "length"
    assert last.usage is not None
    assert last.usage.output_tokens == 8


async def test_tools_can_be_offered(model: OpenAIModel) -> None:
    events = await answer(model, asked("Remind me to call John.", CREATE_TASK, max_tokens=48))
    assert isinstance(events[-1], ModelFinished)


async def test_the_schema_of_all_tools_is_one_that_a_real_server_keeps_its_model_to(model: OpenAIModel) -> None:
    question = extraction_request(asked("Remind me to call John."), TOOLS, CONTEXT_TOKENS // SLOTS)
    assert question is not None
    answered = await model.complete_json(replace(question, max_tokens=96), extraction_schema(TOOLS))
    assert answered.text.lstrip().startswith("{")
    assert not answered.usage.estimated
    # Its model may write on until the limit: that is told from an answer, and never an exception of another kind.
    with suppress(Unreadable):
        assert all(call.name in {tool.name for tool in TOOLS} for call in extracted_calls(answered.text, TOOLS))


async def test_closing_the_stream_stops_the_generation(model: OpenAIModel, url: str) -> None:
    events = model.stream(asked("Count from 1 to 1000, one number a line.", max_tokens=900))
    assert isinstance(await anext(events), TextDelta)
    await until_slots(url, busy=1)
    await events.aclose()  # type: ignore[attr-defined]
    await until_slots(url, busy=0)
    async with httpx.AsyncClient() as client:
        metrics = (await client.get(f"{url}/metrics")).text
    [line] = [line for line in metrics.splitlines() if line.startswith("llamacpp:tokens_predicted_total ")]
    assert float(line.split()[1]) < 900


async def test_a_prompt_beyond_the_window_is_told_and_the_window_is_learned(model: OpenAIModel) -> None:
    with pytest.raises(ModelError) as caught:
        await answer(model, asked("word " * 3_000))
    assert caught.value.code == "context_too_long"
    assert not caught.value.retryable
    assert model.context_tokens_max == CONTEXT_TOKENS // SLOTS


async def test_it_is_found_by_the_check(model: OpenAIModel) -> None:
    assert await model.check() is None
