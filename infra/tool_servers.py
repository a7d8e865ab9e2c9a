"""How a server of tools is reached over MCP: a program that we start, over HTTP, or in this process.

Owns what such a server gets of us, the end of its program, and the size of what comes over HTTP. Knows no tool and
keeps no session. `mcp` is imported only when a session opens.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from infra.embedded.launch import command

if TYPE_CHECKING:
    from mcp.client.client import Client
    from mcp_types import CallToolResult, ListToolsResult

STDIO = "stdio:"
TOKEN_PLACE = "{token}"

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=", re.ASCII)


class Peer:
    """An open session with a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def list_tools(self, cursor: str | None = None) -> ListToolsResult:
        return await self._client.list_tools(cursor=cursor)

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """Not by the library's own way, which judges the answer by the schema that the server itself gave: patterns and
        references can make that take for ever, and this process with it. Who asks reads the answer strictly."""
        from mcp_types import CallToolRequest, CallToolRequestParams, CallToolResult

        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=dict(arguments)))
        return await self._client.session.send_request(request, CallToolResult)


Open = Callable[[], AbstractAsyncContextManager[Peer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A server that we start. `variables` may hold the token, which the command line never does."""

    arguments: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)


def program_of(target: str, token: str = "") -> Program:
    """Reads `stdio:NAME=value … command argument …`, quoted as in a shell; `{token}` in a value is the token.

    Raises `ValueError` where there is no command.
    """
    words = shlex.split(target.removeprefix(STDIO))
    variables: dict[str, str] = {}
    while words and _ASSIGNMENT.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value.replace(TOKEN_PLACE, token)
    if not words:
        raise ValueError("no command")
    return Program(arguments=tuple(words), variables=variables)


def over_stdio(program: Program, *, result_bytes_max: int) -> Open:
    """The program gets PATH, HOME and the like and its own variables, nothing else of our environment; what it writes
    to stderr is dropped. It does not outlive this process. A line of over twice `result_bytes_max` ends the session."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Peer]:
        await _imported()
        from mcp.client.client import Client

        from infra import tool_transports

        arguments = command(program.arguments, parent=os.getpid(), stop_signal=signal.SIGKILL)
        way = tool_transports.program(arguments, program.variables, line_bytes_max=2 * result_bytes_max)
        async with Client(tool_transports.metered(way), cache=None) as client:
            yield Peer(client)

    return opened


def over_http(url: str, token: str = "", *, timeout_seconds: float, result_bytes_max: int) -> Open:
    """`timeout_seconds` is for silence. An answer over twice `result_bytes_max` is not read to its end."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Peer]:
        await _imported()
        import httpx2
        from mcp.client.client import Client
        from mcp.client.streamable_http import streamable_http_client

        from infra.capped_http import CappedTransport
        from infra.tool_transports import metered

        # Unpacked, an answer would have no end that can be counted on the wire.
        headers = {"accept-encoding": "identity", **({"authorization": f"Bearer {token}"} if token else {})}
        # JSON in JSON has its quotes escaped.
        transport = CappedTransport(2 * result_bytes_max)
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout_seconds, transport=transport) as http,
            Client(metered(streamable_http_client(url, http_client=http)), cache=None) as client,
        ):
            yield Peer(client)

    return opened


def in_process(make_server: Callable[[], Any]) -> Open:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Peer]:
        await _imported()
        from mcp.client.client import Client

        async with Client(make_server(), cache=None) as client:
            yield Peer(client)

    return opened


async def _imported() -> None:
    """In a thread: it takes half a second, in which this process goes on with its other work."""
    await asyncio.to_thread(importlib.import_module, "mcp.client.client")
    # It has a line for each thing that a server says wrong, and a server may say as many as it likes.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
