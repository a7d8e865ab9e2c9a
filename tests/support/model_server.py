"""The part that the stand-ins of OpenAI and Workers AI share: an HTTP/1.1 server on loopback that answers each call
as its `Plan` says, paces tokens, and keeps a journal. It knows no wire format: a `Wire` writes the bytes.

Besides the provider's own paths it serves `GET /journal`, `GET /counts`, `PUT /plan` (the plan of all calls from now
on), `POST /plans` (a list: the plans of the next calls) and `POST /reset`, so that another process can drive it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import msgspec

HEAD_BYTES_MAX = 65_536


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one call is answered. Times are in seconds; counts are of tokens.

    Without `text` the tokens are numbered and each carries the microsecond at which it was sent, on the machine's
    monotonic clock: `w17:2f3c9a ` (see `read_sent_us`). `hang_after` and `cut_after` say after how many tokens the
    server falls silent or drops the connection; -1 means before the head of the answer.
    """

    text: str | None = None
    tokens: int = 20
    tokens_per_second: float = 0.0
    first_token_seconds: float = 0.0
    tool_calls: list[tuple[str, str]] = []
    finish_reason: str = "stop"
    hang_after: int | None = None
    cut_after: int | None = None
    status: int = 200
    error: Any = None
    retry_after_seconds: float | None = None
    raw: str | None = None
    raw_ends: bool = True
    content_type: str | None = None
    shape: str = ""
    send_finish: bool = True
    send_usage: bool = True
    send_done: bool = True
    prompt_tokens: int = 11


class Call(msgspec.Struct, kw_only=True):
    """One call as it was seen. `outcome`: running, completed, client_closed, cut or refused."""

    number: int
    path: str
    headers: dict[str, str]
    body: Any
    key: str
    started_us: int
    tokens_sent: int = 0
    outcome: str = "running"
    ended_us: int = 0


@dataclass(frozen=True, slots=True)
class HttpRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a wire answers to a request that its real provider would not take."""

    status: int
    body: Any


class Wire(Protocol):
    """A provider's format. Payloads are whole SSE events as bytes."""

    def accepts(self, request: HttpRequest) -> bool: ...
    def look_up(self, request: HttpRequest) -> Any: ...
    def refuse(self, request: HttpRequest, body: Any) -> Refusal | None: ...
    def error(self, plan: Plan) -> Any: ...
    def limit(self, body: Any, plan: Plan) -> int: ...
    def begin(self, plan: Plan) -> list[bytes]: ...
    def token(self, text: str, plan: Plan) -> bytes: ...
    def tool_call(self, index: int, name: str, arguments: str, plan: Plan) -> list[bytes]: ...
    def end(self, plan: Plan, sent: int) -> list[bytes]: ...
    def whole(self, plan: Plan, text: str, sent: int) -> Any: ...


def now_us() -> int:
    return time.monotonic_ns() // 1_000


def read_sent_us(token: str) -> int:
    """The microsecond at which a numbered token was sent, from its text."""
    return int(token.strip().rpartition(":")[2], 16)


def sse(payload: bytes) -> bytes:
    return b"data: " + payload + b"\n\n"


def split_words(text: str) -> list[str]:
    """Pieces of at most one word with the blanks after it; their concatenation is `text`."""
    pieces: list[str] = []
    start = 0
    for place in range(1, len(text)):
        if not text[place].isspace() and text[place - 1].isspace():
            pieces.append(text[start:place])
            start = place
    return [*pieces, text[start:]] if text else []


