"""What each view's rows are after what a user did: only what may be kept, where it is looked for."""

from __future__ import annotations

from collections import Counter

from commands.conversations import ChangeConversation, DeleteConversation
from commands.memory import PinMemory
from commands.messages import RegenerateReply, StopReply
from commands.notes import AddNote, DeleteNote
from commands.replies import EndReplyByTakeover
from commands.sessions import CloseSession, OpenSession
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from domain.limits import DAY_MS
from domain.values import Task
from projections.fold import fold
from projections.view import Key, Table, Value, View
from projections.views import VIEWS
from tests.support.histories import START_MS, History, ending

USER = "07/00000007-0000-4000-8000-000000000000"


def rows(view: View, history: History, table: Table | None = None) -> dict[Key, dict[str, Value]]:
    """By key without the user; each row with its columns' names."""
    of = table or view.tables[0]
    names = [column.name for column in of.columns]
    found = fold(view, history.rows).rows[of.name]
    return {key[1:]: dict(zip(names, row, strict=True)) for key, row in found.items()}


def lists(history: History) -> Counter[Value]:
    return Counter(row["list"] for row in rows(VIEWS["state"], history).values())


# --- state ------------------------------------------------------------------------------------------------------


def test_an_object_keeps_the_event_that_it_is_rendered_from() -> None:
    history = History(USER).do(CreateTask(task=Task(title="t")))
    (task_id,) = history.brain.tasks
    created, updated = history.rows[-1], history.do(UpdateTask(task_id=task_id, patch={"title": "u"})).rows[-1]
    row = rows(VIEWS["state"], history)["task", task_id]
    assert (row["version"], row["name"], row["state"]) == (updated.version, "TaskUpdated", updated.state)
    assert (row["ord"], row["changed_version"], row["list"]) == (created.version, updated.version, "tasks.open")


def test_what_is_gone_leaves_a_tombstone_without_any_text() -> None:
    history = History(USER).do(
        CreateTask(task=Task(title="t")),
        PinMemory(type="fact", key="k", value="v"),
        AddNote(note_id="n", note_ref="n_n", text="text"),
        OpenSession(),
    )
    task_id, session_id = next(iter(history.brain.tasks)), next(iter(history.brain.sessions))
    history.do(
        DeleteTask(task_id=task_id), DeleteNote(note_id="n", note_ref="n_n"), CloseSession(session_id=session_id)
    )
    kept = rows(VIEWS["state"], history)
    assert lists(history) == {None: 3, "memories": 1}
    assert kept["task", task_id]["state"] is None
    assert kept["session", session_id]["state"] is None
    # A note's id may have been chosen by its owner; the event of its deletion has it, sealed, and not its text.
    assert kept["note", "n_n"]["name"] == "NoteDeleted"


def test_a_deleted_conversation_takes_the_text_of_all_its_messages_and_actions_along() -> None:
    history = History(USER).say("a", "doomed").start().act().answer().say("b")
    history.do(ChangeConversation(conversation_ref="c_doomed", title="secret"))
    history.do(DeleteConversation(conversation_ref="c_doomed"))
    kept = rows(VIEWS["state"], history)
    gone = {key: row for key, row in kept.items() if row["list"] is None}
    assert sorted(key[0] for key in gone) == ["action", "conversation", "message", "message"]
    assert all(row["changed_version"] == len(history.rows) for row in gone.values())
    assert {row["name"] for row in gone.values()} == {None, "ConversationDeleted"}
    assert all(row["title_state"] is None for row in gone.values())
    assert lists(history) == {None: 4, "messages": 2, "conversations": 1, "sessions": 1, "tasks.open": 1}


