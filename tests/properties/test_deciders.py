"""Whatever commands come in whatever order: caps hold, each reply ends once, the queue is in order of acceptance."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.actions import RunAction
from commands.conversations import DeleteConversation
from commands.messages import PostMessage, RegenerateReply, StopReply
from commands.replies import CompleteReply, Ending, EndReplyByTakeover, FailReply, StartReply
from commands.tasks import CreateTask
from domain.events import ReplyCompleted, ReplyFailed, ReplyRequested, ReplyStarted, ReplyStopped, TaskCreated
from domain.values import ModelUsage, Task
from tests.support.decider import Scenario

ENDING = Ending(text="ok", usage=ModelUsage(input_tokens=3, output_tokens=2))
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["post", "start", "complete", "fail", "stop", "regenerate", "take_over", "act", "delete"]),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    max_size=40,
)


def run_step(s: Scenario, kind: str, which: int, off: int) -> None:
    replies = list(s.brain.replies.values())
    if kind == "post":
        ref = f"c_{which % 2}"
        s.when(PostMessage(channel="chat", text="x", conversation_id=ref, conversation_ref=ref))
        return
    if kind == "delete":
        s.when(DeleteConversation(conversation_ref=f"c_{which % 2}"))
        return
    if not replies:
        return
    reply = replies[-1 - which % len(replies)]
    reply_id, attempt = reply.ref.reply_id, reply.attempt - off
    match kind:
        case "start":
            claim = StartReply(reply_id=reply_id, after_attempt=attempt, owner="w", lease_seconds=1, reserved_tokens=7)
            s.when(claim)
        case "complete":
            s.when(CompleteReply(reply_id=reply_id, attempt=attempt, ending=ENDING))
        case "fail":
            s.when(FailReply(reply_id=reply_id, attempt=attempt, ending=ENDING, code="timeout"))
        case "stop":
            s.when(StopReply(id=reply_id))
        case "regenerate":
            s.when(RegenerateReply(id=reply_id))
        case "take_over":
            s.when(EndReplyByTakeover(reply_id=reply_id, after_attempt=attempt, owner="r", ending=ENDING))
        case "act":
            deed = CreateTask(task=Task(title="t"))
            action = RunAction(
                reply_id=reply_id, attempt=attempt, kind="create_task", ordinal=off, payload={}, deed=deed
            )
            s.when(action)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_every_reply_ends_at_most_once_and_no_attempt_writes_after_a_newer_one(
    steps: list[tuple[str, int, int]],
) -> None:
    s = Scenario().with_limits(messages_per_minute=0)
    ends: Counter[str] = Counter()
    attempts: dict[str, int] = {}
    requested: list[str] = []
    made = 0
    for kind, which, off in steps:
        before = s.brain
        s.events, s.refusal = None, None
        run_step(s, kind, which, off)
        for event in s.events or []:
            match event:
                case ReplyRequested():
                    requested.append(event.reply.reply_id)
                case ReplyStarted():
                    assert event.attempt == attempts.get(event.reply.reply_id, 0) + 1
                    assert event.reply.reply_id not in ends
                    attempts[event.reply.reply_id] = event.attempt
                case ReplyCompleted() | ReplyFailed() | ReplyStopped():
                    ends[event.reply.reply_id] += 1
                    assert event.attempt == attempts.get(event.reply.reply_id, 0)
                case TaskCreated():
                    made += 1
                case _:
                    pass
        if s.refusal is not None:
            assert s.brain is before
    assert all(count == 1 for count in ends.values())
    waiting = [reply_id for reply_id in requested if reply_id not in ends]
    assert list(s.brain.queue) == waiting
    assert len(s.brain.tasks) == made
