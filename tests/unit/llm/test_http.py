"""One call over a real socket: what a bad server does to it, that it is one call, and that closing it stops it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from domain.ports import ModelError, ModelFinished, PromptMessage, TextDelta, ToolCall
from tests.support.fake_openai import fake_openai
from tests.support.fake_workers_ai import ACCOUNT, TOKEN, fake_workers_ai
from tests.support.model_server import ModelServer, Plan
from tests.support.models import CREATE_TASK, answer, asked, text_of
from tests.unit.llm.wire import said, sse
from workers.llm.http import ModelHttp
from workers.llm.openai import OpenAIModel
from workers.llm.workers_ai import WorkersAIModel

pytestmark = pytest.mark.anyio

BRIEF_SECONDS = 0.4  # short enough to wait for, long enough for a busy machine; nothing is asserted about time


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Both event loops: workers run on uvloop, whose transports differ in small things."""
    return "asyncio", {"use_uvloop": request.param}


@asynccontextmanager
async def openai(plan: Plan, **options: Any) -> AsyncIterator[tuple[OpenAIModel, ModelServer]]:
    async with fake_openai(plan) as server:
        model = OpenAIModel(base_url=f"{server.url}/v1/", **options)
        yield model, server
        await model.aclose()


async def failure_after(plan: Plan, **options: Any) -> tuple[ModelError, str]:
    """The error that the plan leads to and the text before it; and there was one call."""
    async with openai(plan, **options) as (model, server):
        text = ""
        with pytest.raises(ModelError) as caught:
            async for event in model.stream(asked("hello")):
                assert isinstance(event, TextDelta)
                text += event.text
        assert len(server.calls) == 1
        return caught.value, text


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_refusal_raises_at_once_and_is_not_tried_again(status: int) -> None:
    error, text = await failure_after(Plan(status=status, retry_after_seconds=2))
    assert error.retryable
    assert error.retry_after_seconds == 2
    assert text == ""


async def test_silence_before_the_answer_is_a_timeout() -> None:
    error, _ = await failure_after(Plan(hang_after=-1), silence_seconds=BRIEF_SECONDS)
    assert (error.code, error.retryable) == ("timeout", True)


async def test_silence_in_the_answer_is_a_timeout_after_the_text_so_far() -> None:
    error, text = await failure_after(Plan(text="a b c d", hang_after=2), silence_seconds=BRIEF_SECONDS)
    assert error.code == "timeout"
    assert text == "a b "


async def test_an_answer_that_takes_too_long_is_a_timeout_although_it_never_falls_silent() -> None:
    plan = Plan(tokens=100_000, tokens_per_second=200)
    error, text = await failure_after(plan, silence_seconds=5, deadline_seconds=2 * BRIEF_SECONDS)
    assert error.code == "timeout"
    assert text.startswith("w1:")


async def test_a_cut_in_the_answer_is_truncated_after_the_text_so_far() -> None:
    error, text = await failure_after(Plan(text="a b c d", cut_after=2))
    assert (error.code, error.retryable) == ("truncated", True)
    assert text == "a b "


async def test_a_cut_before_the_answer_is_unavailable() -> None:
    error, _ = await failure_after(Plan(cut_after=-1))
    assert (error.code, error.retryable) == ("unavailable", True)


async def test_an_end_without_its_marks_is_truncated() -> None:
    error, text = await failure_after(Plan(text="a b", send_finish=False, send_done=False))
    assert error.code == "truncated"
    assert text == "a b"


async def test_a_cut_after_the_reason_loses_nothing_but_the_usage() -> None:
    async with openai(Plan(text="a b", send_usage=False, send_done=False)) as (model, _):
        *_, last = await answer(model, asked("hello"))
        assert isinstance(last, ModelFinished)
        assert last.usage is not None
        assert last.usage.estimated


