"""How long work shows itself: lines where nobody watches, a bar where somebody does."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli.progress import WorkProgress
from infra.clock import ManualClock


def plain() -> Console:
    return Console(file=io.StringIO(), force_terminal=False)


def test_away_from_a_terminal_there_is_a_line_a_phase_and_one_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    with WorkProgress("rebuild chat", clock, console=plain()) as progress:
        progress.phase("load", events=1_000)
        for part in (0.1, 0.2, 0.3, 0.4):
            clock.advance(0.5)
            progress.advance(100, part)
        progress.phase("index")
    assert capsys.readouterr().err.splitlines() == [
        "rebuild chat: load 0% of 1,000 events",
        "rebuild chat: load 20% of 1,000 events, 200 read, 200 events/s",
        "rebuild chat: load 40% of 1,000 events, 400 read, 200 events/s",
        "rebuild chat: index",
    ]


def test_a_part_that_nobody_knows_is_told_by_the_events(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    with WorkProgress("rebuild chat", clock, console=plain()) as progress:
        progress.phase("follow", events=200)
        clock.advance(2)
        progress.advance(50)
        clock.advance(2)
        progress.advance(500)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [
        "rebuild chat: follow 25% of 200 events",
        "rebuild chat: follow 100% of 200 events",
    ]


def test_on_a_terminal_there_is_a_bar_with_the_rate() -> None:
    screen = io.StringIO()
    clock = ManualClock()
    console = Console(file=screen, force_terminal=True, width=120)
    with WorkProgress("rebuild chat", clock, console=console) as progress:
        progress.phase("load", events=1_000)
        clock.advance(2)
        progress.advance(500, 0.5)
        progress.phase("swap")
    shown = screen.getvalue()
    assert "rebuild chat: load" in shown
    assert "50%" in shown
    assert "500 events, 250 events/s" in shown
