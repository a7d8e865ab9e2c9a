"""Every implementation of the port `LanguageModel` on the same footing, for the contract suite.

A stand-in behind a model is told what to answer; the offline model finds the same answer by itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass

import httpx

from domain.ports import LanguageModel, ModelEvent, ModelRequest, PromptMessage, TextDelta, ToolSpec
from tests.support.fake_openai import fake_openai
from tests.support.fake_workers_ai import ACCOUNT, TOKEN, fake_workers_ai
from tests.support.model_server import ModelServer, Plan
from workers.llm.offline.model import OfflineModel
from workers.llm.openai import OpenAIModel
from workers.llm.workers_ai import WorkersAIModel

CREATE_TASK = ToolSpec(
    name="create_task",
    description="Create a task or a reminder.",
    parameters={
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "What is to be done."},
            "due_text": {"type": "string", "description": "When, in the user's words."},
        },
        "required": ["title"],
    },
)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, and the stand-in behind it where there is one."""

    model: LanguageModel
    server: ModelServer | None
    shape: str = ""

    def will_say(self, text: str) -> None:
        self._plan(Plan(text=text, shape=self.shape))

    def will_not_keep_to_the_schema(self) -> None:
        if self.server is None:
            return
        if isinstance(self.model, WorkersAIModel):
            error: object = {"result": None, "success": False, "errors": [{"message": "JSON Mode couldn't be met"}]}
            self.server.answer_next(Plan(status=400, error=error))
        else:
            self.server.answer_next(Plan(raw="<html>", content_type="application/json"))

    def will_call(self, name: str, arguments: str) -> None:
        self._plan(Plan(text="", tool_calls=[(name, arguments)], shape=self.shape))

    def will_find_the_prompt_too_long(self) -> None:
        if self.server is None:
            return
        if isinstance(self.model, WorkersAIModel):
            self.server.answer_next(Plan(status=413, error=3006))
            return
        error = {"message": "maximum context length is 2048 tokens", "code": "context_length_exceeded"}
        self.server.answer_next(Plan(status=400, error={"error": error}))

    def _plan(self, plan: Plan) -> None:
        if self.server is not None:
            self.server.plan = plan


Open = Callable[[], AbstractAsyncContextManager[Subject]]


@asynccontextmanager
async def offline() -> AsyncIterator[Subject]:
    yield Subject(OfflineModel(), None)


def over_openai(transport: Callable[[], httpx.AsyncBaseTransport] | None = None) -> Open:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Subject]:
        async with fake_openai() as server:
            chosen = transport() if transport else None
            model = OpenAIModel(base_url=f"{server.url}/v1", model="stand-in", transport=chosen)
            yield Subject(model, server)
            await model.aclose()

    return opened


def over_workers_ai(*, gateway: str = "", shape: str = "") -> Open:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Subject]:
        async with fake_workers_ai() as server:
            model = WorkersAIModel(account_id=ACCOUNT, api_token=TOKEN, gateway=gateway, base_url=server.url)
            yield Subject(model, server, shape)
            await model.aclose()

    return opened


def asked(text: str, *tools: ToolSpec, max_tokens: int = 1_024) -> ModelRequest:
    messages = [PromptMessage(role="system", content="You help."), PromptMessage(role="user", content=text)]
    return ModelRequest(messages=messages, tools=tools, max_tokens=max_tokens)


async def answer(model: LanguageModel, request: ModelRequest) -> list[ModelEvent]:
    return [event async for event in model.stream(request)]


async def first_event_then_close(model: LanguageModel, request: ModelRequest) -> ModelEvent:
    async with aclosing(model.stream(request)) as events:  # type: ignore[type-var]
        return await anext(events)


def text_of(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))
