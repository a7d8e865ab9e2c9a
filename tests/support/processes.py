"""Processes of a test's own: their output line by line, and their ends without polling."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread

ROOT = Path(__file__).parent.parent.parent
GIVE_UP_SECONDS = 60.0


class Running:
    """A child process whose stdout and stderr are read as they come. Ended with everything it started by `close`."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MICROCOS_")}
        self.lines: list[str] = []
        self._new: Queue[str] = Queue()
        self.process = subprocess.Popen(
            list(command),
            cwd=ROOT,
            env={**inherited, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def expect(self, pattern: str, *, seconds: float = GIVE_UP_SECONDS) -> re.Match[str]:
        """The next line, of those not yet looked at, in which the pattern is found."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._new.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise AssertionError(f"no line with {pattern!r} within {seconds} s:\n{self.output}") from None
            if found := re.search(pattern, line):
                return found

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self, *, seconds: float = GIVE_UP_SECONDS) -> int:
        status = self.process.wait(seconds)
        self._reader.join(seconds)
        return status

    def end_session(self) -> None:
        """Kill it and whatever it started without a session of its own."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(GIVE_UP_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line.rstrip("\n"))


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def reads_its_terminal(pid: int, *, seconds: float = GIVE_UP_SECONDS) -> bool:
    """Whether the process came in time to wait in a system call on descriptor 0; of that the kernel tells who asks."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        called = Path(f"/proc/{pid}/syscall").read_text().split()
        if called[1:2] == ["0x0"]:
            return True
        time.sleep(0.01)
    return False


def wait_until_gone(pid: int, *, seconds: float = GIVE_UP_SECONDS) -> bool:
    """Whether the process, anybody's child, ended in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def none_left_with(text: str, *, seconds: float = GIVE_UP_SECONDS) -> bool:
    """Whether every process that names it ended in time: one that was killed ends a moment after it was."""
    return all(wait_until_gone(pid, seconds=seconds) for pid in processes_with(text))


def processes_with(text: str) -> set[int]:
    """Pids of the processes that name it in their command line or environment, zombies excepted, ours too."""
    found = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                said = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in said:
                found.add(int(folder.name))
    return found