async def test_silence_after_the_reason_loses_nothing_but_the_usage() -> None:
    body = sse(said("done"), {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).decode()
    async with openai(Plan(raw=body, raw_ends=False), silence_seconds=BRIEF_SECONDS) as (model, _):
        first, last = await answer(model, asked("hello"))
        assert first == TextDelta("done")
        assert isinstance(last, ModelFinished)
        assert last.reason == "stop"


async def test_nobody_listening_is_unavailable() -> None:
    async with openai(Plan()) as (model, server):
        url = server.url
    model = OpenAIModel(base_url=f"{url}/v1")
    with pytest.raises(ModelError) as caught:
        await answer(model, asked("hello"))
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
    assert url in (await model.check() or "")
    await model.aclose()


async def test_an_address_that_makes_no_sense_is_refused() -> None:
    for url in ("ftp://127.0.0.1/v1", "no address", "http://", "http://[::1", "http://127.0.0.1:99999/v1"):
        model = OpenAIModel(base_url=url)
        with pytest.raises(ModelError) as caught:
            await answer(model, asked("hello"))
        assert caught.value.code in ("refused", "unavailable"), url
        await model.aclose()


async def test_an_answer_that_does_not_stream_is_taken_as_a_whole() -> None:
    plan = Plan(text="a b", content_type="application/json", tool_calls=[("create_task", '{"title":"x"}')])
    async with openai(plan) as (model, _):
        text, call, last = await answer(model, asked("hello", CREATE_TASK))
        assert text == TextDelta("a b")
        assert isinstance(call, ToolCall)
        assert isinstance(last, ModelFinished)
        assert last.reason == "tool_calls"
        assert last.usage is not None
        assert not last.usage.estimated
    async with fake_workers_ai(plan) as server:
        native = WorkersAIModel(account_id=ACCOUNT, api_token=TOKEN, base_url=server.url)
        text, call, last = await answer(native, asked("hello", CREATE_TASK))
        assert text == TextDelta("a b")
        assert isinstance(call, ToolCall)
        assert call.arguments == '{"title":"x"}'
        await native.aclose()


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (Plan(raw="<html>log in first</html>", content_type="text/html"), "bad_answer"),
        (Plan(raw="{}", content_type="application/json"), "bad_answer"),
        (Plan(raw="not json", content_type="application/json"), "bad_answer"),
        (Plan(raw='{"error":{"message":"x","code":503}}', content_type="application/json"), "unavailable"),
        (Plan(raw="x" * 5_000_000, content_type="application/json"), "bad_answer"),
        (Plan(raw="data: " + "x" * 2_000_000), "bad_answer"),
        (Plan(raw=""), "truncated"),
        (Plan(status=307, error={"moved": True}), "refused"),
    ],
)
async def test_what_is_no_answer_is_said_to_be_none(plan: Plan, code: str) -> None:
    error, _ = await failure_after(plan)
    assert error.code == code


async def test_closing_the_stream_closes_the_connection_while_the_provider_still_writes() -> None:
    async with openai(Plan(tokens=100_000, tokens_per_second=1_000)) as (model, server):
        events = model.stream(asked("hello", max_tokens=100_000))
        await anext(events)
        await server.wait_for_call(1, tokens=1)
        await events.aclose()  # type: ignore[attr-defined]
        call = await server.wait_for_call(1, ended=True)
        assert call.outcome == "client_closed"
        assert call.tokens_sent < 100_000


async def test_closing_the_stream_while_the_provider_is_silent_closes_the_connection() -> None:
    async with openai(Plan(tokens=5, hang_after=1)) as (model, server):
        task = asyncio.create_task(answer(model, asked("hello")))
        await server.wait_for_call(1, tokens=1)
        task.cancel()
        assert (await server.wait_for_call(1, ended=True)).outcome == "client_closed"


async def test_calls_one_after_another_share_a_connection() -> None:
    async with openai(Plan(text="a b")) as (model, server):
        for _ in range(5):
            assert text_of(await answer(model, asked("hello"))) == "a b"
        assert server.connections_made == 1
        server.answer_next(Plan(text="a", cut_after=0))
        with pytest.raises(ModelError):
            await answer(model, asked("hello"))
        assert text_of(await answer(model, asked("hello"))) == "a b"
        assert server.connections_made == 2


async def test_what_openai_is_asked_is_what_its_interface_wants() -> None:
    async with openai(Plan(text="a"), api_key=" key-1\n", model="model-1") as (model, server):
        request = asked("hello", CREATE_TASK, max_tokens=77)
        messages = [*request.messages, PromptMessage(role="tool", content="tool says")]
        await answer(model, dataclasses.replace(request, messages=messages))
        [call] = server.calls
        assert call.path == "/v1/chat/completions"
        assert call.headers["authorization"] == "Bearer key-1"
        assert call.body == {
            "model": "model-1",
            "messages": [
                {"role": "system", "content": "You help."},
                {"role": "user", "content": "hello"},
                {"role": "user", "content": "tool says"},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 77,
            "temperature": 0.4,
            "top_p": 0.9,
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "create_task",
                        "description": "Create a task or a reminder.",
                        "parameters": CREATE_TASK.parameters,
                    },
                }
            ],
        }


