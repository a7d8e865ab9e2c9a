"""A reply's life: the attempt is the fence, a stop wins, an end is final, the budget is settled once."""

from __future__ import annotations

from commands.messages import PostMessage, StopReply
from commands.replies import CompleteReply, Ending, EndReplyByTakeover, FailReply, StartReply
from domain.events import ReplyCompleted, ReplyFailed, ReplyStarted, ReplyStopped
from domain.values import ModelUsage
from tests.support.decider import NOW_MS, Scenario

ENDING = Ending(text="Hi.", usage=ModelUsage(input_tokens=10, output_tokens=5))


def asked(messages: int = 1) -> tuple[Scenario, str]:
    hello = PostMessage(channel="chat", text="Hello", conversation_id=None, conversation_ref="c_main")
    s = Scenario().given(*[hello] * messages)
    return s, s.brain.queue[0]


def claim(reply_id: str, after_attempt: int = 0) -> StartReply:
    return StartReply(
        reply_id=reply_id, after_attempt=after_attempt, owner="w1", lease_seconds=3, reserved_tokens=1_000
    )


def test_a_claim_takes_the_next_attempt_and_reserves_the_budget() -> None:
    s, reply_id = asked()
    (event,) = s.when(claim(reply_id)).then(ReplyStarted)
    assert isinstance(event, ReplyStarted)
    assert (event.attempt, event.tries) == (1, 1)
    assert s.brain.tokens_spent(NOW_MS) == 1_000


def test_a_claim_that_follows_another_attempt_is_refused() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id))
    s.when(claim(reply_id, 0)).then_refused("stale_attempt")
    s.when(claim(reply_id, 1)).then(ReplyStarted)


def test_only_the_users_next_reply_can_be_claimed() -> None:
    s, _ = asked(messages=2)
    s.when(claim(s.brain.queue[1])).then_refused("stale_attempt")


def test_completing_settles_the_budget_and_gives_way_to_the_next() -> None:
    s, reply_id = asked(messages=2)
    s.given(claim(reply_id))
    s.when(CompleteReply(reply_id=reply_id, attempt=1, ending=ENDING)).then(ReplyCompleted)
    assert s.brain.tokens_spent(NOW_MS) == 15
    assert s.brain.queue[0] != reply_id


def test_tokens_of_another_day_do_not_count_today() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id), CompleteReply(reply_id=reply_id, attempt=1, ending=ENDING))
    assert s.brain.tokens_spent(NOW_MS + 86_400_000) == 0


def test_an_old_attempt_can_neither_complete_nor_fail() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id), claim(reply_id, 1))
    s.when(CompleteReply(reply_id=reply_id, attempt=1, ending=ENDING)).then_refused("stale_attempt")
    s.when(FailReply(reply_id=reply_id, attempt=1, ending=ENDING, code="timeout")).then_refused("stale_attempt")


def test_an_ended_reply_cannot_end_again() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id), FailReply(reply_id=reply_id, attempt=1, ending=ENDING, code="timeout"))
    s.when(CompleteReply(reply_id=reply_id, attempt=1, ending=ENDING)).then_refused("stale_attempt")
    takeover = EndReplyByTakeover(reply_id=reply_id, after_attempt=None, owner="reaper", ending=ENDING)
    s.when(takeover).then_refused("stale_attempt")


def test_a_stop_wins_over_completing_and_failing() -> None:
    for end in (CompleteReply, FailReply):
        s, reply_id = asked()
        s.given(claim(reply_id), StopReply(id=reply_id))
        extra = {"code": "timeout"} if end is FailReply else {}
        (event,) = s.when(end(reply_id=reply_id, attempt=1, ending=ENDING, **extra)).then(ReplyStopped)  # type: ignore[arg-type]
        assert isinstance(event, ReplyStopped)


def test_a_reply_that_is_to_stop_is_not_started_again() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id), StopReply(id=reply_id))
    s.when(claim(reply_id, 1)).then_refused("stale_attempt")


def test_a_takeover_starts_and_ends_in_one_command_and_counts_no_try() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id))
    takeover = EndReplyByTakeover(
        reply_id=reply_id, after_attempt=1, owner="reaper", ending=ENDING, failed_code="attempts_exhausted"
    )
    started, failed = s.when(takeover).then(ReplyStarted, ReplyFailed)
    assert isinstance(started, ReplyStarted)
    assert isinstance(failed, ReplyFailed)
    assert (started.attempt, started.tries, failed.attempt) == (2, 1, 2)
    assert s.brain.tokens_spent(NOW_MS) == 15


def test_a_takeover_of_another_attempt_than_named_is_refused() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id), claim(reply_id, 1))
    takeover = EndReplyByTakeover(reply_id=reply_id, after_attempt=1, owner="reaper", ending=ENDING)
    s.when(takeover).then_refused("stale_attempt")


def test_a_takeover_of_a_reply_that_is_to_stop_stops_it() -> None:
    s, reply_id = asked()
    s.given(claim(reply_id), StopReply(id=reply_id))
    takeover = EndReplyByTakeover(reply_id=reply_id, after_attempt=1, owner="reaper", ending=ENDING)
    s.when(takeover).then(ReplyStarted, ReplyStopped)


def test_an_output_made_elsewhere_ends_a_reply_that_nobody_started() -> None:
    s, reply_id = asked()
    takeover = EndReplyByTakeover(reply_id=reply_id, after_attempt=None, owner="service", ending=ENDING)
    s.when(takeover).then(ReplyStarted, ReplyCompleted)
