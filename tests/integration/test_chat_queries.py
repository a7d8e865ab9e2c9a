"""The queries of chat, tasks and usage: lists, paging, filters, and nothing of what was deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from commands.conversations import ChangeConversation, DeleteConversation
from commands.messages import RegenerateReply
from commands.replies import CompleteReply, FailReply
from commands.tasks import CompleteTask, CreateTask, DeleteTask
from domain.errors import NotFound
from domain.limits import CONTEXT_MESSAGES_KEPT_MAX, DAY_MS, RATE_WINDOW_MS, REPLIES_KEPT_MAX
from domain.values import Task
from projections import task_queries
from projections.chat_queries import fetch_conversations, fetch_messages
from projections.task_queries import TaskFilter, fetch_task, fetch_tasks
from projections.usage_queries import fetch_usage
from tests.support.histories import START_MS, History, ending
from tests.support.views import World, catch_up, open_world, reader_of, user, write_log

pytestmark = pytest.mark.anyio

USER = user(7)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with open_world(database_url) as world:
        yield world


def given(world: World, history: History) -> None:
    write_log(world.url, history.rows)
    catch_up(world.url)


# --- conversations --------------------------------------------------------------------------------------------


async def conversations(world: World, history: History, **values: Any) -> list[dict[str, Any]]:
    """All pages together."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        body = (await fetch_conversations(reader_of(world, history), USER, cursor=cursor, **values)).body
        found += body["conversations"]
        cursor = body["nextCursor"]
        if cursor is None:
            return found


async def test_conversations_are_listed_the_last_used_first(world: World) -> None:
    history = History(USER)
    history.say("x", "a").answer().say("y").answer().say("z", "b").answer().say("w", "a")
    history.do(ChangeConversation(conversation_ref="c_a", title="First"))
    history.do(ChangeConversation(conversation_ref="c_b", archived=True))
    given(world, history)
    found = await conversations(world, history, limit=2)
    assert [(c["id"], c["title"], c["messageCount"], c["archived"]) for c in found] == [
        ("a", "First", 4, False),
        ("b", None, 2, True),
        ("main", None, 2, False),
    ]
    assert [c["main"] for c in found] == [False, False, True]
    assert [c["id"] for c in await conversations(world, history, archived=True)] == ["b"]
    assert [c["id"] for c in await conversations(world, history, archived=False, limit=1)] == ["a", "main"]


async def test_paging_back_reaches_the_first_message_whatever_the_state_still_knows(world: World) -> None:
    """The state keeps a part of the replies and of the context; the archived conversation keeps all."""
    history, count = History(USER), REPLIES_KEPT_MAX + CONTEXT_MESSAGES_KEPT_MAX
    for number in range(count):
        history.now_ms += RATE_WINDOW_MS // 10
        history.say(f"m {number}", "old").answer(f"a {number}")
    history.do(ChangeConversation(conversation_ref="c_old", archived=True))
    assert len(history.brain.replies) < count
    given(world, history)
    texts: list[str] = []
    cursor: str | None = None
    while True:
        body = (await fetch_messages(reader_of(world, history), USER, "c_old", limit=50, cursor=cursor)).body
        texts = [message["text"] for message in body["messages"]] + texts
        cursor = body["nextCursor"]
        if cursor is None:
            break
    assert texts == [text for number in range(count) for text in (f"m {number}", f"a {number}")]


async def test_a_deleted_conversation_leaves_no_row_and_may_come_again(world: World) -> None:
    history = History(USER).say("x", "a").answer().do(DeleteConversation(conversation_ref="c_a"))
    given(world, history)
    assert await conversations(world, history) == []
    with pytest.raises(NotFound):
        await fetch_messages(reader_of(world, history), USER, "c_a")
    again = len(history.rows)
    history.say("new", "a")
    write_log(world.url, history.rows[again:])
    catch_up(world.url)
    assert [c["messageCount"] for c in await conversations(world, history)] == [2]
    body = (await fetch_messages(reader_of(world, history), USER, "c_a")).body
    assert [m["text"] for m in body["messages"]] == ["new", ""]


# --- messages ---------------------------------------------------------------------------------------------------


async def test_paging_back_gives_each_message_once_however_long_the_pages(world: World) -> None:
    history = History(USER)
    for number in range(6):
        history.say(f"m{number}", "a").answer(f"r{number}").say(f"other {number}", "b").answer()
    given(world, history)
    for limit in (1, 5, 12, 50):
        found: list[str] = []
        cursor: str | None = None
        while True:
            reader = reader_of(world, history)
            body = (await fetch_messages(reader, USER, "c_a", limit=limit, cursor=cursor)).body
            found = [m["text"] for m in body["messages"]] + found
            cursor = body["nextCursor"]
            if cursor is None:
                break
        assert found == [text for n in range(6) for text in (f"m{n}", f"r{n}")]


