"""What /state is made of: the state now, what changed, the state as it was, lists, and the marks that answers carry."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from commands.conversations import ChangeConversation, DeleteConversation
from commands.memory import ForgetMemory, PinMemory
from commands.messages import RegenerateReply
from commands.notes import AddNote, DeleteNote
from commands.preferences import SetPreference
from commands.sessions import CloseSession, OpenSession
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from domain.errors import Invalid, Unavailable
from domain.values import Task
from projections.reading import decode_cursor, encode_cursor, fetch_mark
from projections.rebuild import Rebuild
from projections.state_queries import (
    fetch_changes,
    fetch_memories,
    fetch_notes,
    fetch_preferences,
    fetch_sessions,
    fetch_state,
    fetch_state_at,
    version_before,
)
from projections.views import VIEWS
from tests.support.histories import START_MS, History, random_history, resolved
from tests.support.views import Silent, World, catch_up, open_world, reader_of, user, write_log

pytestmark = pytest.mark.anyio

USER = user(7)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with open_world(database_url) as world:
        yield world


async def now(world: World, history: History, **values: int) -> dict[str, Any]:
    write_log(world.url, history.rows)
    catch_up(world.url)
    return (await fetch_state(reader_of(world, history), history.user_id, **values)).body


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["text"] for message in messages]


async def test_a_user_without_a_stream_has_an_empty_state(world: World) -> None:
    fetched = await fetch_state(reader_of(world), USER)
    assert fetched.mark.version == 0
    assert fetched.body == {
        "tasks": [],
        "notes": [],
        "messages": [],
        "preferences": {},
        "pinnedMemories": [],
        "activeSessions": [],
        "planCache": [],
        "lastSnapshotTs": None,
        "version": 0,
    }


async def test_messages_show_their_replies_in_every_status_and_their_actions(world: World) -> None:
    history = History(USER)
    history.say("one").answer("first").say("two").start().act("a task", ordinal=1).act("another", ordinal=2).say(
        "three"
    )
    history.record(resolved(history))
    body = await now(world, history)
    assert [(m["role"], m["text"], m["status"]) for m in body["messages"]] == [
        ("user", "one", "accepted"),
        ("assistant", "first", "completed"),
        ("user", "two", "accepted"),
        ("assistant", "", "streaming"),
        ("user", "three", "accepted"),
        ("assistant", "", "queued"),
    ]
    second = body["messages"][3]
    assert [(a["payload"], a["status"]) for a in second["actions"]] == [
        ({"title": "a task"}, "committed"),
        ({"title": "another"}, "undone"),
    ]
    assert second["inReplyTo"] == body["messages"][2]["id"]
    # Its actions are part of it, so it has changed with the last of them.
    assert second["version"] == len(history.facts)
    assert [task["title"] for task in body["tasks"]] == ["a task", "another"]
    assert body["version"] == len(history.facts)
    assert body["lastSnapshotTs"] == START_MS // 1000


async def test_the_newest_messages_are_shown_oldest_first(world: World) -> None:
    history = History(USER)
    for number in range(5):
        history.say(f"m{number}", conversation="c_a" if number % 2 else None).answer(f"r{number}")
    body = await now(world, history, limit=3)
    assert texts(body["messages"]) == ["r3", "m4", "r4"]


async def test_a_regenerated_reply_stands_where_it_was_asked_for(world: World) -> None:
    history = History(USER).say("one").answer("first").say("two").answer("second")
    old = history.brain.reply_of
    (first, _) = old.values()
    history.do(RegenerateReply(id=first)).answer("again")
    messages = (await now(world, history))["messages"]
    assert texts(messages) == ["one", "first", "two", "second", "again"]
    assert messages[-1]["supersedes"] == messages[1]["id"] == first


async def test_tasks_are_all_open_ones_and_the_last_done(world: World) -> None:
    history = History(USER)
    for number in range(104):
        history.do(CreateTask(task=Task(title=f"t{number}")))
    ids = list(history.brain.tasks)
    for task_id in ids[:102]:
        history.do(CompleteTask(task_id=task_id))
    history.do(ReopenTask(task_id=ids[50]), DeleteTask(task_id=ids[103]))
    history.do(UpdateTask(task_id=ids[60], patch={"title": "renamed"}))
    tasks = (await now(world, history))["tasks"]
    assert [t["title"] for t in tasks if t["status"] == "open"] == ["t102", "t50"]
    done = [t["title"] for t in tasks if t["status"] == "done"]
    assert done == [f"t{n}" if n != 60 else "renamed" for n in range(1, 102) if n != 50]


async def test_lists_show_what_is_kept(world: World) -> None:
    history = History(USER).do(
        PinMemory(type="fact", key="airport", value="JFK"),
        PinMemory(type="fact", key="airport", value="LGA"),
        PinMemory(type="fact", key="gone", value="x"),
        AddNote(note_id="plan", note_ref="n_plan", text="the plan", title="Plan"),
        AddNote(note_id="old", note_ref="n_old", text="old"),
        DeleteNote(note_id="old", note_ref="n_old"),
        SetPreference(key="timezone", preference_ref="p_1", value="Europe/Berlin"),
        SetPreference(key="timezone", preference_ref="p_1", value="UTC"),
        OpenSession(),
        OpenSession(),
    )
    gone = list(history.brain.memories)[-1]
    history.do(ForgetMemory(memory_id=gone), CloseSession(session_id=next(iter(history.brain.sessions))))
    body = await now(world, history)
    reader = reader_of(world, history)
    memories = (await fetch_memories(reader, USER)).body
    assert memories == {"memories": body["pinnedMemories"], "version": body["version"]}
    assert [(m["value"], m["replaced"]["value"]) for m in body["pinnedMemories"]] == [("LGA", "JFK")]
    assert (await fetch_notes(reader, USER)).body["notes"] == body["notes"]
    assert [(n["id"], n["text"], n["title"]) for n in body["notes"]] == [("plan", "the plan", "Plan")]
    assert (await fetch_preferences(reader, USER)).body["preferences"] == body["preferences"] == {"timezone": "UTC"}
    assert (await fetch_sessions(reader, USER)).body["sessions"] == body["activeSessions"]
    assert [s["sessionId"] for s in body["activeSessions"]] == list(history.brain.sessions)


# --- changes ----------------------------------------------------------------------------------------------------


async def changes(world: World, history: History, since: int, limit: int = 500) -> dict[str, Any]:
    return (await fetch_changes(reader_of(world, history), USER, since=since, limit=limit)).body


async def test_changes_are_whole_objects_and_tombstones(world: World) -> None:
    history = History(USER).say("one").answer("first").say("secret", conversation="c_a").answer("deep")
    history.do(
        CreateTask(task=Task(title="stays")),
        CreateTask(task=Task(title="goes")),
        AddNote(note_id="mine", note_ref="n_mine", text="note"),
        SetPreference(key="diet", preference_ref="p_d", value="none"),
    )
    before = len(history.facts)
    stays, goes = history.brain.tasks
    doomed = [reply.ref for reply in history.brain.replies.values() if reply.ref.conversation_ref == "c_c_a"]
    history.do(
        DeleteTask(task_id=goes),
        UpdateTask(task_id=stays, patch={"title": "stays on"}),
        DeleteNote(note_id="mine", note_ref="n_mine"),
        SetPreference(key="diet", preference_ref="p_d", value="vegan"),
        DeleteConversation(conversation_ref="c_c_a"),
        ChangeConversation(conversation_ref="c_main", title="Home", archived=True),
    )
    await now(world, history)
    found = await changes(world, history, before)
    assert found["tasks"][0] == {"id": goes, "deleted": True}
    assert found["tasks"][1]["title"] == "stays on"
    assert found["notes"] == [{"id": "mine", "deleted": True}]
    assert found["preferences"] == {"diet": "vegan"}
    assert found["conversations"][0] == {"id": "c_a", "deleted": True}
    assert (found["conversations"][1]["title"], found["conversations"][1]["archived"]) == ("Home", True)
    assert {m["id"] for m in found["messages"]} == {doomed[0].message_id, doomed[0].reply_id}
    assert all(m == {"id": m["id"], "deleted": True} for m in found["messages"])
    assert (found["version"], found["more"]) == (len(history.facts), False)
    assert await changes(world, history, found["version"]) == {
        **{key: [] for key in ("tasks", "notes", "messages", "pinnedMemories", "activeSessions", "conversations")},
        "planCache": [],
        "preferences": {},
        "lastSnapshotTs": history.facts[-1].meta.at_ms // 1000,
        "version": len(history.facts),
        "more": False,
    }


async def test_a_message_changes_with_its_actions(world: World) -> None:
    history = History(USER).say("one").start()
    before = len(history.facts)
    history.act("a task")
    await now(world, history)
    found = await changes(world, history, before)
    assert [len(message["actions"]) for message in found["messages"]] == [1]


async def test_a_client_that_merges_changes_has_the_state(world: World) -> None:
    """From any version, in pages of any size: what it merged is what the state is."""
    history = random_history(USER, 250, random.Random(4))
    state = await now(world, history, limit=500)
    for since in (0, 1, len(history.facts) // 2, len(history.facts) - 1):
        for limit in (1, 7, 500):
            known = await merged(world, history, since, limit)
            for key in ("tasks", "messages", "pinnedMemories", "notes"):
                for shape in state[key]:
                    if shape["version"] > since:
                        assert known[key][shape["id"]] == shape, (since, limit)
            if since == 0:
                live = {k for k, shape in known["messages"].items() if "deleted" not in shape}
                assert live == {message["id"] for message in state["messages"]}
                assert known["preferences"] == state["preferences"]


async def merged(world: World, history: History, since: int, limit: int) -> dict[str, Any]:
    known: dict[str, Any] = {"tasks": {}, "messages": {}, "pinnedMemories": {}, "notes": {}, "preferences": {}}
    while True:
        page = await changes(world, history, since, limit)
        for key in ("tasks", "messages", "pinnedMemories", "notes"):
            known[key].update({shape["id"]: shape for shape in page[key]})
        known["preferences"].update(page["preferences"])
        assert page["version"] > since or not page["more"]
        since = page["version"]
        assert page["lastSnapshotTs"] == history.facts[since - 1].meta.at_ms // 1000
        if not page["more"]:
            return known


async def test_what_one_command_changed_comes_together(world: World) -> None:
    history = History(USER)
    for _ in range(3):
        history.say("one").answer("two")
    history.do(DeleteConversation(conversation_ref="c_main"))
    await now(world, history)
    found = await changes(world, history, 0, limit=1)
    assert [len(found["activeSessions"]), len(found["messages"]), found["more"]] == [1, 0, True]
    found = await changes(world, history, found["version"], limit=1)
    assert [len(found["messages"]), len(found["conversations"]), found["more"]] == [6, 1, False]


async def test_a_version_that_is_not_there_yet_gives_nothing(world: World) -> None:
    history = History(USER).say("one")
    await now(world, history)
    found = await changes(world, history, 10_000)
    assert (found["messages"], found["version"], found["more"]) == ([], len(history.facts), False)


# --- as it was --------------------------------------------------------------------------------------------------


async def test_the_state_at_each_version_is_what_it_was_then(world: World) -> None:
    history = random_history(USER, 40, random.Random(11))
    reader = reader_of(world, history)
    for version in range(1, len(history.facts) + 1):
        write_log(world.url, [history.rows[version - 1]])
        catch_up(world.url)
        then = (await fetch_state(reader, USER)).body
        assert (await fetch_state_at(reader, world.log, USER, version)).body == then


async def test_what_was_deleted_since_is_redacted_before_its_keys_are_destroyed(world: World) -> None:
    history = History(USER).say("secret", conversation="c_a").answer("hidden")
    history.do(AddNote(note_id="mine", note_ref="n_mine", text="note"))
    version = len(history.facts)
    history.do(DeleteConversation(conversation_ref="c_c_a"), DeleteNote(note_id="mine", note_ref="n_mine"))
    write_log(world.url, history.rows)
    body = (await fetch_state_at(reader_of(world, history), world.log, USER, version)).body
    assert [(m["text"], m["redacted"]) for m in body["messages"]] == [(None, True), (None, True)]
    assert [(n["text"], n["redacted"]) for n in body["notes"]] == [(None, True)]


async def test_the_state_at_a_version_above_the_head_is_refused(world: World) -> None:
    history = History(USER).say("one")
    write_log(world.url, history.rows)
    with pytest.raises(Invalid) as refusal:
        await fetch_state_at(reader_of(world, history), world.log, USER, len(history.facts) + 1)
    assert refusal.value.code == "version_above_head"


async def test_a_time_is_the_last_version_strictly_before_it(world: World) -> None:
    history = History(USER)
    times: list[int] = []
    for step in (0, 0, 5, 5, 5, 9, 20):
        history.now_ms = START_MS + step
        history.do(OpenSession())
        times.append(history.now_ms)
    write_log(world.url, history.rows)
    reader = reader_of(world, history)
    for at_ms in range(START_MS - 1, START_MS + 23):
        assert await version_before(reader, USER, at_ms) == sum(time < at_ms for time in times)
    assert await version_before(reader, user(8), START_MS) == 0


# --- marks ------------------------------------------------------------------------------------------------------


async def test_a_mark_changes_with_the_stream_and_the_build(world: World) -> None:
    history = History(USER).say("one").say("two")
    half = len(history.rows) // 2
    write_log(world.url, history.rows[:half])
    catch_up(world.url)
    reader = reader_of(world, history)
    first = (await fetch_state(reader, USER)).mark
    assert first == await fetch_mark(reader, "state", USER)
    assert first != await fetch_mark(reader, "chat", USER)
    write_log(world.url, history.rows[half:])
    catch_up(world.url)
    second = await fetch_mark(reader, "state", USER)
    assert (first.version, second.version) == (half, len(history.rows))
    Rebuild(world.settings, VIEWS["state"], Silent()).run()
    third = await fetch_mark(reader, "state", USER)
    assert third.version == second.version
    assert third != second


async def test_others_events_do_not_move_a_users_mark(world: World) -> None:
    mine, others = History(USER).say("one"), History(user(8)).say("two")
    await now(world, mine)
    reader = reader_of(world, mine)
    before = await fetch_mark(reader, "state", USER)
    write_log(world.url, others.rows)
    catch_up(world.url)
    assert await fetch_mark(reader, "state", USER) == before


async def test_a_view_that_was_never_created_is_unavailable(world: World) -> None:
    with pytest.raises(Unavailable) as refusal:
        await fetch_mark(reader_of(world), "nothing", USER)
    assert refusal.value.code == "view_missing"


def test_a_cursor_comes_back_as_it_was() -> None:
    assert decode_cursor(encode_cursor(17, "ü"), int, str) == [17, "ü"]


@pytest.mark.parametrize("cursor", ["", "x", "ä", "!" * 8, "a" * 300, encode_cursor("x"), encode_cursor(-1),
                                    encode_cursor(2**63), encode_cursor(1, 2), encode_cursor(True)])  # fmt: skip
def test_a_cursor_that_is_none_of_ours_is_refused(cursor: str) -> None:
    with pytest.raises(Invalid) as refusal:
        decode_cursor(cursor, int)
    assert refusal.value.code == "cursor_invalid"
