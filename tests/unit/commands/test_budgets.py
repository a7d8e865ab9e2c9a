"""The warning at four fifths of a budget, once in each of its windows."""

from __future__ import annotations

from commands.messages import PostMessage
from commands.replies import CompleteReply, Ending, EndReplyByTakeover, StartReply
from domain.events import BrainEvent, BudgetWarned, ReplyCompleted, ReplyStarted
from domain.values import ModelUsage
from tests.support.decider import NOW_MS, Scenario

HELLO = PostMessage(channel="chat", text="Hello", conversation_id=None, conversation_ref="c_main")
DAY_MS = 86_400_000


def warnings(events: list[BrainEvent] | None) -> list[tuple[str, int, int]]:
    assert events is not None
    return [(e.budget, e.used, e.limit) for e in events if isinstance(e, BudgetWarned)]


def answered(s: Scenario, tokens: int) -> list[tuple[str, int, int]]:
    """A message and its answer, which used so many tokens: the warnings that came with its end."""
    s.given(HELLO)
    reply_id = s.brain.queue[0]
    s.given(StartReply(reply_id=reply_id, after_attempt=0, owner="w", lease_seconds=3, reserved_tokens=40))
    ending = Ending(text="Hi", usage=ModelUsage(output_tokens=tokens))
    s.when(CompleteReply(reply_id=reply_id, attempt=1, ending=ending))
    return warnings(s.events)


def test_the_user_is_told_once_that_four_fifths_of_the_minutes_messages_are_spent() -> None:
    s = Scenario().with_limits(messages_per_minute=5).given(HELLO, HELLO)
    assert warnings(s.when(HELLO).events) == []
    assert warnings(s.when(HELLO).events) == [("messages", 4, 5)]
    assert warnings(s.when(HELLO).events) == []
    s.at(NOW_MS + 60_000).given(HELLO, HELLO, HELLO)
    assert warnings(s.when(HELLO).events) == [("messages", 4, 5)]


def test_the_user_is_told_once_a_day_that_four_fifths_of_its_tokens_are_spent() -> None:
    s = Scenario().with_limits(tokens_per_day=100, messages_per_minute=0)
    assert answered(s, 50) == []
    assert answered(s, 30) == [("tokens", 80, 100)]
    assert answered(s, 10) == []
    s.at(NOW_MS + DAY_MS)
    assert answered(s, 79) == []
    assert answered(s, 1) == [("tokens", 80, 100)]


def test_what_runs_is_counted_by_what_it_used_and_not_by_what_it_reserved() -> None:
    s = Scenario().with_limits(tokens_per_day=45, messages_per_minute=0)
    assert answered(s, 35) == []
    assert s.brain.tokens_spent(NOW_MS) == 35


def test_without_a_limit_nobody_is_warned() -> None:
    s = Scenario().with_limits(tokens_per_day=0, messages_per_minute=0)
    assert answered(s, 1_000_000) == []


def test_a_reply_that_somebody_else_ends_is_counted_too() -> None:
    s = Scenario().with_limits(tokens_per_day=10).given(HELLO)
    ending = Ending(text="Hi", usage=ModelUsage(output_tokens=9))
    end = EndReplyByTakeover(reply_id=s.brain.queue[0], after_attempt=None, owner="r", ending=ending)
    s.when(end).then(ReplyStarted, BudgetWarned, ReplyCompleted)


def test_who_can_pay_for_no_call_is_told_although_less_than_four_fifths_are_spent() -> None:
    s = Scenario().with_limits(tokens_per_day=100, messages_per_minute=0)
    assert answered(s, 70) == []
    s.given(HELLO)
    reply_id = s.brain.queue[0]
    s.given(StartReply(reply_id=reply_id, after_attempt=0, owner="w", lease_seconds=3, reserved_tokens=0))
    ending = Ending(text="Your budget is spent.", usage=ModelUsage())
    s.when(CompleteReply(reply_id=reply_id, attempt=1, ending=ending, canned=True, code="budget_spent"))
    assert warnings(s.events) == [("tokens", 70, 100)]
