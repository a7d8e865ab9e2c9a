"""Lines of several processes on one stdout, each with its sender's name.

A thread of its own writes them: a reader that stalls (a full pipe, a terminal on hold) must never stop the supervisor.
"""

from __future__ import annotations

import queue
import sys
import threading

LINES_MAX = 10_000
NAME_CHARACTERS = 12
FLUSH_SECONDS = 1.0


class Printer:
    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(LINES_MAX)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="output", daemon=True)
        self._thread.start()

    def say(self, name: str, line: str) -> None:
        """Never blocks: when the reader is too far behind the line is dropped, and the reader told how many were."""
        try:
            if self._dropped:
                self._lines.put_nowait(_shown("dev", f"{self._dropped} lines were dropped here"))
                self._dropped = 0
            self._lines.put_nowait(_shown(name, line))
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write what is left, as long as somebody reads it."""
        try:
            self._lines.put(None, timeout=FLUSH_SECONDS)
        except queue.Full:
            return
        self._thread.join(FLUSH_SECONDS)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                sys.stdout.write(line)
                if self._lines.empty():
                    sys.stdout.flush()
            except (BrokenPipeError, ValueError):
                return
        sys.stdout.flush()


def _shown(name: str, line: str) -> str:
    return f"{name:<{NAME_CHARACTERS}}| {line}\n"
