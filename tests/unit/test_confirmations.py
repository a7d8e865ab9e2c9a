"""The sentences that are ours: made from committed facts, and no more than what happened."""

from __future__ import annotations

from typing import Any

import pytest

from domain.events import (
    ActionCreated,
    ActionPayload,
    BrainEvent,
    Fact,
    MemoryForgotten,
    MemoryPinned,
    Meta,
    NoteAdded,
    NoteText,
    Preference,
    PreferenceSet,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskReopened,
    TaskUpdated,
    WishScheduled,
)
from domain.values import REDACTED, Memory, Task
from workers.confirmations import confirmation, sorry


def done(
    kind: str, payload: dict[str, Any], *deeds: BrainEvent, status: Any = "committed", reason: str | None = None
) -> str:
    meta = Meta(
        event_id="e", command_id="c", causation_id="c", correlation_id="c", origin="user", at_ms=0, end_version=9
    )
    action = ActionCreated(
        action_id="act_1",
        message_id="m_1",
        reply_id="m_2",
        conversation_ref="r",
        attempt=1,
        kind=kind,
        ordinal=1,
        status=status,
        content=ActionPayload(conversation_id="main", payload=payload, reason=reason),
    )
    return confirmation([Fact(version=v, event=e, meta=meta) for v, e in enumerate([*deeds, action], start=1)])


def changed(kind: Any, **task: Any) -> BrainEvent:
    event: BrainEvent = kind(task_id="t", created_from=None, created_at_ms=0, content=Task(**task))
    return event


CREATED = TaskCreated(
    task_id="t", created_from=None, content=Task(title="call John", due="2025-11-21T17:00", timezone="Europe/Berlin")
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (done("create_task", {"due": "2025-11-21T17:00"}, CREATED), "Done: call John — due Friday 2025-11-21 17:00."),
        (
            done("create_task", {"due": "2025-11-21T16:30"}, CREATED),
            "Done: call John — due Friday 2025-11-21 17:00. "
            "2025-11-21 16:30 does not exist in Europe/Berlin: clocks go forward then.",
        ),
        (
            done(
                "create_task",
                {"dueText": "soon"},
                TaskCreated(task_id="t", created_from=None, content=Task(title="x")),
            ),
            "Done: x. I do not understand the time “soon”: it is in the notes.",
        ),
        (
            done("create_task", {"due": "2025-11-21T17:00", "dueNote": "past"}, CREATED),
            "Done: call John — due Friday 2025-11-21 17:00. That is in the past already.",
        ),
        (
            done(
                "create_task",
                {"due": "2026-10-25T02:30"},
                TaskCreated(
                    task_id="t",
                    created_from=None,
                    content=Task(title="x", due="2026-10-25T02:30", timezone="Europe/Berlin"),
                ),
            ),
            "Done: x — due Sunday 2026-10-25 02:30. "
            "That time comes twice in Europe/Berlin, as clocks go back: I mean the first.",
        ),
        (
            done(
                "update_task",
                {"changes": {"due": "2026-10-25T03:00"}, "dueNote": "repeated"},
                changed(TaskUpdated, title="x", due="2026-10-25T03:00", timezone="Europe/Berlin"),
            ),
            "Done: updated x — due Sunday 2026-10-25 03:00. "
            "Clocks go back then: this is the end of the hour that comes twice.",
        ),
        (
            done(
                "create_task",
                {"due": "2025-11-24T09:00", "recurrence": "FREQ=WEEKLY;BYDAY=MO"},
                TaskCreated(
                    task_id="t",
                    created_from=None,
                    content=Task(title="x", due="2025-11-24T09:00", timezone="UTC", recurrence="FREQ=WEEKLY;BYDAY=MO"),
                ),
            ),
            "Done: x — due Monday 2025-11-24 09:00, every Monday.",
        ),
        (done("update_task", {"changes": {"title": "y"}}, changed(TaskUpdated, title="y")), "Done: updated y."),
        (done("complete_task", {}, changed(TaskCompleted, title="x", status="done")), "Done: completed x."),
        (
            done("complete_task", {}, changed(TaskUpdated, title="x", due="2025-11-26")),
            "Done: completed x — next due Wednesday 2025-11-26.",
        ),
        (done("delete_task", {"title": "x"}, TaskDeleted(task_id="t")), "Done: deleted x."),
        (
            done(
                "pin_memory",
                {},
                MemoryPinned(memory_id="m", content=Memory(type="fact", key="favourite_airport", value="JFK")),
            ),
            "Done: I will remember favourite airport: JFK.",
        ),
        (
            done("forget_memory", {"key": "favourite_airport"}, MemoryForgotten(memory_id="m")),
            "Done: I have forgotten favourite airport.",
        ),
        (
            done(
                "set_preference",
                {},
                PreferenceSet(preference_ref="r", content=Preference(key="timezone", value="Europe/Berlin")),
            ),
            "Done: timezone is now Europe/Berlin.",
        ),
        (
            done(
                "set_preference",
                {},
                PreferenceSet(
                    preference_ref="r",
                    content=Preference(key="notifications", value={"reminders": "message", "dailySummary": "08:00"}),
                ),
                WishScheduled(wish="daily_summary", at_ms=1),
            ),
            "Your daily summary comes at 08:00, and reminders come as messages.",
        ),
        (
            done(
                "set_preference",
                {},
                PreferenceSet(preference_ref="r", content=Preference(key="notifications", value={})),
            ),
            "You get no daily summary, and reminders come without messages.",
        ),
        (
            done(
                "set_preference",
                {},
                PreferenceSet(
                    preference_ref="r",
                    content=Preference(key="travel", value={"homeAirport": "JFK", "airlines": ["Delta", "United"]}),
                ),
            ),
            "Done: travel is now homeAirport: JFK; airlines: Delta, United.",
        ),
        (
            done(
                "add_note",
                {"text": "wifi: x"},
                NoteAdded(note_ref="r", key_id="k", content=NoteText(note_id="n_1", text="wifi: x")),
            ),
            "Done: noted “wifi: x”.",
        ),
        (done("add_note", {}, NoteAdded(note_ref="r", key_id="k", content=REDACTED)), "Done."),
        (done("reopen_task", {}, changed(TaskReopened, title="x")), "Done: reopened x."),
        (done("pin_memory", {}), "Nothing had to change: it is so already."),
        (done("create_task", {}, status="refused", reason="At most 10."), "I could not do that: At most 10."),
        (done("create_task", {}, TaskCreated(task_id="t", created_from=None, content=REDACTED)), "Done."),
    ],
)
def test_a_confirmation_says_what_was_committed(text: str, sentence: str) -> None:
    assert text == sentence


def test_every_failure_has_a_sentence() -> None:
    assert sorry("timeout") != sorry("quota") != sorry("a code of tomorrow")
