"""Idempotency-Key: the same again answers the same bytes, at any process, for as long as what it shows is there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from api.app import open_api
from domain.events import MessageReceived, TaskCreated
from tests.support.api_world import ApiWorld, User, codes, serving
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio

Ids = dict[str, str]


async def some_objects(user: User) -> Ids:
    """Something for each command to work on."""
    ack = await user.say("Hello", conversationId="c1")
    await user.ended(ack["replyId"])
    await user.made("/notes", {"id": "n1", "text": "x"})
    task = await user.task("t")
    memory = await user.made("/memory/pin", {"type": "fact", "key": "k", "value": "v"})
    return {
        "message": ack["messageId"],
        "session": ack["sessionId"],
        "task": task["id"],
        "memory": memory["id"],
    }


# Every command: method, path and body, made from ids of the caller's own.
COMMANDS: dict[str, tuple[str, Callable[[Ids], str], Callable[[Ids], Any]]] = {
    "message": ("POST", lambda _: "/message", lambda _: {"channel": "chat", "text": "Hello", "conversationId": "c1"}),
    "message elsewhere": (
        "POST",
        lambda _: "/message",
        lambda _: {"channel": "chat", "text": "x", "conversationId": "c2"},
    ),
    "stop": ("POST", lambda ids: f"/message/{ids['message']}/stop", lambda _: None),
    "regenerate": ("POST", lambda ids: f"/message/{ids['message']}/regenerate", lambda _: {}),
    "create": ("POST", lambda _: "/tasks", lambda _: {"task": {"title": "x"}}),
    "update": ("POST", lambda _: "/tasks", lambda ids: {"action": "update", "task": {"id": ids["task"], "notes": "n"}}),
    "complete": ("POST", lambda _: "/tasks", lambda ids: {"action": "complete", "task": {"id": ids["task"]}}),
    "delete task": ("POST", lambda _: "/tasks", lambda ids: {"action": "delete", "task": {"id": ids["task"]}}),
    "nothing new": ("POST", lambda _: "/tasks", lambda ids: {"action": "reopen", "task": {"id": ids["task"]}}),
    "pin": ("POST", lambda _: "/memory/pin", lambda _: {"type": "fact", "key": "k2", "value": "v"}),
    "pin again": ("POST", lambda _: "/memory/pin", lambda _: {"type": "fact", "key": "k", "value": "v2"}),
    "forget": ("DELETE", lambda ids: f"/memory/{ids['memory']}", lambda _: None),
    "note": ("POST", lambda _: "/notes", lambda _: {"text": "x"}),
    "named note": ("POST", lambda _: "/notes", lambda _: {"id": "n2", "text": "x"}),
    "delete note": ("DELETE", lambda _: "/notes/n1", lambda _: None),
    "preference": ("PUT", lambda _: "/preferences/x", lambda _: {"value": [1]}),
    "session": ("POST", lambda _: "/sessions", lambda _: None),
    "close": ("DELETE", lambda ids: f"/sessions/{ids['session']}", lambda _: None),
    "rename": ("PATCH", lambda _: "/conversations/c1", lambda _: {"title": "T", "archived": True}),
    "delete conversation": ("DELETE", lambda _: "/conversations/c1", lambda _: None),
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_same_again_answers_the_same_bytes_at_either_process(world: ApiWorld, name: str) -> None:
    user = world.user()
    ids = await some_objects(user)
    method, path, body = COMMANDS[name]

    async def send(at: int, content: Any = body) -> Any:
        return await user.send(method, path(ids), content(ids), key="k", at=at)

    first = await send(0)
    assert first.is_success, first.text
    events = await by_the_user(user)
    for at in (0, 1, 0, 1):
        again = await send(at)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["x-stream-version"] == first.headers["x-stream-version"]
    other = await user.put("/preferences/other", {"value": 1}, key="k", at=1)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert other.headers["x-stream-version"].isdigit()
    assert await by_the_user(user) == events


async def by_the_user(user: User) -> list[str]:
    """Ids of what the user's own commands led to; what the assistant does goes on meanwhile."""
    return [fact.meta.event_id for fact in await user.facts() if fact.meta.origin == "user"]


