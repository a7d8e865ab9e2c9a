"""What every language model does, whoever it is: one suite for the offline one, OpenAI's interface and Workers AI's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from domain.ports import ModelError, ModelFinished, TextDelta, ToolCall
from tests.support import models
from tests.support.fake_openai import fake_openai
from tests.support.model_server import Plan
from tests.support.models import CREATE_TASK, Subject, answer, asked, first_event_then_close, text_of
from workers.llm.openai import OpenAIModel

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


ACTIONS = {
    "type": "object",
    "properties": {
        "actions": {
            "type": "array",
            "maxItems": 10,
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "enum": ["create_task"]},
                    "arguments": {"type": "object", "properties": CREATE_TASK.parameters["properties"]},
                },
                "required": ["name", "arguments"],
            },
        }
    },
    "required": ["actions"],
}
JOHN = {"actions": [{"name": "create_task", "arguments": {"title": "call John", "due_text": "tomorrow at 5"}}]}
REMIND = "Remind me to call John tomorrow at 5"


async def test_json_of_a_shape_comes_as_text_in_one_answer_that_is_counted(subject: Subject) -> None:
    subject.will_say(msgspec.json.encode(JOHN).decode())
    answered = await subject.model.complete_json(asked(REMIND, CREATE_TASK), ACTIONS)
    assert msgspec.json.decode(answered.text) == JOHN
    assert answered.usage.input_tokens > 0
    assert answered.usage.output_tokens > 0
    if subject.server is not None:
        [call] = subject.server.calls
        assert not call.body.get("stream")
        assert "tools" not in call.body
        form = call.body["response_format"]
        assert form["type"] == "json_schema"
        assert form["json_schema"].get("schema", form["json_schema"]) == ACTIONS


async def test_the_arguments_of_one_tool_can_be_asked_for(subject: Subject) -> None:
    arguments = JOHN["actions"][0]["arguments"]
    subject.will_say(msgspec.json.encode(arguments).decode())
    answered = await subject.model.complete_json(asked(REMIND), CREATE_TASK.parameters)
    assert msgspec.json.decode(answered.text) == arguments


async def test_json_that_was_cut_off_is_given_as_far_as_it_came(subject: Subject) -> None:
    subject.will_say('{"actions": [{"name": "create_task", "arg')
    answered = await subject.model.complete_json(asked(REMIND), ACTIONS)
    assert answered.text.startswith('{"actions":')


async def test_a_schema_that_cannot_be_kept_to_is_a_bad_answer_and_the_model_stays_of_use(subject: Subject) -> None:
    subject.will_not_keep_to_the_schema()
    schema = {"type": "object", "properties": {"moon": {"type": "string"}}}
    with pytest.raises(ModelError) as caught:
        await subject.model.complete_json(asked("hello"), schema)
    assert caught.value.code == "bad_answer"
    subject.will_say("Hello!")
    assert text_of(await answer(subject.model, asked("hello")))


async def test_a_prompt_that_is_too_long_is_the_same_error_where_json_is_asked_for(subject: Subject) -> None:
    subject.will_find_the_prompt_too_long()
    with pytest.raises(ModelError) as caught:
        await subject.model.complete_json(asked("long " * 40_000), ACTIONS)
    assert caught.value.code == "context_too_long"


async def test_a_cancelled_question_for_json_ends_the_call(subject: Subject) -> None:
    if subject.server is None:
        return  # It never waits: there is nothing to cut in on.
    subject.server.plan = Plan(hang_after=-1)
    task = asyncio.create_task(subject.model.complete_json(asked(REMIND), ACTIONS))
    await subject.server.wait_for_call(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await subject.server.wait_for_call(1, ended=True)).outcome == "client_closed"


async def test_json_may_take_longer_than_a_stream_may_be_silent() -> None:
    async with fake_openai(Plan(text="{}")) as server:
        model = OpenAIModel(base_url=f"{server.url}/v1", silence_seconds=0.0)
        with pytest.raises(ModelError):
            await answer(model, asked("hello"))
        assert (await model.complete_json(asked("hello"), ACTIONS)).text == "{}"
        await model.aclose()
