"""Chat from the user's side: messages, stop, regenerate."""

from __future__ import annotations

from dataclasses import replace

from commands.conversations import DeleteConversation
from commands.messages import PostMessage, RegenerateReply, StopReply
from commands.notes import AddNote
from commands.replies import CompleteReply, Ending, StartReply
from commands.sessions import CloseSession, OpenSession
from domain import limits
from domain.events import (
    ConversationDeleted,
    ConversationStarted,
    MessageReceived,
    ReplyRequested,
    ReplyStopped,
    ReplyStopRequested,
    SessionClosed,
    SessionOpened,
)
from domain.values import ModelUsage
from tests.support.decider import NOW_MS, Scenario

HELLO = PostMessage(channel="chat", text="Hello", conversation_id=None, conversation_ref="c_main")


def started(s: Scenario, reply_id: str, after_attempt: int = 0) -> Scenario:
    claim = StartReply(reply_id=reply_id, after_attempt=after_attempt, owner="w1", lease_seconds=3, reserved_tokens=100)
    return s.given(claim)


def completed(s: Scenario, reply_id: str, text: str = "Hi.") -> Scenario:
    usage = ModelUsage(input_tokens=10, output_tokens=5)
    return s.given(CompleteReply(reply_id=reply_id, attempt=1, ending=Ending(text=text, usage=usage)))


def test_the_first_message_opens_a_session_and_the_main_conversation_and_asks_for_a_reply() -> None:
    events = Scenario().when(HELLO).then(SessionOpened, ConversationStarted, MessageReceived, ReplyRequested)
    received, requested = events[2], events[3]
    assert isinstance(received, MessageReceived)
    assert isinstance(requested, ReplyRequested)
    assert requested.reply.message_id == received.message_id
    assert requested.reply.message_version == 3


def test_the_next_message_goes_to_the_newest_session() -> None:
    s = Scenario().given(HELLO, OpenSession())
    (received, _) = s.when(HELLO).then(MessageReceived, ReplyRequested)
    assert isinstance(received, MessageReceived)
    assert received.session_id == list(s.brain.sessions)[-1]


def test_the_same_command_makes_the_same_ids() -> None:
    first, second = Scenario().when(HELLO), Scenario().when(HELLO)
    assert first.events == second.events


def test_blank_text_is_refused() -> None:
    Scenario().when(replace(HELLO, text=" \n\t\u3000")).then_refused("text_empty")


def test_text_over_the_limit_is_refused() -> None:
    Scenario().given(replace(HELLO, text="x" * limits.MESSAGE_CHARACTERS_MAX))
    Scenario().when(replace(HELLO, text="x" * (limits.MESSAGE_CHARACTERS_MAX + 1))).then_refused("text_too_long")


def test_an_unknown_session_is_refused() -> None:
    Scenario().when(replace(HELLO, session_id="s_none")).then_refused("session_unknown")


def test_an_unknown_context_id_is_refused_and_a_known_note_is_carried_by_its_version() -> None:
    s = Scenario().given(AddNote(note_id="note_1", note_ref="n_1", text="Budget"))
    s.when(replace(HELLO, context_ids=(("note_2", "n_2"),))).then_refused("context_unknown")
    known = replace(HELLO, context_ids=(("note_1", "n_1"), ("note_1", "n_1")))
    received = s.when(known).then(SessionOpened, ConversationStarted, MessageReceived, ReplyRequested)[2]
    assert isinstance(received, MessageReceived)
    assert received.note_versions == (1,)


def test_the_minute_limit_counts_any_sixty_seconds() -> None:
    s = Scenario().with_limits(messages_per_minute=2, tokens_per_day=0).given(HELLO)
    s.at(NOW_MS + 30_000).given(HELLO)
    s.at(NOW_MS + 59_999).when(HELLO).then_refused("messages_per_minute")
    assert s.refusal is not None
    assert s.refusal.retry_after_seconds == 1
    s.at(NOW_MS + 60_000).given(HELLO)
    s.at(NOW_MS + 60_001).when(HELLO).then_refused("messages_per_minute")


def test_a_hundred_messages_may_wait_and_no_more() -> None:
    s = Scenario().with_limits(messages_per_minute=0)
    s.given(*[HELLO] * (limits.REPLIES_WAITING_MAX + 1))
    s.when(HELLO).then_refused("replies_waiting")


