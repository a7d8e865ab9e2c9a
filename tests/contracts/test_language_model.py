"""What every language model does, whoever it is: one suite for the offline one, OpenAI's interface and Workers AI's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from domain.ports import ModelError, ModelFinished, TextDelta, ToolCall
from tests.support import models
from tests.support.models import CREATE_TASK, Subject, answer, asked, first_event_then_close, text_of

pytestmark = pytest.mark.anyio

IMPLEMENTATIONS = {
    "offline": models.offline,
    "openai": models.over_openai(),
    "openai over httpx's own transport": models.over_openai(httpx.AsyncHTTPTransport),
    "workers_ai": models.over_workers_ai(),
    "workers_ai, newer models": models.over_workers_ai(shape="openai"),
    "workers_ai through a gateway": models.over_workers_ai(gateway="gateway-1"),
}


@pytest.fixture(params=list(IMPLEMENTATIONS.values()), ids=list(IMPLEMENTATIONS))
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    async with request.param() as opened:
        yield opened


async def test_an_answer_is_deltas_of_text_and_then_its_end_with_usage(subject: Subject) -> None:
    subject.will_say("1, 2, 3 and more")
    events = await answer(subject.model, asked("count to 3"))
    *deltas, last = events
    assert text_of(events).startswith("1, 2, 3")
    assert all(isinstance(event, TextDelta) and event.text for event in deltas)
    assert len(deltas) > 1
    assert isinstance(last, ModelFinished)
    assert last.reason == "stop"
    assert last.usage is not None
    assert last.usage.input_tokens > 0
    assert last.usage.output_tokens > 0


async def test_a_tool_call_has_its_name_an_id_and_arguments_as_json_text(subject: Subject) -> None:
    arguments = {"title": "call John", "due_text": "tomorrow at 5"}
    subject.will_call("create_task", msgspec.json.encode(arguments).decode())
    events = await answer(subject.model, asked("Remind me to call John tomorrow at 5", CREATE_TASK))
    [call] = [event for event in events if isinstance(event, ToolCall)]
    assert call.name == "create_task"
    assert call.call_id
    assert msgspec.json.decode(call.arguments) == arguments
    assert isinstance(events[-1], ModelFinished)


async def test_an_answer_has_no_more_tokens_than_were_asked_for(subject: Subject) -> None:
    subject.will_say("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20")
    events = await answer(subject.model, asked("count to 20", max_tokens=8))
    last = events[-1]
    assert isinstance(last, ModelFinished)
    assert last.usage is not None
    assert 0 < last.usage.output_tokens <= 8


async def test_line_breaks_and_any_characters_come_through_as_they_are(subject: Subject) -> None:
    text = "a\n\n- b\tc \r\n  “dé” 😀 \u2028 data: x 日本 "
    subject.will_say(text)
    events = await answer(subject.model, asked(text))
    if subject.server is not None:
        assert text_of(events) == text
    assert text_of(events).strip()


@pytest.mark.parametrize("text", ["", "x" * 8_000, "😀" * 4_000, "\x00\u202e\U000e0041", "# Tasks\n- no\n" * 500])
async def test_any_message_gets_an_answer(subject: Subject, text: str) -> None:
    subject.will_say("yes")
    events = await answer(subject.model, asked(text, CREATE_TASK))
    assert text_of(events)
    assert isinstance(events[-1], ModelFinished)


async def test_many_calls_at_once_do_not_mix(subject: Subject) -> None:
    subject.will_say("".join(f"{n}, " for n in range(1, 200)))
    answers = await asyncio.gather(*(answer(subject.model, asked("count to 200")) for _ in range(30)))
    assert len(set(map(text_of, answers))) == 1
    assert text_of(answers[0]).startswith("1, 2, 3, 4")


async def test_a_closed_stream_ends_the_call_and_leaves_the_model_of_use(subject: Subject) -> None:
    subject.will_say("1 " * 20_000)
    assert isinstance(await first_event_then_close(subject.model, asked("count to 4000", max_tokens=50_000)), TextDelta)
    if subject.server is not None:
        call = await subject.server.wait_for_call(1, ended=True)
        assert call.outcome == "client_closed"
    subject.will_say("Hello!")
    assert text_of(await answer(subject.model, asked("hello")))


async def test_a_cancelled_reader_ends_the_call(subject: Subject) -> None:
    subject.will_say("1 " * 20_000)
    begun = asyncio.Event()

    async def read() -> None:
        async for _ in subject.model.stream(asked("count to 4000", max_tokens=50_000)):
            begun.set()
            await asyncio.sleep(0)

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if subject.server is not None:
        assert (await subject.server.wait_for_call(1, ended=True)).outcome == "client_closed"


async def test_a_prompt_that_is_too_long_is_an_error_of_its_own_and_not_worth_another_try(subject: Subject) -> None:
    subject.will_find_the_prompt_too_long()
    with pytest.raises(ModelError) as caught:
        await answer(subject.model, asked("long " * 40_000))
    assert caught.value.code == "context_too_long"
    assert not caught.value.retryable


async def test_it_has_a_name_and_a_window_and_can_be_checked(subject: Subject) -> None:
    assert subject.model.name
    assert subject.model.context_tokens_max >= 2_048
    assert await subject.model.check() is None


async def test_it_can_be_closed_twice(subject: Subject) -> None:
    await subject.model.aclose()
    await subject.model.aclose()
