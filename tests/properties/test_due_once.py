"""Whatever users change meanwhile, and however far behind the views are that schedulers look into: what is due fires,
and each instant fires once."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from commands.preferences import SetPreference
from commands.reminders import FireReminder
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from commands.wishes import FireWish
from domain.events import MessageReceived, ReminderFired
from domain.values import REDACTED, Task
from projections.fold import MemoryTables
from projections.tasks import DUE, TASKS
from tests.support.histories import History
from tests.support.views import user

MINUTE_MS = 60_000
WAITS_MS = (MINUTE_MS, 30 * MINUTE_MS, 5 * 60 * MINUTE_MS, 26 * 60 * MINUTE_MS)
ZONES = ("UTC", "America/New_York", "Europe/Berlin")
HOURS = (None, "02:30", "10:00", "11:15")
STEPS = (
    *("create", "create", "move", "rename", "complete", "reopen", "delete", "zone", "notify"),
    *("wait", "wait", "wait", "project", "look", "look", "look"),
)


@dataclass
class Scheduler:
    """It looks into a view of its own, which is as old as may be."""

    view: MemoryTables = field(default_factory=lambda: MemoryTables(TASKS))
    seen: int = 0

    def project(self, history: History, share: float = 1.0) -> None:
        until = self.seen + round((len(history.rows) - self.seen) * share)
        self.view.add((r.user_id, r.version, r.name, r.state) for r in history.rows[self.seen : until])
        self.seen = until

    def due(self, now_ms: int) -> list[tuple[str, str, int]]:
        rows = self.view.rows[DUE.name].items()
        return [(str(k[1]), str(k[2]), int(row[0] or 0)) for k, row in rows if int(row[0] or 0) <= now_ms]

    def look(self, history: History) -> None:
        for kind, due_id, at_ms in self.due(history.now_ms):
            if kind == "reminder":
                history.do(FireReminder(task_id=due_id, due_at_ms=at_ms, conversation_ref="c_main"))
            else:
                history.do(FireWish(wish="daily_summary", at_ms=at_ms, conversation_ref="c_main"))


def change(history: History, kind: str, number: int) -> None:
    tasks = list(history.brain.tasks)
    task_id = tasks[number % len(tasks)] if tasks else ""
    at_ms = history.now_ms + (number % 7 - 1) * 20 * MINUTE_MS
    due = datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M")
    match kind:
        case "create":
            rule = (None, None, "FREQ=DAILY", "FREQ=DAILY;COUNT=2")[number % 4]
            history.do(CreateTask(task=Task(title="t", due=due, timezone="UTC", recurrence=rule)))
        case "move":
            history.do(UpdateTask(task_id=task_id, patch={"due": due}))
        case "rename":
            history.do(UpdateTask(task_id=task_id, patch={"title": f"t {number}"}))
        case "complete":
            history.do(CompleteTask(task_id=task_id))
        case "reopen":
            history.do(ReopenTask(task_id=task_id))
        case "delete":
            history.do(DeleteTask(task_id=task_id))
        case "zone":
            history.do(SetPreference(key="timezone", preference_ref="p_z", value=ZONES[number % len(ZONES)]))
        case "notify":
            value = {"reminders": ("none", "message")[number % 2], "dailySummary": HOURS[number % len(HOURS)]}
            history.do(SetPreference(key="notifications", preference_ref="p_n", value=value))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1_000)), min_size=10, max_size=60))
def test_what_is_due_fires_once_for_each_instant(steps: list[tuple[str, int]]) -> None:
    history, schedulers = History(user(1)), [Scheduler(), Scheduler()]
    for kind, number in steps:
        scheduler = schedulers[number % 2]
        if kind == "wait":
            history.now_ms += WAITS_MS[number % len(WAITS_MS)]
        elif kind == "project":
            scheduler.project(history, number / 1_000)
        elif kind == "look":
            scheduler.look(history)
        else:
            change(history, kind, number)
    # An instant fires at the first look into an up-to-date view; what that leads to may be due as well.
    for _ in range(3):
        for scheduler in schedulers:
            scheduler.project(history)
            scheduler.look(history)
    schedulers[0].project(history)
    assert schedulers[0].due(history.now_ms) == []
    events = [fact.event for fact in history.facts]
    fired = Counter((event.task_id, event.due_at_ms) for event in events if isinstance(event, ReminderFired))
    assert not [instant for instant, count in fired.items() if count > 1]
    told = [event.message_id for event in events if isinstance(event, ReminderFired) and event.message_id]
    texts = [
        event.content.text for event in events if isinstance(event, MessageReceived) and event.content is not REDACTED
    ]
    assert len(told) == sum(text.startswith("Reminder: ") for text in texts)
