"""Any server that speaks OpenAI's `/chat/completions`: vLLM, Ollama, llama.cpp, OpenAI itself and many more."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec

from domain.ports import JsonAnswer, ModelError, ModelEvent, ModelRequest, PromptMessage, ToolSpec
from domain.values import Json
from workers.llm.http import ModelHttp

BASE_URL = "https://api.openai.com/v1"
MODEL = "gpt-4o-mini"
CONTEXT_TOKENS = 128_000  # of that model
CONTEXT_TOKENS_ELSEWHERE = 8_192  # a window that common local servers have; what one tells of itself takes precedence

# What servers call a model's window in `/models`: vLLM, Groq, OpenRouter, LM Studio.
_WINDOW_NAMES = ("max_model_len", "context_window", "context_length", "max_context_length")
_REASONING_MODEL = re.compile(r"(?:o\d|gpt-5)")


class OpenAIModel:
    """A `LanguageModel`. `base_url` as OpenAI's SDKs take it, with `/v1`; without `api_key` none is sent.

    `context_tokens_max` 0: what the server tells (`check` asks it, errors name it), a usual one until then.
    """

    def __init__(
        self,
        *,
        base_url: str = BASE_URL,
        api_key: str = "",
        model: str = MODEL,
        silence_seconds: float = 15.0,
        deadline_seconds: float = 120.0,
        context_tokens_max: int = 0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = base_url.strip().rstrip("/")
        self._model = model
        self._context_tokens_set = context_tokens_max
        self._context_tokens_listed: int | None = None
        key = api_key.strip()
        self._http = ModelHttp(
            headers={"authorization": f"Bearer {key}"} if key else {},
            silence_seconds=silence_seconds,
            deadline_seconds=deadline_seconds,
            transport=transport,
        )

    @property
    def name(self) -> str:
        return self._model

    @property
    def context_tokens_max(self) -> int:
        usual = CONTEXT_TOKENS if self._base_url == BASE_URL else CONTEXT_TOKENS_ELSEWHERE
        return self._context_tokens_set or self._http.context_tokens_told or self._context_tokens_listed or usual

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        body = self._body(request) | {"stream": True, "stream_options": {"include_usage": True}}
        if request.tools:
            body["tools"] = [wire_tool(tool) for tool in request.tools]
        return self._http.stream(self._chat_url, msgspec.json.encode(body), request)

    async def complete_json(self, request: ModelRequest, schema: Mapping[str, Json]) -> JsonAnswer:
        form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        body = self._body(request) | {"response_format": form}
        return await self._http.complete_json(self._chat_url, msgspec.json.encode(body), request)

    async def check(self) -> str | None:
        try:
            response = await self._http.get(f"{self._base_url}/models")
        except ModelError as error:
            return f"{self._base_url}: {error.detail}"
        if response.status_code == 404:
            return None  # It answers, and not every server lists its models.
        if response.status_code != 200:
            return f"{self._base_url}: {self._http.failure_of(response).detail}"
        listed = _listed(response.content)
        if listed and self._model not in listed and len(listed) > 1:
            return f"{self._base_url}: it has no model {self._model}"
        # A server of one model answers to any name.
        self._context_tokens_listed = listed.get(self._model) or next(iter(listed.values()), None)
        return None

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def _chat_url(self) -> str:
        return f"{self._base_url}/chat/completions"

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [wire_message(message) for message in request.messages],
        }
        if self._base_url == BASE_URL:
            body["max_completion_tokens"] = request.max_tokens  # OpenAI's newer models refuse the old name.
        else:
            body["max_tokens"] = request.max_tokens
        if not _REASONING_MODEL.match(self._model):
            body |= {"temperature": request.temperature, "top_p": request.top_p}
        return body


def wire_message(message: PromptMessage) -> dict[str, str]:
    """A message as both providers take it. A tool's result goes as what it is, data beside the user's words: their
    role `tool` is only accepted after a call under the same id, and a prompt may repeat results of earlier turns."""
    role = "user" if message.role == "tool" else message.role
    return {"role": role, "content": message.content}


def wire_tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _listed(body: bytes) -> dict[str, int | None]:
    """Model ids of a `/models` answer with their context windows, where told."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    data = value.get("data") if isinstance(value, dict) else None
    models: dict[str, int | None] = {}
    for item in data if isinstance(data, list) else []:
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            windows = (item.get(name) for name in _WINDOW_NAMES)
            models[item["id"]] = next((w for w in windows if isinstance(w, int) and w > 0), None)
    return models