@dataclass(slots=True)
class ModelServer:
    """`async with ModelServer(wire) as server`: listens on `server.url` until the block ends."""

    wire: Wire
    plan: Plan = field(default_factory=Plan)
    host: str = "127.0.0.1"
    port: int = 0
    plans: deque[Plan] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    connections: set[Connection] = field(default_factory=set)
    connections_made: int = 0
    errors: list[BaseException] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None
    _notices: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> ModelServer:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), self.host, self.port, backlog=1_024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        tasks = [connection.task for connection in self.connections if connection.task is not None]
        for connection in list(self.connections):
            connection.abort()
        await asyncio.gather(*tasks, *self._notices, return_exceptions=True)
        await self._server.wait_closed()
        assert not self.errors, self.errors

    def answer_next(self, *plans: Plan) -> None:
        """The next calls are answered so, one plan a call, before `plan` holds again."""
        self.plans.extend(plans)

    def counts(self) -> dict[str, int]:
        """How many calls there were by the text of their last user message."""
        return dict(Counter(call.key for call in self.calls))

    async def wait_for_call(self, number: int, *, ended: bool = False, tokens: int = 0) -> Call:
        """The `number`-th call (from 1), once it is there, has sent so many tokens, and has ended if asked for."""

        def there() -> bool:
            if len(self.calls) < number:
                return False
            call = self.calls[number - 1]
            return call.tokens_sent >= tokens and (not ended or call.outcome != "running")

        async with self._changed:
            await self._changed.wait_for(there)
        return self.calls[number - 1]

    def changed(self) -> None:
        task = asyncio.get_running_loop().create_task(self._notify())
        self._notices.add(task)
        task.add_done_callback(self._notices.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def control(self, request: HttpRequest) -> tuple[int, Any] | None:
        """The answer to a request that drives the stand-in; None when it is one for the model."""
        match (request.method, request.path):
            case ("GET", "/journal"):
                return 200, self.calls
            case ("GET", "/counts"):
                return 200, self.counts()
            case ("PUT", "/plan"):
                self.plan = msgspec.json.decode(request.body, type=Plan)
                return 200, self.plan
            case ("POST", "/plans"):
                self.answer_next(*msgspec.json.decode(request.body, type=list[Plan]))
                return 200, len(self.plans)
            case ("POST", "/reset"):
                self.calls.clear()
                self.plans.clear()
                return 200, None
            case ("GET", _):
                found = self.wire.look_up(request)
                if isinstance(found, Refusal):
                    return found.status, found.body
                return (404, {"error": "not found"}) if found is None else (200, found)
            case _:
                return None if self.wire.accepts(request) else (404, {"error": "not found"})


class Connection(asyncio.Protocol):
    """One client connection: cuts requests out of the bytes and answers them one after another."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport
        self._buffer = bytearray()
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its ancestors.
        self.server.connections.add(self)
        self.server.connections_made += 1

    def connection_lost(self, _: Exception | None) -> None:
        self.server.connections.discard(self)
        self._writable.set()
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def abort(self) -> None:
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.task is None:
            self._serve_next()

    def _serve_next(self) -> None:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            assert len(self._buffer) <= HEAD_BYTES_MAX
            return
        first, *lines = bytes(self._buffer[:head_end]).decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (h.partition(":") for h in lines)}
        body_end = head_end + 4 + int(headers.get("content-length", "0"))
        if len(self._buffer) < body_end:
            return
        method, target, _ = first.split(" ", 2)
        body = bytes(self._buffer[head_end + 4 : body_end])
        del self._buffer[:body_end]
        request = HttpRequest(method, target.partition("?")[0], headers, body)
        self.task = asyncio.get_running_loop().create_task(self._answer(request))
        self.task.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self.task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.server.errors.append(error)
            self.transport.abort()
        elif not self.transport.is_closing():
            self._serve_next()

    async def _answer(self, request: HttpRequest) -> None:
        controlled = self.server.control(request)
        if controlled is not None:
            self._write_json(controlled[0], controlled[1])
            return
        body = msgspec.json.decode(request.body)
        number = len(self.server.calls) + 1
        call = Call(
            number=number,
            path=request.path,
            headers=request.headers,
            body=body,
            key=last_user_text(body),
            started_us=now_us(),
        )
        self.server.calls.append(call)
        plan = self.server.plans.popleft() if self.server.plans else self.server.plan
        try:
            call.outcome = await self._answer_call(request, call, plan)
        except asyncio.CancelledError:
            call.outcome = "client_closed"
            raise
        finally:
            call.ended_us = now_us()
            self.server.changed()

    async def _answer_call(self, request: HttpRequest, call: Call, plan: Plan) -> str:
        wire = self.server.wire
        self.server.changed()
        refusal = wire.refuse(request, call.body)
        if refusal is not None:
            self._write_json(refusal.status, refusal.body)
            return "refused"
        if plan.status != 200:
            self._write_json(plan.status, wire.error(plan), retry_after_seconds=plan.retry_after_seconds)
            return "refused"
        if plan.cut_after == -1:
            self.transport.abort()
            return "cut"
        if plan.hang_after == -1:
            await self._hang()
        if plan.raw is not None:
            self._write_head(200, plan.content_type or "text/event-stream")
            if plan.raw:
                self._write_chunk(plan.raw.encode())
            if not plan.raw_ends:
                await self._hang()
            self._write_chunk(b"")
            return "completed"
        tokens = split_words(plan.text) if plan.text is not None else None
        count = min(len(tokens) if tokens is not None else plan.tokens, wire.limit(call.body, plan))
        if not call.body.get("stream") or plan.content_type == "application/json":
            text = "".join(tokens[:count] if tokens is not None else [f"w{i} " for i in range(1, count + 1)])
            self._write_json(200, wire.whole(plan, text, count))
            call.tokens_sent = count
            return "completed"
        return await self._stream(call, plan, tokens, count)

    async def _stream(self, call: Call, plan: Plan, tokens: Sequence[str] | None, count: int) -> str:
        wire = self.server.wire
        loop = asyncio.get_running_loop()
        due = loop.time() + plan.first_token_seconds
        step = 1.0 / plan.tokens_per_second if plan.tokens_per_second else 0.0
        self._write_head(200, "text/event-stream; charset=utf-8")
        for payload in wire.begin(plan):
            self._write_chunk(payload)
        for index in range(1, count + 1):
            if index - 1 == plan.cut_after:
                break
            if index - 1 == plan.hang_after:
                await self._hang()
            wait = due - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            elif not self._writable.is_set() or index % 32 == 0:
                await asyncio.sleep(0)
                await self._writable.wait()
            due += step
            text = tokens[index - 1] if tokens is not None else f"w{index}:{now_us():x} "
            self._write_chunk(wire.token(text, plan))
            call.tokens_sent = index
        if plan.cut_after is not None:
            self.transport.close()
            return "cut"
        if plan.hang_after is not None:
            await self._hang()
        for number, (name, arguments) in enumerate(plan.tool_calls):
            for payload in wire.tool_call(number, name, arguments, plan):
                self._write_chunk(payload)
        for payload in wire.end(plan, call.tokens_sent):
            self._write_chunk(payload)
        self._write_chunk(b"")
        return "completed"

    async def _hang(self) -> None:
        self.server.changed()
        await asyncio.get_running_loop().create_future()

    def _write_head(self, status: int, content_type: str, *extra: str) -> None:
        lines = (f"HTTP/1.1 {status} Stand-in", f"content-type: {content_type}", *extra, "transfer-encoding: chunked")
        self.transport.write("\r\n".join((*lines, "", "")).encode())

    def _write_chunk(self, data: bytes) -> None:
        """One chunk of the chunked coding, in one write; an empty one ends the answer."""
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _write_json(self, status: int, value: Any, *, retry_after_seconds: float | None = None) -> None:
        extra = [] if retry_after_seconds is None else [f"retry-after: {retry_after_seconds:g}"]
        self._write_head(status, "application/json", *extra)
        self._write_chunk(msgspec.json.encode(value))
        self._write_chunk(b"")


def last_user_text(body: Any) -> str:
    """The text by which calls are counted: that of the last user message, or nothing."""
    with suppress(AttributeError, TypeError):
        for message in reversed(body["messages"]):
            if message.get("role") == "user":
                return str(message.get("content"))
    return ""
