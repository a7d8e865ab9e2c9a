"""Speaks ASGI to an application in the same task: no server, no sockets, every chunk under the test's control."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote


@dataclass
class Reply:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    complete: bool = False
    chunks_read: int = 0

    def header(self, name: str) -> str | None:
        found = [value.decode() for key, value in self.headers if key == name.encode()]
        assert len(found) <= 1, f"{name} stands {len(found)} times"
        return found[0] if found else None

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json()["code"])


def scope_of(method: str, target: str, headers: Iterable[tuple[str, str | bytes]]) -> dict[str, Any]:
    path, _, query = target.partition("?")
    listed = [(n.lower().encode(), v if isinstance(v, bytes) else v.encode("latin-1")) for n, v in headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(b"host", b"test"), *listed],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
    }


async def send_request(
    app: Any,
    method: str,
    target: str,
    *,
    headers: Sequence[tuple[str, str | bytes]] = (),
    chunks: Sequence[bytes] = (b"",),
    then: str = "wait",
) -> Reply:
    """The answer of `app`. After the last chunk the connection waits, or it is lost in mid-body (`then="gone"`)."""
    reply = Reply()

    async def receive() -> dict[str, Any]:
        index = reply.chunks_read
        if index < len(chunks):
            reply.chunks_read += 1
            more = index + 1 < len(chunks) or then != "wait"
            return {"type": "http.request", "body": chunks[index], "more_body": more}
        if then == "gone":
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert not reply.status, "the answer started twice"
            reply.status, reply.headers = message["status"], list(message["headers"])
        else:
            assert reply.status
            assert not reply.complete
            reply.body += message.get("body", b"")
            reply.complete = not message.get("more_body", False)

    await app(scope_of(method, target, headers), receive, send)
    return reply
