"""Actions of the assistant: committed once under their identity, refused aloud, never after the attempt is over."""

from __future__ import annotations

from commands.actions import ApproveAction, RejectAction, RunAction
from commands.context import action_id
from commands.memory import PinMemory
from commands.messages import PostMessage, StopReply
from commands.notes import AddNote
from commands.replies import StartReply
from commands.tasks import CompleteTask, CreateTask, ReopenTask
from domain import limits
from domain.events import ActionCreated, ActionResolved, MemoryPinned, NoteAdded, TaskCreated, TaskReopened
from domain.values import Task
from tests.support.decider import USER, Scenario


def running() -> tuple[Scenario, str]:
    s = Scenario().given(PostMessage(channel="chat", text="Remind me", conversation_id=None, conversation_ref="c_main"))
    (reply_id,) = s.brain.queue
    claim = StartReply(reply_id=reply_id, after_attempt=0, owner="w", lease_seconds=3, reserved_tokens=0)
    return s.given(claim), reply_id


def remind(reply_id: str, *, attempt: int = 1, ordinal: int = 0, title: str = "Call John") -> RunAction:
    return RunAction(
        reply_id=reply_id,
        attempt=attempt,
        kind="create_task",
        ordinal=ordinal,
        payload={"title": title},
        deed=CreateTask(task=Task(title=title)),
    )


def test_an_action_commits_its_deed_and_says_what_it_made() -> None:
    s, reply_id = running()
    task, action = s.when(remind(reply_id)).then(TaskCreated, ActionCreated)
    assert isinstance(task, TaskCreated)
    assert isinstance(action, ActionCreated)
    (message_id,) = s.brain.reply_of
    assert action.action_id == action_id(USER, message_id, "create_task", 0)
    assert (action.status, action.result_id) == ("committed", task.task_id)


def test_the_same_action_commits_once_also_in_the_next_attempt() -> None:
    s, reply_id = running()
    s.given(remind(reply_id))
    s.when(remind(reply_id, title="Call John again")).then_nothing()
    s.given(StartReply(reply_id=reply_id, after_attempt=1, owner="v", lease_seconds=3, reserved_tokens=0))
    s.when(remind(reply_id, attempt=2)).then_nothing()
    assert len(s.brain.tasks) == 1


def test_an_action_of_a_dead_attempt_or_after_a_stop_is_refused() -> None:
    s, reply_id = running()
    s.when(remind(reply_id, attempt=2)).then_refused("stale_attempt")
    s.given(StopReply(id=reply_id))
    s.when(remind(reply_id)).then_refused("stale_attempt")


def test_a_deed_that_is_refused_leaves_a_refused_action_with_its_reason() -> None:
    s, reply_id = running()
    action = RunAction(
        reply_id=reply_id,
        attempt=1,
        kind="complete_task",
        ordinal=0,
        payload={},
        deed=CompleteTask(task_id="t_none"),
    )
    (event,) = s.when(action).then(ActionCreated)
    assert isinstance(event, ActionCreated)
    assert event.status == "refused"


def test_actions_of_a_message_are_capped() -> None:
    s, reply_id = running()
    s.given(*(remind(reply_id, ordinal=n) for n in range(limits.ACTIONS_PER_MESSAGE_MAX)))
    (event,) = s.when(remind(reply_id, ordinal=limits.ACTIONS_PER_MESSAGE_MAX)).then(ActionCreated)
    assert isinstance(event, ActionCreated)
    assert event.status == "refused"


def test_a_memory_is_pinned_by_an_action() -> None:
    s, reply_id = running()
    pin = PinMemory(type="preference", key="favorite_airport", value="JFK")
    action = RunAction(reply_id=reply_id, attempt=1, kind="pin_memory", ordinal=0, payload={}, deed=pin)
    s.when(action).then(MemoryPinned, ActionCreated)


def test_a_note_is_added_by_an_action_and_once() -> None:
    s, reply_id = running()
    note = AddNote(note_id="n_1", note_ref="r", text="wifi: hunter2")
    action = RunAction(reply_id=reply_id, attempt=1, kind="add_note", ordinal=1, payload={}, deed=note)
    added, created = s.when(action).then(NoteAdded, ActionCreated)
    assert isinstance(added, NoteAdded)
    assert isinstance(created, ActionCreated)
    assert (created.status, created.result_id) == ("committed", "n_1")
    s.when(action).then_nothing()


def test_a_task_is_opened_again_by_an_action() -> None:
    s, reply_id = running()
    (task,) = s.when(CreateTask(task=Task(title="Call"))).then(TaskCreated)
    assert isinstance(task, TaskCreated)
    s.given(CompleteTask(task_id=task.task_id))
    reopen = ReopenTask(task_id=task.task_id)
    action = RunAction(reply_id=reply_id, attempt=1, kind="reopen_task", ordinal=1, payload={}, deed=reopen)
    _, created = s.when(action).then(TaskReopened, ActionCreated)
    assert isinstance(created, ActionCreated)
    assert created.result_id == task.task_id


# --- what waits for the user ------------------------------------------------------------------------------------


def put_forward(reply_id: str) -> RunAction:
    return RunAction(
        reply_id=reply_id,
        attempt=1,
        kind="select_flight",
        ordinal=1,
        payload={"which": "f1"},
        deed=CreateTask(task=Task(title="Pay")),
        waits=True,
    )


def waiting() -> tuple[Scenario, str]:
    s, reply_id = running()
    (action,) = s.when(put_forward(reply_id)).then(ActionCreated)
    assert isinstance(action, ActionCreated)
    assert (action.status, action.result_id) == ("proposed", None)
    return s, action.action_id


def approval(action_id: str, title: str = "Pay") -> ApproveAction:
    return ApproveAction(action_id=action_id, payload={"which": "f1"}, deed=CreateTask(task=Task(title=title)))


def test_what_waits_is_done_when_it_is_approved_and_once() -> None:
    s, action_id = waiting()
    task, resolved = s.when(approval(action_id)).then(TaskCreated, ActionResolved)
    assert isinstance(task, TaskCreated)
    assert isinstance(resolved, ActionResolved)
    assert (resolved.status, resolved.result_id, resolved.kind) == ("committed", task.task_id, "select_flight")
    s.when(approval(action_id)).then_nothing()
    s.when(RejectAction(action_id=action_id, payload={})).then_refused("action_resolved")


def test_what_is_rejected_is_not_done_and_stays_so() -> None:
    s, action_id = waiting()
    (resolved,) = s.when(RejectAction(action_id=action_id, payload={"which": "f1"})).then(ActionResolved)
    assert isinstance(resolved, ActionResolved)
    assert resolved.status == "refused"
    s.when(RejectAction(action_id=action_id, payload={})).then_nothing()
    s.when(approval(action_id)).then_refused("action_resolved")
    assert not s.brain.tasks


def test_what_refuses_the_deed_is_said_and_the_action_goes_on_waiting() -> None:
    s, action_id = waiting()
    s.when(approval(action_id, title=" ")).then_refused("title_invalid")
    assert s.brain.actions[action_id].status == "proposed"


def test_an_unknown_action_and_one_that_did_not_wait_are_refused() -> None:
    s, reply_id = running()
    s.when(approval("act_none")).then_refused("action_unknown")
    s.given(remind(reply_id))
    (action_id,) = s.brain.actions
    s.when(RejectAction(action_id=action_id, payload={})).then_refused("action_resolved")
