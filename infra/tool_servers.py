"""How a server of tools is reached over MCP: a program that we start, over HTTP, or in this process.

Owns what such a server gets of us, the end of its program, and the size of what comes over HTTP. Knows no tool and
keeps no session. `mcp` is imported only when a session opens.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from infra.embedded.launch import command

if TYPE_CHECKING:
    from mcp.client.client import Client

STDIO = "stdio:"
TOKEN_PLACE = "{token}"

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=", re.ASCII)

Open = Callable[[], AbstractAsyncContextManager["Client"]]


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


def over_stdio(program: Program) -> Open:
    """The program gets PATH, HOME and the like and its own variables, nothing else of our environment; what it writes
    to stderr is dropped, since it may quote what a user looks for or has planned. It does not outlive this process."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        await _imported()
        from mcp.client.client import Client
        from mcp.client.stdio import StdioServerParameters, stdio_client

        first, *rest = command(program.arguments, parent=os.getpid(), stop_signal=signal.SIGKILL)
        parameters = StdioServerParameters(command=first, args=rest, env=dict(program.variables))
        with _nowhere() as dropped:
            async with Client(stdio_client(parameters, errlog=dropped), cache=None) as client:
                yield client

    return opened


def _nowhere() -> TextIO:
    return open(os.devnull, "w")


def over_http(url: str, token: str = "", *, timeout_seconds: float, result_bytes_max: int) -> Open:
    """`timeout_seconds` is for silence. An answer over twice `result_bytes_max` is not read to its end."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        await _imported()
        import httpx2
        from mcp.client.client import Client
        from mcp.client.streamable_http import streamable_http_client

        from infra.capped_http import CappedTransport

        # Unpacked, an answer would have no end that can be counted on the wire.
        headers = {"accept-encoding": "identity", **({"authorization": f"Bearer {token}"} if token else {})}
        # JSON in JSON has its quotes escaped.
        transport = CappedTransport(2 * result_bytes_max)
        async with (
            httpx2.AsyncClient(headers=headers, timeout=timeout_seconds, transport=transport) as http,
            Client(streamable_http_client(url, http_client=http), cache=None) as client,
        ):
            yield client

    return opened


def in_process(make_server: Callable[[], Any]) -> Open:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        await _imported()
        from mcp.client.client import Client

        async with Client(make_server(), cache=None) as client:
            yield client

    return opened


async def _imported() -> None:
    """In a thread: it takes half a second, in which this process goes on with its other work."""
    await asyncio.to_thread(importlib.import_module, "mcp.client.client")