def test_a_conversation_of_the_same_name_begins_anew() -> None:
    history = History(USER).say("a", "x").do(ChangeConversation(conversation_ref="c_x", title="old", archived=True))
    history.do(DeleteConversation(conversation_ref="c_x"))
    first_end = len(history.rows)
    history.say("b", "x")
    row = rows(VIEWS["state"], history)["conversation", "c_x"]
    assert (row["list"], row["title_state"]) == ("conversations", None)
    history.do(DeleteConversation(conversation_ref="c_x"))
    kept = rows(VIEWS["state"], history)
    # What went with the first one is not told again.
    assert sorted(row["changed_version"] == first_end for key, row in kept.items() if key[0] == "message") == [
        *(False, False, True, True)
    ]


def test_done_tasks_stand_in_the_order_of_their_completion() -> None:
    history = History(USER).do(*(CreateTask(task=Task(title=str(n))) for n in range(3)))
    one, two, three = history.brain.tasks
    history.do(CompleteTask(task_id=two), CompleteTask(task_id=one), UpdateTask(task_id=two, patch={"title": "x"}))
    history.do(CompleteTask(task_id=three), ReopenTask(task_id=three))
    kept = rows(VIEWS["state"], history)
    done = sorted((row["ord"], key[1]) for key, row in kept.items() if row["list"] == "tasks.done")
    assert [task_id for _, task_id in done] == [two, one]
    assert kept["task", three]["list"] == "tasks.open"


# --- chat -------------------------------------------------------------------------------------------------------


def test_conversations_count_their_messages_and_know_the_last() -> None:
    history = History(USER).say("a", "x").answer().say("b", "x")
    history.now_ms += 5
    reply_id = next(iter(history.brain.reply_of.values()))
    history.do(RegenerateReply(id=reply_id))
    row = rows(VIEWS["chat"], history)["c_x",]
    assert (row["message_count"], row["last_version"], row["last_at_ms"]) == (5, len(history.rows), START_MS + 5)
    messages = rows(VIEWS["chat"], history, VIEWS["chat"].tables[1])
    assert messages[reply_id,]["superseded_by"] == list(history.brain.replies)[-1]


def test_no_row_of_a_deleted_conversation_is_left() -> None:
    history = History(USER).say("a", "x").start().act().answer().say("b")
    history.do(DeleteConversation(conversation_ref="c_x"))
    tables = fold(VIEWS["chat"], history.rows).rows
    assert {name: len(found) for name, found in tables.items()} == {
        "chat_conversations": 1,
        "chat_messages": 2,
        "chat_actions": 0,
    }


# --- tasks and usage --------------------------------------------------------------------------------------------


def test_deleted_tasks_leave_no_row() -> None:
    history = History(USER).do(CreateTask(task=Task(title="a")), CreateTask(task=Task(title="b")))
    one, two = history.brain.tasks
    history.do(CompleteTask(task_id=one), DeleteTask(task_id=two))
    kept = rows(VIEWS["tasks"], history)
    assert {key: row["status"] for key, row in kept.items()} == {(one,): "done"}


def test_usage_counts_model_calls_and_how_replies_ended() -> None:
    history = History(USER).say("a").answer().say("b").start()
    reply_id = history.brain.queue[0]
    # Taking over only to end a reply calls no model.
    history.do(EndReplyByTakeover(reply_id=reply_id, after_attempt=None, owner="r", ending=ending(), failed_code="x"))
    history.now_ms += DAY_MS
    history.say("c").do(StopReply(id=history.brain.queue[0]))
    first, second = rows(VIEWS["usage"], history).values()
    assert {name: count for name, count in first.items() if count} == {
        "messages": 2,
        "calls": 2,
        "input_tokens": 14,
        "output_tokens": 10,
        "completed": 1,
        "failed": 1,
    }
    assert {name: count for name, count in second.items() if count} == {"messages": 1, "stopped": 1}


def test_an_erased_user_leaves_no_row_in_any_view() -> None:
    history = History(USER).say("a").start().act().answer().do(OpenSession()).erase()
    for view in VIEWS.values():
        assert all(not found for found in fold(view, history.rows).rows.values())
