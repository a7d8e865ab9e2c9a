"""A stand-in of Cloudflare Workers AI's REST interface and of an AI Gateway before it, for tests.

It is strict where the real one is: content is never null, tool parameters have a type and a description, and an
answer without `max_tokens` ends after 256. Cloudflare's own client accepts it: see test_workers_ai_provider.py.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from tests.support.model_server import HttpRequest, ModelServer, Plan, Refusal, Wire, sse

ACCOUNT = "account-1"
TOKEN = "token-1"
TOKENS_UNASKED = 256
_RUN = re.compile(r"/client/v4/accounts/(?P<account>[^/]+)/ai/run/(?P<model>@.+)")
_RUN_THROUGH_GATEWAY = re.compile(r"/v1/(?P<account>[^/]+)/[^/]+/workers-ai/run/(?P<model>@.+)")
_encode = msgspec.json.encode

# Internal code to HTTP status, as Cloudflare's page of errors has them.
STATUSES = {
    5007: 400, 5004: 400, 3039: 400, 3003: 400, 5018: 403, 5016: 403, 3023: 403, 3041: 403, 5019: 405, 5005: 405,
    3042: 404, 3006: 413, 3007: 408, 3008: 408, 3036: 429, 3040: 429, 3021: 429,
}  # fmt: skip


class WorkersAIWire(Wire):
    """`plan.shape` "" is Workers AI's own stream, "openai" the chunks that its newer models send on the same URL.

    `plan.error` may be an internal code.
    """

    def accepts(self, request: HttpRequest) -> bool:
        return _match(request.path) is not None

    def look_up(self, request: HttpRequest) -> Any:
        if request.path != f"/client/v4/accounts/{ACCOUNT}/ai/models/search" or not _authorized(request):
            return None
        return {"success": True, "errors": [], "messages": [], "result": []}

    def refuse(self, request: HttpRequest, body: Any) -> Refusal | None:
        match = _match(request.path)
        assert match is not None
        if not _authorized(request) or match["account"] != ACCOUNT:
            return Refusal(401, failed(10000, "Authentication error"))
        if "missing" in match["model"]:
            return Refusal(400, failed(5007, f"No such model {match['model']} or task"))
        for message in body.get("messages") or [{}]:
            if not isinstance(message.get("content"), str | list) or not isinstance(message.get("role"), str):
                return Refusal(400, failed(5004, "AiError: Bad input: content must be a string"))
        for tool in body.get("tools") or []:
            parameters = tool.get("function", tool)["parameters"]
            for name, schema in parameters.get("properties", {}).items():
                if not {"type", "description"} <= schema.keys():
                    return Refusal(400, failed(5004, f"AiError: Bad input: parameter {name}"))
        form = body.get("response_format")
        if form is not None and (body.get("stream") or form["json_schema"].get("type") != "object"):
            return Refusal(400, failed(5004, "AiError: Bad input: JSON mode takes a schema and cannot stream"))
        return None

    def error(self, plan: Plan) -> Any:
        return failed(plan.error, "AiError") if isinstance(plan.error, int) else plan.error or failed(3040, "AiError")

    def limit(self, body: Any, plan: Plan) -> int:
        return int(body.get("max_tokens") or TOKENS_UNASKED)

    def begin(self, plan: Plan) -> list[bytes]:
        return []

    def token(self, text: str, plan: Plan) -> bytes:
        if plan.shape == "openai":
            return _choice({"content": text})
        return sse(_encode({"response": text, "p": "abcdefghijklmnopqrstuvwxyz"[: 1 + len(text) % 26]}))

    def tool_call(self, index: int, name: str, arguments: str, plan: Plan) -> list[bytes]:
        half = len(arguments) // 2
        deltas: list[Any] = [
            {"id": f"chatcmpl-tool-{index}", "type": "function", "index": index, "function": {"name": name}},
            {"index": index, "function": {"arguments": arguments[:half]}},
            {"index": index, "function": {"arguments": arguments[half:]}},
            {"id": None, "type": None, "index": index, "function": {"name": None, "arguments": ""}},
        ]
        if plan.shape == "openai":
            return [_choice({"tool_calls": [delta]}) for delta in deltas]
        return [sse(_encode({"response": "", "tool_calls": [delta]})) for delta in deltas]

    def end(self, plan: Plan, sent: int) -> list[bytes]:
        payloads: list[bytes] = []
        if plan.shape == "openai" and plan.send_finish:
            payloads.append(_choice({}, plan.finish_reason))
        if plan.send_usage:
            payloads.append(sse(_encode({"response": "", "usage": _usage(plan, sent)})))
        if plan.send_done:
            payloads.append(sse(b"[DONE]"))
        return payloads

    def whole(self, plan: Plan, text: str, sent: int) -> Any:
        """Newer models answer in OpenAI's form; of the others, JSON mode gives an object in place of a text."""
        if plan.shape == "openai":
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            return {"result": {"choices": [choice], "usage": _usage(plan, sent)}, "success": True, "errors": []}
        response: Any = msgspec.json.decode(text) if text.startswith("{") and text.endswith("}") else text
        result: dict[str, Any] = {"response": response, "usage": _usage(plan, sent)}
        if plan.tool_calls:
            result["tool_calls"] = [{"name": n, "arguments": msgspec.json.decode(a)} for n, a in plan.tool_calls]
        return {"result": result, "success": True, "errors": [], "messages": []}


def failed(code: int, message: str) -> Any:
    return {"result": None, "success": False, "errors": [{"code": code, "message": message}], "messages": []}


def _choice(delta: Any, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return sse(_encode({"id": "id-1", "object": "chat.completion.chunk", "choices": [choice], "p": "ab"}))


def _match(path: str) -> re.Match[str] | None:
    return _RUN.fullmatch(path) or _RUN_THROUGH_GATEWAY.fullmatch(path)


def _authorized(request: HttpRequest) -> bool:
    return request.headers.get("authorization") == f"Bearer {TOKEN}"


def _usage(plan: Plan, sent: int) -> dict[str, int]:
    return {
        "prompt_tokens": plan.prompt_tokens,
        "completion_tokens": sent,
        "total_tokens": plan.prompt_tokens + sent,
    }


def fake_workers_ai(plan: Plan | None = None) -> ModelServer:
    """The stand-in in this process: `server.url` stands for Cloudflare's API and for its gateway."""
    return ModelServer(WorkersAIWire(), plan or Plan())
