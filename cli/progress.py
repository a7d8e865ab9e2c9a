"""How long work shows itself: a bar on a terminal, else a plain line a second. On stderr; stdout is for results."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from domain.ports import Clock

LINE_SECONDS = 1.0


class WorkProgress:
    """Phases one after the other, with the events that each has read, and their rate. A context manager."""

    def __init__(self, title: str, clock: Clock, *, console: Console | None = None) -> None:
        self._title = title
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._bar = _Bar(title, self._console) if self._console.is_terminal else None
        self._phase = ""
        self._events = self._read = 0
        self._part = 0.0
        self._began = self._told = clock.monotonic()

    def __enter__(self) -> WorkProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def phase(self, phase: str, *, events: int = 0) -> None:
        """About as many events are to be read in this phase; 0 where it reads none, or nobody knows."""
        self._phase, self._events, self._read, self._part = phase, events, 0, 0.0
        self._began = self._told = self._clock.monotonic()
        if self._bar is not None:
            self._bar.phase(phase)
        else:
            self._say()

    def advance(self, events: int, part: float | None = None) -> None:
        """So many more were read; `part` of the phase, 0 to 1, is done where that is known better than by them."""
        self._read += events
        if part is None:
            part = self._read / self._events if self._events else 0.0
        self._part = min(1.0, part)
        now = self._clock.monotonic()
        if self._bar is not None:
            self._bar.advance(self._part, f"{self._read:,} events, {self._rate(now):,.0f} events/s")
        elif now - self._told >= LINE_SECONDS:
            self._told = now
            self._say()

    def _rate(self, now: float) -> float:
        """Events a second in this phase."""
        return self._read / max(now - self._began, 0.001)

    def _say(self) -> None:
        line = f"{self._title}: {self._phase}"
        if self._events:
            line += f" {self._part:.0%} of {self._events:,} events"
        if self._read:
            line += f", {self._read:,} read, {self._rate(self._clock.monotonic()):,.0f} events/s"
        print(line, file=sys.stderr, flush=True)


class _Bar:
    def __init__(self, title: str, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._title = title
        self._task: TaskID | None = None

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        self._end()
        self._progress.stop()

    def phase(self, phase: str) -> None:
        self._end()
        self._task = self._progress.add_task(f"{self._title}: {phase}", total=1.0, detail="")

    def advance(self, part: float, detail: str) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=part, detail=detail)

    def _end(self) -> None:
        if self._task is not None:
            self._progress.stop_task(self._task)