async def test_what_counts_as_the_same_is_method_path_and_what_the_body_says(world: ApiWorld) -> None:
    user = world.user()
    first = await user.send("POST", "/tasks", content=b'{"task": {"title": "x", "tags": []}}', key="k")
    assert first.status_code == 201
    for content in (b'{"task":{"tags":[],"title":"x"}}', b'\n{ "task" : { "title" : "\\u0078", "tags" : [ ] } }'):
        same = await user.send("POST", "/tasks", content=content, key="k", at=1)
        assert (same.status_code, same.content) == (201, first.content)
    assert (await user.send("POST", "/tasks/", content=content, key="k")).content == first.content
    for content in (
        b'{"task":{"title":"x"}}',
        b'{"task":{"title":"X","tags":[]}}',
        b'{"task":{"title":"x","tags":["a"]}}',
    ):
        assert (await user.send("POST", "/tasks", content=content, key="k")).status_code == 422
    assert await user.head() == 1


async def test_keys_of_two_users_have_nothing_to_do_with_each_other(world: ApiWorld) -> None:
    one, other = world.user(), world.user()
    first = await one.post("/tasks", {"task": {"title": "mine"}}, key="k")
    second = await other.post("/tasks", {"task": {"title": "yours"}}, key="k")
    assert codes([first, second]) == [201, 201]
    assert first.json()["id"] != second.json()["id"]


async def test_without_a_key_the_same_again_is_done_again(world: ApiWorld) -> None:
    user = world.user()
    made = {(await user.task("x"))["id"] for _ in range(3)}
    assert len(made) == 3


# --- clientMessageId ----------------------------------------------------------------------------------------------


async def test_a_client_message_id_is_the_key_of_a_message_without_one(world: ApiWorld) -> None:
    user = world.user()
    body = {"channel": "chat", "text": "Hello", "clientMessageId": "local-1"}
    first = await user.post("/message", body)
    assert first.json()["clientMessageId"] == "local-1"
    for at, key in ((0, None), (1, None), (1, "local-1")):
        again = await user.post("/message", body, at=at, key=key)
        assert (again.status_code, again.content) == (202, first.content)
    assert (await user.post("/message", {**body, "text": "other"})).status_code == 422
    # A header beats it.
    assert (await user.post("/message", body, key="another")).json()["messageId"] != first.json()["messageId"]
    received = [fact.event for fact in await user.facts() if isinstance(fact.event, MessageReceived)]
    assert len(received) == 2


@pytest.mark.parametrize("given", ["", "x" * 256, "a b", "é", "a\n", 1])
async def test_a_client_message_id_is_a_word(world: ApiWorld, given: Any) -> None:
    answer = await world.user().post("/message", {"channel": "chat", "text": "x", "clientMessageId": given})
    assert answer.status_code == 400


# --- refused, running, gone ---------------------------------------------------------------------------------------


async def test_a_refused_command_leaves_nothing_and_may_be_sent_again(world: ApiWorld) -> None:
    user = world.user()
    body = {"channel": "chat", "text": "Hello", "contextIds": ["note_1"]}
    refused = await user.post("/message", body, key="k")
    assert (refused.status_code, await user.head()) == (404, 0)
    other = await user.post("/message", {**body, "text": " "}, key="k")
    assert other.status_code == 400
    await user.made("/notes", {"id": "note_1", "text": "x"}, at=1)
    accepted = await user.post("/message", body, key="k", at=1)
    assert accepted.status_code == 202
    assert (await user.post("/message", body, key="k")).content == accepted.content


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_fifty_at_once_one_is_done_and_all_get_its_answer(world: ApiWorld, processes: int) -> None:
    user = world.user()
    body = {"channel": "chat", "text": "Hello", "conversationId": "new"}
    answers = await asyncio.gather(
        *(user.post("/message", body, key="k", at=number % processes) for number in range(50))
    )
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    received = [fact for fact in await user.facts() if isinstance(fact.event, MessageReceived)]
    assert len(received) == 1


async def test_two_requests_that_race_for_a_key_leave_one_and_a_422(world: ApiWorld) -> None:
    user = world.user()
    answers = await asyncio.gather(
        *(user.post("/tasks", {"task": {"title": f"{number % 2}"}}, key="k", at=number % 2) for number in range(20))
    )
    assert sorted(codes(answers)) == [201] * 10 + [422] * 10
    assert len([fact for fact in await user.facts() if isinstance(fact.event, TaskCreated)]) == 1