async def test_without_a_key_none_is_sent_and_without_tools_no_list_of_them() -> None:
    async with openai(Plan(text="a")) as (model, server):
        await answer(model, asked("hello"))
        assert "authorization" not in server.calls[0].headers
        assert "tools" not in server.calls[0].body


async def test_a_reasoning_model_is_not_sent_what_it_refuses() -> None:
    async with openai(Plan(text="a"), model="gpt-5-mini") as (model, server):
        await answer(model, asked("hello"))
        assert not {"temperature", "top_p"} & server.calls[0].body.keys()


async def test_what_workers_ai_is_asked_is_what_its_interface_wants() -> None:
    async with fake_workers_ai(Plan(text="a")) as server:
        for gateway, path in (
            ("", f"/client/v4/accounts/{ACCOUNT}/ai/run/@cf/meta/llama-3.3-70b-instruct-fp8-fast"),
            ("gw", f"/v1/{ACCOUNT}/gw/workers-ai/run/@cf/meta/llama-3.3-70b-instruct-fp8-fast"),
        ):
            model = WorkersAIModel(account_id=ACCOUNT, api_token=TOKEN, gateway=gateway, base_url=server.url)
            await answer(model, asked("hello", CREATE_TASK, max_tokens=300))
            await model.aclose()
            call = server.calls[-1]
            assert call.path == path
            assert call.headers["authorization"] == f"Bearer {TOKEN}"
            assert call.body["max_tokens"] == 300
            assert call.body["stream"] is True
            [tool] = call.body["tools"]
            assert tool == {
                "name": "create_task",
                "description": "Create a task or a reminder.",
                "parameters": CREATE_TASK.parameters,
            }


async def test_workers_ai_tells_its_daily_allowance_from_its_capacity() -> None:
    async with fake_workers_ai() as server:
        model = WorkersAIModel(account_id=ACCOUNT, api_token=TOKEN, base_url=server.url)
        outcomes = []
        for code in (3036, 3040):
            server.answer_next(Plan(status=429, error=code))
            with pytest.raises(ModelError) as caught:
                await answer(model, asked("hello"))
            outcomes.append((caught.value.code, caught.value.retryable))
        assert outcomes == [("quota", False), ("unavailable", True)]
        await model.aclose()


async def test_a_wrong_token_or_model_is_found_by_the_check_or_the_call() -> None:
    async with fake_workers_ai() as server:
        wrong = WorkersAIModel(account_id=ACCOUNT, api_token="wrong", base_url=server.url)
        assert await wrong.check() is not None
        with pytest.raises(ModelError, match="Authentication"):
            await answer(wrong, asked("hello"))
        missing = WorkersAIModel(account_id=ACCOUNT, api_token=TOKEN, base_url=server.url, model="@cf/missing")
        with pytest.raises(ModelError, match="5007"):
            await answer(missing, asked("hello"))
        await wrong.aclose()
        await missing.aclose()
    async with fake_openai(api_key="key-1") as server:
        model = OpenAIModel(base_url=f"{server.url}/v1", api_key="wrong")
        assert "401" in (await model.check() or "")
        await model.aclose()


async def test_the_window_of_the_model_is_learned_and_a_setting_beats_it() -> None:
    too_long = {"error": {"message": "maximum context length is 2048 tokens", "code": "context_length_exceeded"}}
    async with openai(Plan(status=400, error=too_long), model="stand-in") as (model, server):
        await model.check()
        assert model.context_tokens_max == 8_192
        with pytest.raises(ModelError):
            await answer(model, asked("hello"))
        assert model.context_tokens_max == 2_048
        settled = OpenAIModel(base_url=f"{server.url}/v1", context_tokens_max=5_000)
        await settled.check()
        assert settled.context_tokens_max == 5_000
        await settled.aclose()


async def test_a_list_of_models_without_end_is_cut_off() -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield bytes(1 << 20)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    http = ModelHttp(headers={}, silence_seconds=30.0, deadline_seconds=30.0, transport=transport)
    with pytest.raises(ModelError, match="too long"):
        await http.get("http://127.0.0.1/v1/models")
    await http.aclose()
