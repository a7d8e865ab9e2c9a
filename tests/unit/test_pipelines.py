"""What a pipeline left unsent goes out while it waits for answers."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from psycopg.waiting import Ready, Wait

from infra.pipelines import flushing


class Connection:
    """Has so many more buffers to send; the kernel takes one at a time."""

    def __init__(self, unsent: int) -> None:
        self.unsent = unsent

    def flush(self) -> int:
        self.unsent = max(0, self.unsent - 1)
        return int(self.unsent > 0)


def reading() -> Generator[Wait, Ready, str]:
    assert (yield Wait.R) & Ready.R
    return "answer"


def run(connection: Any, *ready: Ready) -> tuple[list[Wait], str | None]:
    """What was waited for, and what came back, if the end was reached."""
    generator = flushing(reading(), connection)
    waits: list[Any] = [next(generator)]
    try:
        for state in ready:
            waits.append(generator.send(state))
    except StopIteration as end:
        return waits, end.value
    return waits, None


def test_with_all_sent_it_only_reads() -> None:
    assert run(Connection(0), Ready.R) == ([Wait.R], "answer")


def test_what_is_unsent_is_sent_before_the_answer_is_waited_for() -> None:
    connection = Connection(3)
    assert run(connection, Ready.W, Ready.W, Ready.R) == ([Wait.RW, Wait.RW, Wait.R], "answer")
    assert connection.unsent == 0


def test_an_answer_is_taken_although_something_is_unsent() -> None:
    assert run(Connection(9), Ready.W, Ready.RW) == ([Wait.RW, Wait.RW], "answer")
