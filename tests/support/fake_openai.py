"""A stand-in of an OpenAI-compatible server, for tests and for the benchmark.

As a process of its own: `python -m tests.support.fake_openai --port 0 --rate 50 --tokens 100` prints one line of
JSON, `{"port": …, "url": …}`, and serves until its standard input closes or it is ended. See `model_server` for what
drives it and for the time that each token carries.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from typing import Any

import msgspec

from tests.support.model_server import HttpRequest, ModelServer, Plan, Refusal, Wire, sse

MODEL = "stand-in"
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_encode = msgspec.json.encode


def _chunk(choices: list[Any], **more: Any) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    return sse(_encode({**head, "choices": choices, **more}))


def _choice(delta: Any, finish_reason: str | None = None) -> bytes:
    return _chunk([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}])


_BEFORE, _AFTER = _choice({"content": "@@"}).split(b'"@@"')


class OpenAIWire(Wire):
    """The chunk format of `/v1/chat/completions`. `api_key`: asked for where it is set."""

    def __init__(self, api_key: str | None = None) -> None:
        self.api_key = api_key

    def accepts(self, request: HttpRequest) -> bool:
        return request.path == "/v1/chat/completions"

    def look_up(self, request: HttpRequest) -> Any:
        if request.path != "/v1/models":
            return None
        if self._unauthorized(request):
            return Refusal(401, _error("Incorrect API key provided", "invalid_request_error", "invalid_api_key"))
        return {
            "object": "list",
            "data": [{"id": MODEL, "object": "model", "owned_by": "tests", "max_model_len": 8_192}],
        }

    def _unauthorized(self, request: HttpRequest) -> bool:
        return self.api_key is not None and request.headers.get("authorization") != f"Bearer {self.api_key}"

    def refuse(self, request: HttpRequest, body: Any) -> Refusal | None:
        if self._unauthorized(request):
            return Refusal(401, _error("Incorrect API key provided", "invalid_request_error", "invalid_api_key"))
        for message in body.get("messages") or [{}]:
            if message.get("role") not in _ROLES or not isinstance(message.get("content"), str):
                return Refusal(400, _error("Invalid message", "invalid_request_error", None))
        if "tools" in body and not body["tools"]:
            return Refusal(400, _error("[] is too short - 'tools'", "invalid_request_error", "empty_array"))
        form = body.get("response_format")
        if form is not None and not {"name", "schema"} <= form["json_schema"].keys():
            return Refusal(400, _error("Missing 'response_format.json_schema'", "invalid_request_error", None))
        return None

    def error(self, plan: Plan) -> Any:
        match plan.status:
            case _ if plan.error is not None:
                return plan.error
            case 429:
                return _error("Rate limit reached", "requests", "rate_limit_exceeded")
            case 400:
                return _error("Invalid request", "invalid_request_error", None)
            case _:
                return _error("The server had an error", "server_error", None)

    def limit(self, body: Any, plan: Plan) -> int:
        return int(body.get("max_completion_tokens") or body.get("max_tokens") or 1_000_000)

    def begin(self, plan: Plan) -> list[bytes]:
        return [_choice({"role": "assistant", "content": None})]

    def token(self, text: str, plan: Plan) -> bytes:
        return _BEFORE + _encode(text) + _AFTER

    def tool_call(self, index: int, name: str, arguments: str, plan: Plan) -> list[bytes]:
        half = len(arguments) // 2
        first = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        parts = [{"index": index, "function": {"arguments": part}} for part in (arguments[:half], arguments[half:])]
        return [_choice({"tool_calls": [delta]}) for delta in (first, *parts)]

    def end(self, plan: Plan, sent: int) -> list[bytes]:
        reason = "tool_calls" if plan.tool_calls else plan.finish_reason
        payloads = [_choice({}, reason)] if plan.send_finish else []
        if plan.send_usage:
            payloads.append(_chunk([], usage=_usage(plan, sent)))
        if plan.send_done:
            payloads.append(sse(b"[DONE]"))
        return payloads

    def whole(self, plan: Plan, text: str, sent: int) -> Any:
        calls = [
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(plan.tool_calls)
        ]
        message = {"role": "assistant", "content": text or None, "tool_calls": calls or None}
        reason = "tool_calls" if calls else plan.finish_reason
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {"object": "chat.completion", "model": MODEL, "choices": [choice], "usage": _usage(plan, sent)}


def _usage(plan: Plan, sent: int) -> dict[str, int]:
    return {
        "prompt_tokens": plan.prompt_tokens,
        "completion_tokens": sent,
        "total_tokens": plan.prompt_tokens + sent,
    }


def _error(message: str, kind: str, code: str | None) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def fake_openai(plan: Plan | None = None, *, api_key: str | None = None, port: int = 0) -> ModelServer:
    """The stand-in in this process; its base URL, as SDKs take it, is `server.url + "/v1"`."""
    return ModelServer(OpenAIWire(api_key), plan or Plan(), port=port)


async def _serve(port: int, plan: Plan) -> None:
    async with fake_openai(plan, port=port) as server:
        print(_encode({"port": server.port, "url": f"{server.url}/v1"}).decode(), flush=True)
        closed = asyncio.Event()

        def read_input() -> None:
            if not os.read(sys.stdin.fileno(), 4_096):
                closed.set()

        # A terminal, a pipe: its end is ours. What cannot be watched (a file, /dev/null) leaves us to be ended.
        with contextlib.suppress(OSError):
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), read_input)
        await closed.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.fake_openai")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0, help="tokens a second of each stream; 0: at once")
    parser.add_argument("--tokens", type=int, default=100, help="tokens of an answer")
    parser.add_argument("--first-token-seconds", type=float, default=0.0)
    parser.add_argument("--plan", default="{}", help="a whole plan as JSON; the other options come on top")
    options = parser.parse_args()
    plan = msgspec.structs.replace(
        msgspec.json.decode(options.plan, type=Plan),
        tokens=options.tokens,
        tokens_per_second=options.rate,
        first_token_seconds=options.first_token_seconds,
    )
    import uvloop

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_serve(options.port, plan))


if __name__ == "__main__":
    main()
