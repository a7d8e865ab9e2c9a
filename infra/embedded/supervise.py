"""Keep processes alive: start each, tell when it is ready, start it again when it ends, stop it in time.

Knows nothing of what the processes do. All of it runs in the main thread's event loop, because the kernel takes the
death of the thread that spawned a process for the death of its parent (see `launch`).
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Protocol

from infra.embedded.binaries import EmbeddedError
from infra.embedded.servers import EmbeddedServer, log_path

Say = Callable[[str, str], None]  # who, line
Stops = Sequence[tuple[signal.Signals, float]]  # signal, seconds to wait after it

READY = "ready"
READY_POLL_SECONDS = 0.05
INTACT_POLL_SECONDS = 0.5
# A process that was ready is started again at once; one that never gets there, with growing pauses.
RESTART_PAUSES_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0)
LINE_BYTES_MAX = 1 << 20
OUTPUT_SECONDS = 1.0  # for the last lines of an ended process


class Program(Protocol):
    """What to run and how to know that it is ready."""

    @property
    def name(self) -> str: ...
    @property
    def stops(self) -> Stops: ...
    async def start(self, say: Say) -> Process: ...
    async def until_ready(self, process: Process, say: Say) -> None:
        """Returns once it is ready; the caller gives up when the process ends."""
        ...

    async def until_broken(self) -> None:
        """Returns when the running process must be replaced, most often never."""
        ...

    async def ended(self, process: Process) -> None:
        """Called after each end, also after a wanted one."""
        ...


@dataclass(frozen=True, slots=True)
class Role:
    """One of our own processes. It is ready when it writes a line that starts with `ready`; all else that it writes, to
    stdout or stderr, is passed on.

    `environment` is asked anew for each start; `on_end` gets what it answered for the start that has ended.
    """

    name: str
    command: Callable[[], list[str]]
    environment: Callable[[], Mapping[str, str]]
    stops: Stops
    on_end: Callable[[Mapping[str, str]], Coroutine[None, None, None]] | None = None


class RoleProgram:
    def __init__(self, role: Role) -> None:
        self._role = role
        self.name = role.name
        self.stops = role.stops
        self._environment: Mapping[str, str] = {}
        self._ready = asyncio.Event()
        self._output: asyncio.Task[None] | None = None
        self._after: set[asyncio.Task[None]] = set()

    async def start(self, say: Say) -> Process:
        self._environment = self._role.environment()
        self._ready.clear()
        # Our own pipe: of one that asyncio made, it waits for the end before it tells that the process has ended, and
        # what the role started may hold it open.
        reading_end, writing_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._role.command(),
                env=self._environment,
                stdin=DEVNULL,
                stdout=writing_end,
                stderr=writing_end,
                # A Ctrl-C at the terminal is for the supervisor; and what the role starts can be ended with it.
                start_new_session=True,
            )
        except OSError:
            os.close(reading_end)
            raise
        finally:
            os.close(writing_end)
        self._output = asyncio.create_task(self._pass_on(reading_end, say))
        return process

    async def until_ready(self, process: Process, say: Say) -> None:
        await self._ready.wait()

    async def until_broken(self) -> None:
        await asyncio.Event().wait()

    async def ended(self, process: Process) -> None:
        # Whatever the role had started goes with it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if self._output is not None:
            await asyncio.wait([self._output], timeout=OUTPUT_SECONDS)
            self._output.cancel()
        if self._role.on_end is not None:
            # Not waited for: the next start must not depend on a database that may be away.
            task = asyncio.create_task(self._role.on_end(self._environment))
            self._after.add(task)
            task.add_done_callback(self._after.discard)

    async def _pass_on(self, descriptor: int, say: Say) -> None:
        lines = asyncio.StreamReader(limit=LINE_BYTES_MAX)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(descriptor, "rb", buffering=0)
        )
        try:
            while line := await _next_line(lines):
                text = line.decode(errors="replace").rstrip()
                if text.startswith(READY):
                    self._ready.set()
                elif text:
                    say(self.name, text)
        finally:
            transport.close()


class ServerProgram:
    """An embedded server; its output goes to its log."""

    def __init__(self, server: EmbeddedServer, stops: Stops) -> None:
        self._server = server
        self.name = server.name
        self.stops = stops

    async def start(self, say: Say) -> Process:
        await asyncio.to_thread(self._server.prepare)
        with log_path(self._server).open("ab") as log:
            return await self._spawn(log)

    async def until_ready(self, process: Process, say: Say) -> None:
        await _until(self._server.is_ready, READY_POLL_SECONDS)
        await asyncio.to_thread(self._server.complete)

    async def until_broken(self) -> None:
        await _until(lambda: not self._server.is_intact(), INTACT_POLL_SECONDS)

    async def ended(self, process: Process) -> None:
        """Nothing to clear up: the next `prepare` sees to it."""

    async def _spawn(self, log: IO[bytes]) -> Process:
        return await asyncio.create_subprocess_exec(
            *self._server.command(), stdin=DEVNULL, stdout=log, stderr=log, start_new_session=True
        )


class Child:
    """One program, kept alive by `run` until `stop`."""

    def __init__(self, program: Program, say: Say) -> None:
        self.name = program.name
        self.ready = asyncio.Event()
        self.restarts = 0
        self._program = program
        self._say = say
        self._process: Process | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def run(self) -> None:
        try:
            await self._run_until_stopped()
        finally:
            self._ended.set()

    async def stop(self, *, at_once: bool = False) -> None:
        """Ask it to end, ever more firmly, until it has; `at_once` begins with the firmest. Returns when it is gone."""
        self._stopping.set()
        for number, seconds in self._program.stops[-1:] if at_once else self._program.stops:
            self._signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ended.wait()
                return
        await self._ended.wait()

    async def _run_until_stopped(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            was_ready = await self._run_once()
            self.ready.clear()
            if self._stopping.is_set():
                return
            failures = 0 if was_ready else failures + 1
            self.restarts += 1
            with suppress(TimeoutError):
                pause = RESTART_PAUSES_SECONDS[min(failures, len(RESTART_PAUSES_SECONDS) - 1)]
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def _run_once(self) -> bool:
        """From start to end of one process; whether it was ready in between."""
        try:
            process = await self._program.start(self._say)
        except (EmbeddedError, OSError) as error:
            self._say(self.name, f"cannot start: {error}")
            return False
        self._process = process
        if self._stopping.is_set():
            self._signal(self._program.stops[0][0])
        watch = asyncio.create_task(self._watch(process, asyncio.get_running_loop().time()))
        status = await process.wait()
        watch.cancel()
        await asyncio.wait([watch])
        self._process = None
        was_ready = self.ready.is_set()
        if not self._stopping.is_set():
            self._say(self.name, f"ended ({_status_text(status)}); starting it again")
        await self._program.ended(process)
        return was_ready

    async def _watch(self, process: Process, began: float) -> None:
        """Tell when it is ready; end it when it can't be used."""
        try:
            await self._program.until_ready(process, self._say)
            self.ready.set()
            seconds = asyncio.get_running_loop().time() - began
            self._say(self.name, f"ready (pid {process.pid}, {seconds:.1f} s)")
            await self._program.until_broken()
            self._say(self.name, "its files were taken away; starting it again")
        except Exception as error:
            self._say(self.name, f"cannot be used: {error}")
        for number, wait_seconds in self._program.stops:
            self._signal(number)
            await asyncio.sleep(wait_seconds)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)


def _status_text(status: int) -> str:
    if status < 0:
        return signal.Signals(-status).name
    return f"exit status {status}"


async def _until(condition: Callable[[], bool], poll_seconds: float) -> None:
    """Returns once the condition, which may block for a while, holds."""
    while True:
        if await asyncio.to_thread(condition):
            return
        await asyncio.sleep(poll_seconds)


async def _next_line(lines: asyncio.StreamReader) -> bytes:
    """The next line; of one that is longer than the limit only its end. Empty at the end of all."""
    while True:
        try:
            return await lines.readline()
        except ValueError:
            continue
