"""The stand-in of a model as a process of its own: slow enough to be caught in mid-reply, and it counts its calls."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from tests.support.model_server import Plan
from tests.support.processes import GIVE_UP_SECONDS, ROOT

# Characters of one to four bytes, line ends of every kind, and what SSE could take for its own.
TEXT = (
    "Gladly. Here is what I found — première étape: call 東京 first, then 𝄞 tune 👩‍🚀 and rest.\n\n"
    "data: nothing here is an event\r\nid: 7\revent: done\n\nThat is all for now, unless you want more of it. "
)


class ModelProcess:
    """`base_url` as SDKs take it. It ends when its standard input closes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.fake_openai", "--rate", "60", "--plan", _json(Plan(text=TEXT))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.base_url: str = msgspec.json.decode(self._process.stdout.readline())["url"]
        self._root = self.base_url.removesuffix("/v1")

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(GIVE_UP_SECONDS)
        self._process.stdout.close()

    async def plan(self, plan: Plan) -> None:
        """How all calls are answered from now on."""
        await self._ask("PUT", "/plan", plan)

    async def answer_next(self, *plans: Plan) -> None:
        """How the next calls are answered, one plan a call."""
        await self._ask("POST", "/plans", list(plans))

    async def reset(self) -> None:
        await self._ask("POST", "/reset")

    async def counts(self) -> dict[str, int]:
        """Calls by the text of their last user message."""
        found: dict[str, int] = await self._ask("GET", "/counts")
        return found

    async def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._ask("GET", "/journal")
        return found

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        async with httpx.AsyncClient(base_url=self._root, timeout=30, trust_env=False) as http:
            content = None if body is None else msgspec.json.encode(body)
            answer = await http.request(method, path, content=content)
            answer.raise_for_status()
            return msgspec.json.decode(answer.content)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def slow(text: str = TEXT, *, tokens_per_second: float = 60.0, **options: Any) -> Plan:
    return Plan(text=text, tokens_per_second=tokens_per_second, **options)


@contextmanager
def model_process() -> Iterator[ModelProcess]:
    process = ModelProcess()
    try:
        yield process
    finally:
        process.close()
