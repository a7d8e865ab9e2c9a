"""All of one's own data: the archive holds what the API shows and the log holds, and erasing leaves nothing to read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import httpx
import pytest

from cli.retention import make_erasure
from commands.tasks import CreateTask
from domain.errors import Gone
from domain.events import MessageReceived
from domain.values import Task
from infra.ics import read_calendar_file
from projections.export import Exporter
from tests.support.api_routes import own_objects
from tests.support.api_world import HOLD, ApiWorld, User
from tests.support.sse_reader import read_events
from tests.support.waiting import GIVE_UP_SECONDS, eventually_true

pytestmark = pytest.mark.anyio


async def export(user: User) -> ZipFile:
    """With everything so far: the archive is made from the views as they are."""
    await user.read("/state")
    await user.read("/search?q=x")
    answer = await user.get("/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="microcos-export.zip"'
    archive = ZipFile(BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def lines(archive: ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read(name).splitlines()]


def by_id(shapes: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {shape.get("id") or shape.get("sessionId") or shape["date"]: shape for shape in shapes}


# --- export -----------------------------------------------------------------------------------------------------


async def test_the_archive_holds_what_the_api_shows(world: ApiWorld) -> None:
    user = world.user()
    owned = await own_objects(user)
    await user.ended((await user.say("Remind me to call John tomorrow at 5"))["replyId"])
    await user.put("/plan/2025-11-21", {"priorities": ["One"], "todos": ["Two"], "notes": []})
    await user.made("/tasks", {"action": "complete", "task": {"id": owned.task_id}})
    archive = await export(user)
    shown = await user.read("/state?limit=500")
    state = json.loads(archive.read("state.json"))
    assert (state["userId"], state["version"]) == (user.sub, shown["version"])
    for key in ("tasks", "notes", "pinnedMemories", "planCache"):
        assert by_id(state[key]) == by_id(shown[key]), key
        assert shown[key], key
    assert state["preferences"] == shown["preferences"]
    assert "Paris" in {trip["destination"] for trip in json.loads(archive.read("trips.json"))}
    assert lines(archive, "messages.jsonl") == shown["messages"]
    assert {session["sessionId"] for session in state["activeSessions"]} == {owned.session_id}
    listed = (await user.read("/conversations"))["conversations"]
    assert {(one["id"], one["title"]) for one in state["conversations"]} == {
        (one["id"], one["title"]) for one in listed
    }
    assert archive.read("notes/note_1.txt").decode() == shown["notes"][0]["text"]
    (day,) = lines(archive, "usage.jsonl")
    usage = await user.read("/usage")
    assert (day["messages"], day["replies"], day["calls"]) == (usage["messages"], usage["replies"], usage["calls"])


async def test_the_archive_holds_the_whole_log_in_the_clear(world: ApiWorld) -> None:
    user = world.user()
    await own_objects(user)
    events = lines(await export(user), "events.jsonl")
    facts = await user.facts()
    assert [event["version"] for event in events] == [fact.version for fact in facts]
    assert [event["name"] for event in events] == [type(fact.event).__name__ for fact in facts]
    received = next(event for event in events if event["name"] == "MessageReceived")
    said = next(fact.event for fact in facts if isinstance(fact.event, MessageReceived))
    assert received["data"]["content"]["text"] == said.content.text  # type: ignore[union-attr]
    assert "redacted" not in received


async def test_the_calendar_comes_as_a_file_that_can_be_read_again(world: ApiWorld) -> None:
    user = world.user()
    given = {"title": "Stand-up", "start": "2025-11-24T09:00", "timezone": "Europe/Paris", "recurrence": "FREQ=DAILY"}
    await user.made("/calendar/event", given)
    page = read_calendar_file((await export(user)).read("calendar.ics"), events_max=10)
    (event,) = page.events
    assert (event.title, event.start, event.timezone, event.recurrence) == (
        *("Stand-up", "2025-11-24T09:00:00", "Europe/Paris", "FREQ=DAILY"),
    )


async def test_more_messages_than_any_page_holds_are_all_there_oldest_first(world: ApiWorld) -> None:
    user = world.user()
    for number in range(130):
        await user.task(f"task {number}")
    archive = await export(user)
    state = json.loads(archive.read("state.json"))
    assert len({task["title"] for task in state["tasks"]}) == 130
    assert len(lines(archive, "events.jsonl")) == 130


async def test_what_was_deleted_for_good_is_not_in_the_archive(world: ApiWorld) -> None:
    user = world.user()
    await own_objects(user, "canary")
    await user.delete("/conversations/trip")
    await user.delete("/notes/note_1")

    async def gone() -> bool:
        archive = await export(user)
        said = [event for event in lines(archive, "events.jsonl") if event["name"] in ("MessageReceived", "NoteAdded")]
        assert said
        assert lines(archive, "messages.jsonl") == []
        return all(event.get("redacted") and event["data"]["content"] is None for event in said)

    await eventually_true(gone, "the text to be unreadable")


async def test_an_archive_holds_nothing_of_another_user(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    await own_objects(ada, "canary-of-ada")
    await own_objects(bob, "canary-of-bob")
    archive = await export(bob)
    everything = b"".join(archive.read(name) for name in archive.namelist())
    assert b"canary-of-bob" in everything
    assert b"canary-of-ada" not in everything
    assert (await world.user_id(bob.sub)).encode() not in everything, "the internal id is nobody's business"


async def test_somebody_new_gets_an_archive_with_nothing_in_it(world: ApiWorld) -> None:
    archive = await export(world.user())
    assert lines(archive, "messages.jsonl") == lines(archive, "events.jsonl") == []
    assert json.loads(archive.read("state.json"))["tasks"] == []


async def test_one_archive_of_a_user_at_a_time_is_sent(world: ApiWorld) -> None:
    user = world.user()
    await user.task("x")
    exporting = world.apps[0].app._app.state["services"].exporting
    exporting.add(await world.user_id(user.sub))
    refused = await user.get("/export")
    exporting.clear()
    assert (refused.status_code, refused.json()["code"]) == (429, "export_running")
    assert (await user.get("/export")).status_code == 200
    assert not exporting


async def test_an_archive_of_somebody_who_is_erased_meanwhile_is_broken_off(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = world.user()
    for number in range(20):
        # Much that does not compress, so that the archive has begun before it waits.
        await user.made(
            "/notes", {"text": "".join(chr(0x4E00 + (number * 7919 + at * at) % 20_000) for at in range(20_000))}
        )
    await user.read("/state")
    headers = {"authorization": f"Bearer {user.token}"}
    keyring, user_id = world.apps[0].side.keyring, await world.user_id(user.sub)
    is_heard, messages = asyncio.Event(), Exporter._messages

    async def heard() -> bool:
        return (await keyring.load(user_id)).is_erased

    async def later(self: Exporter) -> AsyncIterator[bytes]:
        await is_heard.wait()
        async for piece in messages(self):
            yield piece

    monkeypatch.setattr(Exporter, "_messages", later)
    with pytest.raises(httpx.RemoteProtocolError):
        async with world.clients[0].stream("GET", "/api/v1/export", headers=headers) as answer:
            await user.made("/erase", at=1)
            await eventually_true(heard, "the process to hear of it")
            is_heard.set()
            async for _ in answer.aiter_bytes():
                pass


# --- erasure ----------------------------------------------------------------------------------------------------


async def test_after_erasure_the_same_token_is_somebody_new(world: ApiWorld) -> None:
    user = world.user()
    await own_objects(user, "canary")
    before, head = await world.user_id(user.sub), await user.head()
    answer = await user.post("/erase", key="erase-1")
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted", "version": head + 1})
    assert answer.headers["x-stream-version"] == str(head + 1)
    # The first request of all after it, at the process that erased: it must not know anything any more.
    state = (await user.get("/state")).json()
    assert (state["tasks"], state["messages"], state["version"]) == ([], [], 0)
    assert await world.user_id(user.sub) != before
    task = await user.task("a new life")
    assert [known["id"] for known in (await user.read("/tasks", at=1))["tasks"]] == [task["id"]]


async def test_erasing_again_is_accepted_and_makes_nobody(world: ApiWorld) -> None:
    user = world.user()
    side = world.apps[0].side
    nobody = await user.post("/erase")
    assert (nobody.status_code, nobody.json()["version"]) == (202, 0)
    assert await side.keyring.find_user("", user.sub) is None
    await user.task("x")
    answers = await asyncio.gather(*(user.post("/erase", key="same", at=number % 2) for number in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert (await user.post("/erase", key="same")).json() == {"status": "accepted", "version": 0}
    assert await side.keyring.find_user("", user.sub) is None


async def test_erasing_somebody_else_is_refused(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    await ada.task("mine")
    assert (await bob.post("/erase", {"userId": ada.sub})).status_code == 403
    await bob.task("his")
    assert (await bob.post("/erase", {"userId": ada.sub})).status_code == 403
    assert (await bob.post("/erase", {"everybody": True})).status_code == 400
    assert len((await ada.read("/tasks"))["tasks"]) == len((await bob.read("/tasks"))["tasks"]) == 1


async def test_running_and_waiting_replies_end_and_streams_close_with_a_frame(world: ApiWorld) -> None:
    user = world.user()
    session = await user.made("/sessions")
    frames: list[str] = []
    listens, hears = [[asyncio.Event() for _ in world.clients] for _ in range(2)]

    async def listen(at: int) -> None:
        headers = {"authorization": f"Bearer {user.token}"}
        data = b""
        path = f"/api/v1/stream/{session['sessionId']}"
        async with world.clients[at].stream("GET", path, headers=headers) as stream:
            async for chunk in stream.aiter_bytes():
                data += chunk
                if b"state.updated" in data:  # which greets whoever gets all from here on
                    listens[at].set()
                if b"llm.token" in data:
                    hears[at].set()
        if at == 1:
            frames.extend(event["event"] for event in read_events(data))

    listening = [asyncio.create_task(listen(at)) for at in (0, 1)]
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await asyncio.gather(*(each.wait() for each in listens))
    running = await user.say(HOLD)
    waiting = await user.say("and this waits")
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await asyncio.gather(*(each.wait() for each in hears))
    await user.made("/erase")
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await asyncio.gather(*listening)
    assert frames[-3:] == ["message.stopped", "message.stopped", "user.erased"]
    assert running["replyId"] != waiting["replyId"]
    world.model.may_go_on.set()


async def test_a_command_that_was_under_way_is_told_that_the_user_is_gone(world: ApiWorld) -> None:
    user = world.user()
    await user.task("x")
    user_id = await world.user_id(user.sub)
    await user.made("/erase")
    for app in world.apps:
        with pytest.raises(Gone) as refused:
            await app.side.handler.handle(user_id, CreateTask(task=Task(title="too late")))
        assert refused.value.code == "erased"


async def test_tickets_and_sessions_of_the_erased_open_nothing(world: ApiWorld) -> None:
    user = world.user()
    session = await user.made("/sessions")
    ticket = (await user.made("/stream/ticket"))["ticket"]
    old = await world.user_id(user.sub)
    await user.made("/erase")
    await make_erasure(world.apps[0].side).erase(old)
    answer = await world.clients[0].get(f"/api/v1/stream/{session['sessionId']}", params={"ticket": ticket})
    assert answer.status_code == 401
    assert (await user.get(f"/stream/{session['sessionId']}")).status_code == 404