def test_a_reply_that_has_not_started_is_stopped_at_once() -> None:
    s = Scenario().given(HELLO)
    s.when(StopReply(id=s.brain.queue[0])).then(ReplyStopped)
    assert s.brain.queue == ()


def test_a_running_reply_is_asked_to_stop_once_by_the_id_of_its_message() -> None:
    s = Scenario().given(HELLO)
    started(s, s.brain.queue[0])
    (message_id,) = s.brain.reply_of
    s.when(StopReply(id=message_id)).then(ReplyStopRequested)
    s.when(StopReply(id=message_id)).then_nothing()


def test_stopping_an_ended_reply_changes_nothing() -> None:
    s = Scenario().given(HELLO)
    (reply_id,) = s.brain.queue
    completed(started(s, reply_id), reply_id)
    s.when(StopReply(id=reply_id)).then_nothing()


def test_an_unknown_message_cannot_be_stopped_or_regenerated() -> None:
    Scenario().when(StopReply(id="m_none")).then_refused("message_unknown")
    Scenario().when(RegenerateReply(id="m_none")).then_refused("message_unknown")


def test_regenerating_asks_for_a_reply_that_supersedes_and_leaves_the_old_one_out_of_the_context() -> None:
    s = Scenario().given(HELLO)
    (old,) = s.brain.queue
    completed(started(s, old), old)
    (requested,) = s.when(RegenerateReply(id=old)).then(ReplyRequested)
    assert isinstance(requested, ReplyRequested)
    assert requested.reply.supersedes == old
    assert [entry.role for entry in s.brain.context["c_main"]] == ["user"]
    s.when(RegenerateReply(id=old)).then_refused("reply_superseded")
    s.when(RegenerateReply(id=requested.reply.message_id)).then_refused("reply_running")


def test_the_context_reads_question_answer_whatever_order_they_came_in() -> None:
    s = Scenario().given(HELLO, HELLO)
    first, second = s.brain.queue
    completed(started(s, first), first)
    completed(started(s, second), second)
    assert [entry.role for entry in s.brain.context["c_main"]] == ["user", "assistant", "user", "assistant"]


def test_deleting_a_conversation_ends_its_replies_and_forgets_them() -> None:
    s = Scenario().given(HELLO, HELLO)
    started(s, s.brain.queue[0])
    s.when(DeleteConversation(conversation_ref="c_main")).then(ReplyStopped, ReplyStopped, ConversationDeleted)
    assert (s.brain.queue, s.brain.replies, s.brain.context) == ((), {}, {})
    s.when(DeleteConversation(conversation_ref="c_main")).then_refused("conversation_unknown")


def test_a_deleted_conversation_starts_anew_under_another_key() -> None:
    s = Scenario().given(HELLO)
    before = s.brain.conversations["c_main"].key_id
    s.given(DeleteConversation(conversation_ref="c_main"))
    s.when(HELLO).then(ConversationStarted, MessageReceived, ReplyRequested)
    assert s.brain.conversations["c_main"].key_id != before


def test_one_session_too_many_closes_the_oldest() -> None:
    s = Scenario().given(*[OpenSession()] * limits.SESSIONS_MAX)
    oldest = next(iter(s.brain.sessions))
    closed, _ = s.when(OpenSession()).then(SessionClosed, SessionOpened)
    assert isinstance(closed, SessionClosed)
    assert closed.session_id == oldest
    s.when(CloseSession(session_id=oldest)).then_refused("session_unknown")


def test_ended_replies_are_forgotten_beyond_the_cap_and_waiting_ones_never() -> None:
    s = Scenario().with_limits(messages_per_minute=0)
    for _ in range(limits.REPLIES_KEPT_MAX + 5):
        s.given(HELLO)
        (reply_id,) = s.brain.queue
        completed(started(s, reply_id), reply_id)
    s.given(HELLO)
    assert len(s.brain.replies) <= limits.REPLIES_KEPT_MAX + 1
    assert s.brain.queue[0] in s.brain.replies
    assert len(s.brain.context["c_main"]) == limits.CONTEXT_MESSAGES_KEPT_MAX
