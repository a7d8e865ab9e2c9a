"""Cloudflare Workers AI over its own REST interface, directly or through an AI Gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec

from domain.ports import JsonAnswer, ModelError, ModelEvent, ModelRequest, ToolSpec
from domain.values import Json
from infra.workers_ai import account_url, run_url
from workers.llm.http import ModelHttp
from workers.llm.openai import wire_message
from workers.llm.policy import WORKERS_AI_CODES

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
CONTEXT_TOKENS = 24_000  # of that model


class WorkersAIModel:
    """A `LanguageModel`. With `gateway`, calls go through that AI Gateway of the account.

    `base_url` stands for both of Cloudflare's addresses (infra/workers_ai.py).
    """

    def __init__(
        self,
        *,
        account_id: str,
        api_token: str,
        gateway: str = "",
        model: str = MODEL,
        base_url: str = "",
        silence_seconds: float = 15.0,
        deadline_seconds: float = 120.0,
        context_tokens_max: int = 0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._model = model
        self._context_tokens_set = context_tokens_max
        self._run_url = run_url(account_id=account_id, gateway=gateway, model=model, base_url=base_url)
        # A gateway lists no models; the account's own address does, and takes the same token.
        self._list_url = f"{account_url(account_id, base_url)}/models/search"
        self._http = ModelHttp(
            headers={"authorization": f"Bearer {api_token.strip()}"},
            silence_seconds=silence_seconds,
            deadline_seconds=deadline_seconds,
            codes=WORKERS_AI_CODES,
            transport=transport,
        )

    @property
    def name(self) -> str:
        return self._model

    @property
    def context_tokens_max(self) -> int:
        return self._context_tokens_set or self._http.context_tokens_told or CONTEXT_TOKENS

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        body = _body(request) | {"stream": True}
        if request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        return self._http.stream(self._run_url, msgspec.json.encode(body), request)

    async def complete_json(self, request: ModelRequest, schema: Mapping[str, Json]) -> JsonAnswer:
        """Workers AI's JSON mode: it cannot stream, answers with an object in place of a text, and may give up."""
        body = _body(request) | {"response_format": {"type": "json_schema", "json_schema": schema}}
        return await self._http.complete_json(self._run_url, msgspec.json.encode(body), request)

    async def check(self) -> str | None:
        try:
            response = await self._http.get(self._list_url)
        except ModelError as error:
            return f"Workers AI: {error.detail}"
        return None if response.status_code == 200 else f"Workers AI: {self._http.failure_of(response).detail}"

    async def aclose(self) -> None:
        await self._http.aclose()


def _body(request: ModelRequest) -> dict[str, Any]:
    return {
        "messages": [wire_message(message) for message in request.messages],
        "max_tokens": request.max_tokens,  # left out, it is 256
        "temperature": request.temperature,
        "top_p": request.top_p,
    }


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
