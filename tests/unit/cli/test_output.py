"""Many processes' lines on one stdout, which nobody may be reading."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from cli import output
from cli.output import Printer


def test_lines_come_out_in_order_with_their_senders(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer()
    for number in range(100):
        printer.say("api", f"line {number}")
    printer.close()
    assert capsys.readouterr().out.splitlines() == [f"api         | line {number}" for number in range(100)]


def test_a_reader_that_stalls_stops_nobody_and_is_told_what_it_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "LINES_MAX", 10)
    monkeypatch.setattr(output, "FLUSH_SECONDS", 30.0)
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stalled, os.fdopen(reader) as pipe:
        monkeypatch.setattr(sys, "stdout", stalled)
        printer = Printer()
        for _ in range(1_000):
            printer.say("api", "x" * 1_000)
        received: list[str] = []
        reading = threading.Thread(target=lambda: received.extend(pipe))
        reading.start()
        # The first of these finds the queue as full as before; later ones find room, and report the gap.
        while not any("dropped" in line for line in received[-50:]):
            printer.say("api", "again")
        printer.close()
        stalled.close()
        reading.join()
    assert any("lines were dropped here" in line for line in received)


def test_a_reader_that_went_away_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb", buffering=0) as raw:

        class Broken:
            def write(self, text: str) -> None:
                raw.write(text.encode())

            def flush(self) -> None:
                pass

        monkeypatch.setattr(sys, "stdout", Broken())
        printer = Printer()
        for _ in range(1_000):
            printer.say("api", "nobody listens")
        printer.close()
