"""One session with one MCP server, kept open for the life of the process. How it is reached: infra/tool_servers.py.

Owns connecting, reconnecting, time limits, the size of results, and the pins: a tool is the one whose description and
schemas were first seen, or it is not called. Knows no tool by name. `mcp` is imported only when a session opens.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from domain.text import one_line
from domain.values import Json
from infra.telemetry import get_logger
from infra.tool_servers import Open, Peer
from workers.tools.errors import (
    ToolAnswerInvalid,
    ToolChanged,
    ToolError,
    ToolRefused,
    ToolTimeout,
    ToolUnavailable,
)

if TYPE_CHECKING:
    from mcp_types import CallToolResult, Tool

logger = get_logger("workers.tools.mcp_client")

RESULT_BYTES_MAX = 2_097_152  # a server may say all of it twice, as text and as structure
TOOLS_MAX = 200
TOOL_PAGES_MAX = 10
SAID_CHARACTERS_MAX = 200
SILENCES_MAX = 2  # time-outs in a row after which the session itself is taken to be stuck
CLOSE_SECONDS_MAX = 10.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolInfo:
    """A tool as its server lists it. `pin` is the SHA-256, in hex, of its name, description and schemas."""

    name: str
    input_schema: Mapping[str, Json]
    pin: str


class McpSession:
    """`tools` first, then `call`: what was not listed and found to be as it was is not called. Any task may do so,
    and cancelling it cancels the call at the server."""

    def __init__(self, open_client: Open, *, timeout_seconds: float, pins: Mapping[str, str] | None = None) -> None:
        self._open = open_client
        self._timeout_seconds = timeout_seconds
        self._pins = dict(pins or {})
        self._kept: _Kept | None = None
        self._let_go: set[_Kept] = set()
        self._is_closed = False
        self._silences = 0

    async def tools(self) -> dict[str, ToolInfo]:
        """The tools as the server lists them now, by name. Raises any `ToolError` but `ToolChanged`, `ToolMissing`."""
        listed = await self._asked(_list_tools)
        tools = {tool.name: tool for tool in listed}
        if len(tools) < len(listed):
            # Which of two it would call by their name is the server's to choose, so neither is what we saw.
            raise ToolAnswerInvalid("The server lists two tools of one name.")
        return tools

    def pin(self, tool: ToolInfo) -> None:
        """Hold `tool` to what it was when this process first pinned it. Raises `ToolChanged`."""
        if self._pins.setdefault(tool.name, tool.pin) != tool.pin:
            logger.error("tool.changed", tool=tool.name)
            detail = f"The tool {tool.name} has changed since it was pinned: it is off until a restart or a new pin."
            raise ToolChanged(detail, said=tool.pin)

    def silent(self) -> None:
        """A caller waited in vain. After SILENCES_MAX of them without an answer between, the session is made anew."""
        self._silences += 1
        if self._silences >= SILENCES_MAX:
            self._silences = 0
            self._drop(self._kept)

    async def call(self, tool: ToolInfo, arguments: Mapping[str, Json]) -> Json:
        """What the tool answers: its structured content, else the JSON of its first text. Raises any `ToolError`."""
        self.pin(tool)

        async def ask(peer: Peer) -> Json:
            return _content_of(await peer.call_tool(tool.name, arguments))

        return await self._asked(ask)

    async def aclose(self) -> None:
        """For good. Returns when every server that we started has ended."""
        self._is_closed = True
        self._drop(self._kept)
        await asyncio.gather(*(kept.close() for kept in self._let_go))

    async def _asked(self, ask: Callable[[Peer], Awaitable[Answer]]) -> Answer:
        """Once more, on a new session, where the old one turns out to be gone: what is asked here changes nothing."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                try:
                    answer = await self._asked_once(ask)
                except _Gone:
                    answer = await self._asked_once(ask)
        except TimeoutError:
            self.silent()
            raise ToolTimeout("The tool did not answer in time.") from None
        except _Gone as error:
            raise ToolUnavailable("The tool can't be reached.") from error
        self._silences = 0
        return answer

    async def _asked_once(self, ask: Callable[[Peer], Awaitable[Answer]]) -> Answer:
        if self._is_closed:
            raise _Gone("closed")
        if self._kept is None or self._kept.is_over:
            self._drop(self._kept)
            self._kept = _Kept(self._open, self._timeout_seconds)
        kept = self._kept
        try:
            return await ask(await kept.peer())
        except (_Gone, ToolError):
            raise
        except Exception as error:
            # What this library, its transports and their groups raise when a peer goes away has no common name.
            if _is_refusal(error):
                raise ToolRefused("The tool refused to do this.", said=_said(str(error))) from None
            if isinstance(error, ValueError | RuntimeError):
                raise ToolAnswerInvalid("The tool's answer makes no sense.") from error
            self._drop(kept)
            raise _Gone from error

    def _drop(self, kept: _Kept | None) -> None:
        """Let it end by itself; `aclose` waits for those that have not."""
        if kept is None:
            return
        if self._kept is kept:
            self._kept = None
        self._let_go = {other for other in self._let_go if not other.has_ended} | {kept}
        kept.let_go()


