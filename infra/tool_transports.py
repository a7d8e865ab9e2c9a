"""The ways to a server of tools outside of this process, each with an end to what the server may say.

`program` stands in place of the library's own transport over stdin and stdout, which keeps a line of any length,
writes each line that makes no sense into the log, and leaves what the program has forked. Knows no tool, and gives up
on a server rather than on this process. Imported only when a session opens.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import anyio
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from infra.telemetry import get_logger

MESSAGES_MAX = 5_000  # of one session, which then ends; whoever asks next gets a new one
LINES_MAX = 64  # of the greatest length, in one session
STOP_SECONDS = 2.0
POLL_SECONDS = 0.01

logger = get_logger("infra.tool_transports")

Streams = tuple[Any, Any]  # what the library reads from and writes to


@asynccontextmanager
async def metered(transport: AbstractAsyncContextManager[Streams]) -> AsyncIterator[Streams]:
    """`transport`, until the server has said MESSAGES_MAX things."""
    async with transport as (said, asked):
        yield _Metered(said), asked


class _Metered:
    """A read stream as the library takes it. What makes no sense is dropped, and counts too: each request and notice
    costs a task, and a server that asks and never listens would leave them all waiting."""

    def __init__(self, said: Any) -> None:
        self._said = said
        self._left = MESSAGES_MAX
        self._is_told = False

    @property
    def last_context(self) -> Any:
        return getattr(self._said, "last_context", None)

    async def receive(self) -> SessionMessage:
        while True:
            item = await self._said.receive()
            self._left -= 1
            if self._left < 0:
                logger.warning("tool.server_ended", reason="messages")
                raise anyio.EndOfStream
            if isinstance(item, SessionMessage):
                return item
            if not self._is_told:
                self._is_told = True
                logger.warning("tool.server_unreadable")

    def __aiter__(self) -> _Metered:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        await self._said.aclose()

    async def __aenter__(self) -> _Metered:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


@asynccontextmanager
async def program(
    arguments: Sequence[str], variables: Mapping[str, str], *, line_bytes_max: int
) -> AsyncIterator[Streams]:
    """A program that speaks a line a message. It ends with the block, and so does what it forked, unless that has left
    for a process group of its own. Raises `OSError` where it can't be started."""
    transport, protocol = await asyncio.get_running_loop().subprocess_exec(
        lambda: SubprocessStreamProtocol(limit=line_bytes_max, loop=asyncio.get_running_loop()),
        *arguments,
        stdin=PIPE,
        stdout=PIPE,
        # What it writes there may quote what a user looks for or has planned.
        stderr=DEVNULL,
        env={**get_default_environment(), **variables},
        start_new_session=True,
    )
    process = Process(transport, protocol, asyncio.get_running_loop())
    tell, said = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    ask, asked = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_listen, process, tell, line_bytes_max)
        tasks.start_soon(_speak, process, asked, tell)
        try:
            yield said, ask
        finally:
            # Whoever is cancelled meanwhile waits for this: every part of it has an end.
            with anyio.CancelScope(shield=True):
                await _end(process)
            tasks.cancel_scope.cancel()
            transport.close()
            for stream in (tell, said, ask, asked):
                stream.close()


async def _listen(process: Process, tell: Any, line_bytes_max: int) -> None:
    """Until the program, the session or our patience ends; then nobody reads, and who goes on writing has to wait."""
    assert process.stdout is not None
    bytes_left = LINES_MAX * line_bytes_max
    async with tell:
        with suppress(asyncio.IncompleteReadError, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            try:
                while bytes_left > 0:
                    line = await process.stdout.readuntil(b"\n")
                    bytes_left -= len(line)
                    await tell.send(_read(line))
            except asyncio.LimitOverrunError:
                logger.warning("tool.server_ended", reason="line")
            else:
                logger.warning("tool.server_ended", reason="bytes")


async def _speak(process: Process, asked: Any, tell: Any) -> None:
    assert process.stdin is not None
    async with asked:
        try:
            async for message in asked:
                process.stdin.write(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await process.stdin.drain()
        except OSError:
            # It may live and not listen: nobody should wait for its answer.
            await tell.aclose()


def _read(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


async def _end(process: Process) -> None:
    """It ends with its input; otherwise it is told to, and then killed."""
    assert process.stdin is not None
    process.stdin.close()
    if not await _has_ended(process):
        _signal(process, signal.SIGTERM)
        await _has_ended(process)
    # Also where it has ended: its group is what it left behind.
    _signal(process, signal.SIGKILL)
    await _has_ended(process)


async def _has_ended(process: Process) -> bool:
    # Not `wait()`: that waits for the pipes too, which a child that left the group may hold.
    try:
        async with asyncio.timeout(STOP_SECONDS):
            while process.returncode is None:  # noqa: ASYNC110 - nothing tells of it but the number itself
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        return False
    return True


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
