"""Tasks: what happens, what is ignored, what is refused."""

from __future__ import annotations

import pytest

from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from domain import limits
from domain.events import TaskCompleted, TaskCreated, TaskDeleted, TaskReopened, TaskUpdated
from domain.values import Task
from tests.support.decider import Scenario


def only_task(s: Scenario) -> str:
    (task_id,) = s.brain.tasks
    return task_id


def created(**task: object) -> Scenario:
    return Scenario().given(CreateTask(task=Task(**{"title": "Send budget", **task})))  # type: ignore[arg-type]


def test_a_task_is_created_with_its_instant_resolved_in_the_users_zone() -> None:
    (event,) = Scenario().when(CreateTask(task=Task(title="Call", due="2025-11-21T17:00"))).then(TaskCreated)
    assert isinstance(event, TaskCreated)
    assert event.content == Task(title="Call", due="2025-11-21T17:00", timezone="UTC", due_at_ms=1_763_744_400_000)


def test_a_bare_date_is_due_at_the_end_of_its_day_in_its_zone() -> None:
    task = created(due="2025-03-30", timezone="Europe/Berlin").brain.tasks
    (state,) = task.values()
    assert state.task.due_at_ms == 1_743_371_999_999  # 2025-03-30T21:59:59.999Z, the short day


def test_a_local_time_that_does_not_exist_is_moved_past_the_gap() -> None:
    (state,) = created(due="2025-03-30T02:30", timezone="Europe/Berlin").brain.tasks.values()
    assert state.task.due == "2025-03-30T03:30"


@pytest.mark.parametrize(
    "due", ["2025-02-30", "0000-01-01", "10000-01-01", "9999-12-31T23:59:59-23:59", "1700000000", "2025-11-21T24:00"]
)
def test_a_due_that_is_no_date_is_refused(due: str) -> None:
    Scenario().when(CreateTask(task=Task(title="x", due=due))).then_refused("due_invalid")


@pytest.mark.parametrize(
    ("task", "code"),
    [
        (Task(title="   "), "title_invalid"),
        (Task(title="x" * (limits.TITLE_CHARACTERS_MAX + 1)), "title_invalid"),
        (Task(title="x", tags=("t",) * (limits.TAGS_MAX + 1)), "tags_too_many"),
        (Task(title="x", tags=("t" * (limits.TAG_CHARACTERS_MAX + 1),)), "tag_invalid"),
        (Task(title="x", notes="n" * (limits.TASK_NOTES_CHARACTERS_MAX + 1)), "notes_long"),
        (Task(title="x", timezone="Mars/Olympus"), "timezone_unknown"),
        (Task(title="x", recurrence="FREQ=DAILY"), "recurrence_without_due"),
        (Task(title="x", due="2025-11-21", recurrence="FREQ=SECONDLY"), "recurrence_invalid"),
        (Task(title="x", due="2025-11-21", recurrence="FREQ=DAILY;BYHOUR=1,2"), "recurrence_invalid"),
        (Task(title="x", due="2025-11-21", recurrence="FREQ=WEEKLY;BYDAY=XX"), "recurrence_invalid"),
    ],
)
def test_a_task_out_of_bounds_is_refused(task: Task, code: str) -> None:
    Scenario().when(CreateTask(task=task)).then_refused(code)


def test_an_update_changes_only_what_it_names_and_null_clears() -> None:
    s = created(due="2025-11-21", tags=("finance",))
    (event,) = s.when(UpdateTask(task_id=only_task(s), patch={"title": "Send it", "due": None})).then(TaskUpdated)
    assert isinstance(event, TaskUpdated)
    assert event.content == Task(title="Send it", tags=("finance",), timezone="UTC")


def test_an_update_that_changes_nothing_is_no_event() -> None:
    s = created()
    s.when(UpdateTask(task_id=only_task(s), patch={"title": "Send budget"})).then_nothing()


def test_a_task_is_completed_once() -> None:
    s = created()
    s.when(CompleteTask(task_id=only_task(s))).then(TaskCompleted)
    s.when(CompleteTask(task_id=only_task(s))).then_nothing()


def test_completing_a_recurring_task_moves_its_due_over_the_clock_change() -> None:
    s = created(due="2025-10-25T09:00", timezone="Europe/Berlin", recurrence="FREQ=DAILY")
    (event,) = s.when(CompleteTask(task_id=only_task(s))).then(TaskUpdated)
    assert isinstance(event, TaskUpdated)
    assert isinstance(event.content, Task)
    assert (event.content.due, event.content.due_at_ms) == ("2025-10-26T09:00", 1_761_465_600_000)


def test_a_recurring_task_whose_rule_has_ended_is_completed() -> None:
    s = created(due="2025-11-21", recurrence="FREQ=DAILY;COUNT=1")
    s.when(CompleteTask(task_id=only_task(s))).then(TaskCompleted)


def test_a_done_task_can_be_reopened() -> None:
    s = created()
    s.given(CompleteTask(task_id=only_task(s)))
    s.when(ReopenTask(task_id=only_task(s))).then(TaskReopened)
    s.when(ReopenTask(task_id=only_task(s))).then_nothing()


def test_status_in_an_update_completes_and_reopens() -> None:
    s = created()
    s.when(UpdateTask(task_id=only_task(s), patch={"status": "done", "title": "Sent"})).then(TaskUpdated, TaskCompleted)
    s.when(UpdateTask(task_id=only_task(s), patch={"status": "open"})).then(TaskReopened)


def test_a_deleted_task_is_gone() -> None:
    s = created()
    task_id = only_task(s)
    s.when(DeleteTask(task_id=task_id)).then(TaskDeleted)
    s.when(DeleteTask(task_id=task_id)).then_refused("task_unknown")


def test_an_unknown_task_is_refused() -> None:
    Scenario().when(CompleteTask(task_id="t_none")).then_refused("task_unknown")


def test_a_stale_expected_version_is_refused() -> None:
    s = created()
    s.when(UpdateTask(task_id=only_task(s), patch={"title": "x"}, expected_version=7)).then_refused("version_stale")


def test_open_tasks_are_capped() -> None:
    s = Scenario().given(*(CreateTask(task=Task(title=f"{n}")) for n in range(limits.TASKS_OPEN_MAX)))
    s.when(CreateTask(task=Task(title="one more"))).then_refused("tasks_full")
    s.given(CompleteTask(task_id=next(iter(s.brain.tasks))))
    s.when(CreateTask(task=Task(title="one more"))).then(TaskCreated)