async def test_one_that_runs_for_long_is_waited_for_and_then_a_409(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(world.settings, idempotency_wait_seconds=0.05)
    async with open_api(settings) as opened, serving(opened) as server:
        user = world.user()
        await user.head()  # known, so that the append below is the first thing that waits
        world.clients.append(world.client_of(server))
        log, may_go_on, begun = opened.side.log, asyncio.Event(), asyncio.Event()
        append = type(log).append

        async def slow(self: Any, *given: Any) -> Any:
            if self is log:  # and none of the world's, which go on meanwhile
                begun.set()
                await may_go_on.wait()
            return await append(self, *given)

        monkeypatch.setattr(type(log), "append", slow)
        body = {"task": {"title": "x"}}
        first = asyncio.create_task(user.post("/tasks", body, key="k", at=-1))
        await begun.wait()
        running = await user.post("/tasks", body, key="k", at=-1)
        assert (running.status_code, running.json()["code"]) == (409, "request_running")
        assert running.headers["retry-after"] == "1"
        waiting = asyncio.create_task(user.post("/tasks", body, key="k", at=-1))
        may_go_on.set()
        done = await first
        assert done.status_code == 201
        assert (await waiting).content in (done.content, running.content)
        assert (await user.post("/tasks", body, key="k", at=-1)).content == done.content
        await world.clients.pop().aclose()


@pytest.mark.parametrize("at", [0, 1])
async def test_once_a_note_is_deleted_its_answer_is_gone(world: ApiWorld, at: int) -> None:
    user = world.user()
    body = {"id": "note_1", "text": "x"}
    made = await user.post("/notes", body, key="k")
    deleted = await user.delete("/notes/note_1", key="d")
    assert codes([made, deleted]) == [201, 200]
    gone = await user.post("/notes", body, key="k", at=at)
    assert (gone.status_code, gone.json()["code"]) == (410, "answer_gone")
    assert (await user.delete("/notes/note_1", key="d", at=at)).content == deleted.content
    # A note of the same id that was made later is not what the first key stands for.
    anew = await user.post("/notes", body, key="k2", at=at)
    assert anew.status_code == 201
    assert (await user.post("/notes", body, key="k", at=at)).status_code == 410
    assert (await user.post("/notes", body, key="k2", at=1 - at)).content == anew.content


@pytest.mark.parametrize("at", [0, 1])
async def test_once_a_conversation_is_deleted_the_answers_about_it_are_gone(world: ApiWorld, at: int) -> None:
    user = world.user()
    body = {"channel": "chat", "text": "x", "conversationId": "c1"}
    await user.post("/message", body, key="first")
    await user.post("/message", body, key="second")
    await user.patch("/conversations/c1", {"title": "T"}, key="renamed")
    await user.made("/tasks", {"task": {"title": "stays"}}, key="task")
    await user.delete("/conversations/c1")
    for key in ("first", "second"):
        assert (await user.post("/message", body, key=key, at=at)).status_code == 410
    assert (await user.patch("/conversations/c1", {"title": "T"}, key="renamed", at=at)).status_code == 410
    assert (await user.post("/tasks", {"task": {"title": "stays"}}, key="task", at=at)).status_code == 201


async def test_answers_stay_gone_after_the_sweep(world: ApiWorld) -> None:
    user = world.user()
    body = {"id": "note_1", "text": "x"}
    await user.post("/notes", body, key="k")
    await user.delete("/notes/note_1")
    side = world.apps[0].side
    user_id = await world.user_id(user.sub)

    async def swept() -> bool:
        rows = await side.queries.fetch("SELECT wrapped FROM keys WHERE user_id = %s AND scope = 'note'", (user_id,))
        return [row[0] for row in rows] == [None]

    await eventually_true(swept, "the sweep", every_seconds=0.02)
    for at in (0, 1):
        assert (await user.post("/notes", body, key="k", at=at)).status_code == 410
        assert (await user.post("/notes", {**body, "text": "y"}, key="k", at=at)).status_code == 422
