"""Our own programs that a benchmark starts beside itself: a line of JSON says that one is ready, closed input ends it.

A process of its own is what makes its CPU and its event loop those of the thing measured, and of nothing else.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from infra.settings import Settings, process_environment
from tests.support.processes import ROOT

STOP_SECONDS = 10.0


@dataclass(slots=True)
class Program:
    """`told` is what it said when it was ready."""

    process: subprocess.Popen[bytes]
    told: dict[str, Any]

    @property
    def pid(self) -> int:
        return self.process.pid

    async def next_line(self) -> Any:
        """The JSON of the next line that it writes. Raises `AssertionError` when it ends instead."""
        assert self.process.stdout is not None
        line = await asyncio.to_thread(self.process.stdout.readline)
        assert line, f"the program ended: {self.process.poll()}"
        return msgspec.json.decode(line)

    def write_line(self) -> None:
        """Tell it to go on."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()


@contextmanager
def program(module: str, *arguments: str, settings: Settings | None = None) -> Iterator[Program]:
    """`python -m module …` until the block ends."""
    own: Mapping[str, str] = settings.as_environment() if settings is not None else {}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**process_environment(), **own, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line, f"{module} did not start: {process.wait()}"
        yield Program(process, msgspec.json.decode(line))
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def tell(value: Any) -> None:
    """From inside of a program: one line for whoever started it."""
    print(msgspec.json.encode(value).decode(), flush=True)


async def until_input_closes() -> None:
    closed = asyncio.Event()
    descriptor = sys.stdin.fileno()

    def read() -> None:
        if not os.read(descriptor, 4_096):
            closed.set()

    asyncio.get_running_loop().add_reader(descriptor, read)
    await closed.wait()