class _Gone(Exception):
    """The session could not be opened, or is over."""


class _Kept:
    """A session that one task opens, holds and closes: the library wants all three done by the same task."""

    def __init__(self, open_client: Open, timeout_seconds: float) -> None:
        self._open = open_client
        self._timeout_seconds = timeout_seconds
        self._ready: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._keep(), name="mcp session")

    @property
    def has_ended(self) -> bool:
        return self._task.done()

    @property
    def is_over(self) -> bool:
        return self.has_ended or self._closing.is_set()

    async def peer(self) -> Peer:
        """Raises `_Gone`. A caller who is cancelled here leaves the opening to the next."""
        return await asyncio.shield(self._ready)

    def let_go(self) -> None:
        self._closing.set()

    async def close(self) -> None:
        """Returns when a server that we started has ended; it is killed where it does not end by itself."""
        self._closing.set()
        done, _ = await asyncio.wait([self._task], timeout=CLOSE_SECONDS_MAX)
        if not done:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _keep(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._timeout_seconds):
                    peer = await stack.enter_async_context(self._open())
                self._ready.set_result(peer)
                await self._closing.wait()
        except Exception as error:
            # A failure to open is told to whoever waits; one after that, to whoever asks next.
            logger.warning("tool.session_ended", reason=_reason(error))
            if not self._ready.done():
                self._ready.set_exception(_Gone(_reason(error)))
        finally:
            if not self._ready.done():
                self._ready.set_exception(_Gone("closed"))
            if not self._ready.cancelled():
                self._ready.exception()  # Looked at, so that nobody's absence is reported as a mistake.


# --- reading --------------------------------------------------------------------------------------------------


async def _list_tools(peer: Peer) -> list[ToolInfo]:
    tools: list[ToolInfo] = []
    cursor: str | None = None
    for _ in range(TOOL_PAGES_MAX):
        page = await peer.list_tools(cursor)
        tools += map(_info, page.tools)
        cursor = page.next_cursor
        if cursor is None or len(tools) > TOOLS_MAX:
            break
    if cursor is not None or len(tools) > TOOLS_MAX:
        raise ToolAnswerInvalid(f"The server lists more than {TOOLS_MAX} tools.")
    return tools


def _info(tool: Tool) -> ToolInfo:
    told = [tool.name, tool.description, tool.input_schema, tool.output_schema]
    # Keys in order, so that a server which lists the same schema in another order keeps its pin.
    pin = hashlib.sha256(msgspec.json.encode(told, order="deterministic")).hexdigest()
    return ToolInfo(name=tool.name, input_schema=tool.input_schema, pin=pin)


def _content_of(result: CallToolResult) -> Json:
    texts = [block.text for block in result.content if block.type == "text"]
    if result.is_error:
        raise ToolRefused("The tool refused to do this.", said=_said(" ".join(texts)))
    structured = result.structured_content
    try:
        size_bytes = sum(len(text.encode()) for text in texts) + len(msgspec.json.encode(structured))
        if size_bytes > RESULT_BYTES_MAX:
            raise ToolAnswerInvalid("The tool's answer is too large.")
        if isinstance(structured, dict):
            # A server whose tool answers with text wraps it so.
            wrapped = structured.get("result")
            return msgspec.json.decode(wrapped) if len(structured) == 1 and isinstance(wrapped, str) else structured
        if not texts:
            raise ToolAnswerInvalid("The tool's answer is empty.")
        return msgspec.json.decode(texts[0])
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError) as error:
        raise ToolAnswerInvalid("The tool's answer is not JSON.") from error


def _is_refusal(error: Exception) -> bool:
    """Whether it is the server's own refusal, over a connection that works."""
    from mcp.shared.exceptions import MCPError
    from mcp_types import INVALID_PARAMS, METHOD_NOT_FOUND

    return isinstance(error, MCPError) and error.code in (INVALID_PARAMS, METHOD_NOT_FOUND)


def _reason(error: BaseException) -> str:
    """The name of what lies at the bottom of a group of failures."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return type(error).__name__


def _said(text: str) -> str:
    return one_line(text)[:SAID_CHARACTERS_MAX]
