"""Erasing a user is the last thing that happens to them."""

from __future__ import annotations

import pytest

from commands.erasure import EraseUser
from commands.tasks import CreateTask
from domain.events import ReplyStopped, UserErased
from domain.values import Task
from tests.support.decider import Scenario
from tests.support.histories import History


def test_waiting_and_running_replies_end_before_the_user_does() -> None:
    history = History("00/u").say("a").say("b").start()
    before = len(history.facts)
    history.do(EraseUser())
    ended = [fact.event for fact in history.facts[before:]]
    assert [type(event) for event in ended] == [ReplyStopped, ReplyStopped, UserErased]
    assert history.brain.erased
    assert (history.brain.queue, history.brain.tasks, history.brain.conversations) == ((), {}, {})


def test_somebody_without_a_single_event_can_be_erased() -> None:
    history = History("00/u").do(EraseUser())
    assert [type(fact.event) for fact in history.facts] == [UserErased]


@pytest.mark.parametrize("command", [EraseUser(), CreateTask(task=Task(title="too late"))])
def test_nothing_can_follow(command: EraseUser | CreateTask) -> None:
    Scenario().given(EraseUser()).when(command).then_refused("erased")
