"""How long work shows itself: a bar on a terminal, else a plain line a second. On stderr; stdout is for results."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from domain.ports import Clock

LINE_SECONDS = 1.0


class WorkProgress:
    """Phases one after the other, each with a count of events where it has one. A context manager."""

    def __init__(self, title: str, clock: Clock, *, console: Console | None = None) -> None:
        self._title = title
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._bar = _Bar(title, self._console) if self._console.is_terminal else None
        self._phase = ""
        self._done = self._total = self._read = 0
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

    def phase(self, phase: str, *, done: int = 0, total: int = 0) -> None:
        self._phase, self._done, self._total, self._read = phase, done, total, 0
        self._began = self._told = self._clock.monotonic()
        if self._bar is not None:
            self._bar.phase(phase, done, total)
        else:
            self._say()

    def advance(self, events: int) -> None:
        self._done += events
        self._read += events
        now = self._clock.monotonic()
        if self._bar is not None:
            self._bar.advance(self._done, self._rate(now))
        elif now - self._told >= LINE_SECONDS:
            self._told = now
            self._say()

    def _rate(self, now: float) -> float:
        """Events a second in this phase, those that were read before not counted."""
        return self._read / max(now - self._began, 0.001)

    def _say(self) -> None:
        line = f"{self._title}: {self._phase}"
        if self._total or self._done:
            line += f" {self._done:,} of {max(self._total, self._done):,} events"
        if self._read:
            line += f", {self._rate(self._clock.monotonic()):,.0f} events/s"
        print(line, file=sys.stderr, flush=True)


class _Bar:
    def __init__(self, title: str, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._title = title
        self._task: TaskID | None = None

    def start(self) -> None:
        self._progress.start()

    def stop(self) -> None:
        self._progress.stop()

    def phase(self, phase: str, done: int, total: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=self._progress.tasks[-1].completed or 1)
            self._progress.stop_task(self._task)
        self._task = self._progress.add_task(f"{self._title}: {phase}", total=total or None, completed=done, rate="")

    def advance(self, done: int, rate: float) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=done, rate=f"{rate:,.0f} events/s")