async def test_superseded_replies_stay_in_history_and_say_so(world: World) -> None:
    history = History(USER).say("x").start().act("made").answer("first")
    (first,) = history.brain.reply_of.values()
    history.do(RegenerateReply(id=first)).answer("second")
    given(world, history)
    messages = (await fetch_messages(reader_of(world, history), USER, "c_main")).body["messages"]
    assert [m["text"] for m in messages] == ["x", "first", "second"]
    assert messages[1]["supersededBy"] == messages[2]["id"]
    assert messages[2]["supersedes"] == messages[1]["id"]
    assert "supersededBy" not in messages[2]
    assert [[a["payload"] for a in m["actions"]] for m in messages] == [[], [{"title": "made"}], []]


async def test_another_users_conversation_is_as_unknown_as_none(world: World) -> None:
    mine, other = History(USER).say("x", "a"), History(user(8)).say("y", "b")
    given(world, mine)
    given(world, other)
    details = set()
    for ref in ("c_b", "c_nothing"):
        with pytest.raises(NotFound) as refusal:
            await fetch_messages(reader_of(world, mine), USER, ref)
        details.add((refusal.value.code, refusal.value.detail))
    assert len(details) == 1


# --- tasks ------------------------------------------------------------------------------------------------------


def some_tasks() -> History:
    history = History(USER)
    for number in range(9):
        due = None if number % 3 == 0 else f"2025-12-0{number}" if number % 3 == 1 else f"2025-12-0{number}T10:30"
        tags = ("home",) if number % 2 else ("work", "home")
        history.do(CreateTask(task=Task(title=f"t{number}", due=due, tags=tags)))
    ids = list(history.brain.tasks)
    return history.do(CompleteTask(task_id=ids[2]), CompleteTask(task_id=ids[5]), DeleteTask(task_id=ids[8]))


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        (TaskFilter(), "t0 t1 t3 t4 t6 t7 t2 t5"),
        (TaskFilter(status="open"), "t0 t1 t3 t4 t6 t7"),
        (TaskFilter(status="done"), "t2 t5"),
        (TaskFilter(tag="work"), "t0 t4 t6 t2"),
        (TaskFilter(due_from="2025-12-04"), "t4 t7 t5"),
        (TaskFilter(due_to="2025-12-04"), "t1 t4 t2"),
        (TaskFilter(due_from="2025-12-02T10:30", due_to="2025-12-05T10:29"), "t4 t2"),
        (TaskFilter(status="open", due_from="2025-12-02", tag="home"), "t4 t7"),
        (TaskFilter(tag="nothing"), ""),
    ],
    ids=str,
)
async def test_tasks_by_filter_in_pages_of_any_size(
    world: World, wanted: TaskFilter, titles: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = some_tasks()
    given(world, history)
    reader = reader_of(world, history)
    for limit, rows_max in ((100, 1_000), (1, 1_000), (2, 3), (100, 1)):
        monkeypatch.setattr(task_queries, "ROWS_READ_MAX", rows_max)
        found: list[str] = []
        cursor: str | None = None
        while True:
            body = (await fetch_tasks(reader, USER, wanted=wanted, limit=limit, cursor=cursor)).body
            assert len(body["tasks"]) <= limit
            found += [task["title"] for task in body["tasks"]]
            cursor = body["nextCursor"]
            if cursor is None:
                break
        assert " ".join(found) == titles


async def test_a_task_shows_its_own_version(world: World) -> None:
    history = some_tasks().say("x")
    given(world, history)
    task_id, state = next(iter(history.brain.tasks.items()))
    fetched = await fetch_task(reader_of(world, history), USER, task_id)
    assert fetched.body["version"] == state.version
    assert fetched.mark.version == len(history.facts)
    with pytest.raises(NotFound):
        await fetch_task(reader_of(world, history), USER, "t_nothing")


# --- usage ------------------------------------------------------------------------------------------------------


async def test_usage_is_counted_by_day_and_outcome(world: World) -> None:
    history = History(USER).say("a").answer().say("b").start()
    running = history.brain.replies[history.brain.queue[0]]
    history.do(FailReply(reply_id=running.ref.reply_id, attempt=1, ending=ending(), code="timeout"))
    history.now_ms += DAY_MS
    history.say("c").start()
    running = history.brain.replies[history.brain.queue[0]]
    history.do(CompleteReply(reply_id=running.ref.reply_id, attempt=1, ending=ending(), canned=True, code="x"))
    given(world, history)
    first = (await fetch_usage(reader_of(world, history), USER, at_ms=START_MS)).body
    assert first["tokens"] == {"input": 14, "output": 10, "used": 24}
    assert (first["messages"], first["calls"], first["searches"]) == (2, 2, {"used": 0})
    assert first["replies"] == {"completed": 1, "canned": 0, "failed": 1, "stopped": 0}
    second = (await fetch_usage(reader_of(world, history), USER, at_ms=history.now_ms)).body
    assert second["replies"] == {"completed": 0, "canned": 1, "failed": 0, "stopped": 0}
    assert (await fetch_usage(reader_of(world), user(9), at_ms=START_MS)).body["tokens"]["used"] == 0
