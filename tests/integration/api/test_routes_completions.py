"""`POST /complete-llm`: final outputs made elsewhere, with actions and without, under a worker's fence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, get_args

import pytest

from api.schemas.requests import CompletionAction
from commands.arguments import ARGUMENTS
from commands.handle import Request
from commands.replies import StartReply
from domain.events import ActionCreated, ReplyCompleted, ReplyStarted, ReplyStopped, TaskCreated
from infra.embedded.nats import EmbeddedNats
from tests.support.api_world import ApiWorld, User, open_world, world_settings

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def world(
    module_database_url: str, nats_server: EmbeddedNats, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ApiWorld]:
    """Nobody answers here but the service."""
    settings = world_settings(module_database_url, nats_server.url, tmp_path_factory.mktemp("data"))
    async with open_world(settings, answers=False) as opened:
        yield opened


async def complete(user: User, message_id: str, *actions: tuple[str, dict[str, Any]], **more: Any) -> Any:
    options = {name.removeprefix("header_"): more.pop(name) for name in list(more) if name.startswith("header_")}
    body = {"userId": await user.world.user_id(user.sub), "messageId": message_id, "text": "Here you are.", **more}
    if actions:
        body["actions"] = [{"action": name, "payload": payload} for name, payload in actions]
    return await user.world.serve_command("/complete-llm", body, **options)


async def lease(user: User, reply_id: str, owner: str) -> None:
    """Another worker takes the reply."""
    claim = StartReply(reply_id=reply_id, after_attempt=0, owner=owner, lease_seconds=60.0, reserved_tokens=0)
    await user.world.apps[0].side.handler.handle(await user.world.user_id(user.sub), claim, Request())


async def count(user: User, kind: type) -> int:
    return len([fact for fact in await user.facts() if isinstance(fact.event, kind)])


@pytest.mark.parametrize("named", ["messageId", "replyId"])
async def test_a_text_ends_the_reply(world: ApiWorld, named: str) -> None:
    user = world.user()
    ack = await user.say("Hello")
    answer = await complete(user, ack[named], usage={"inputTokens": 10, "outputTokens": 5})
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "completed",
        "messageId": ack["messageId"],
        "replyId": ack["replyId"],
        "actions": [],
        "version": await user.head(),
    }
    assert answer.headers["x-stream-version"] == str(await user.head())
    reply = await user.ended(ack["replyId"])
    assert (reply["status"], reply["text"]) == ("completed", "Here you are.")
    assert (await user.read("/usage"))["tokens"]["used"] == 15


async def test_an_ended_reply_is_not_ended_again(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello")
    await complete(user, ack["messageId"])
    head = await user.head()
    for actions in ((), (("create_task", {"title": "x"}),)):
        again = await complete(user, ack["messageId"], *actions)
        assert (again.status_code, again.json()["code"]) == (409, "reply_ended")
    assert await user.head() == head


async def test_actions_are_committed_before_the_text_as_a_workers_are(world: ApiWorld) -> None:
    user = world.user()
    done = await user.task("Old task")
    ack = await user.say("Do all of it")
    answer = await complete(
        user,
        ack["messageId"],
        ("create_task", {"title": "Call John", "due_text": "2026-03-01", "priority": "high"}),
        ("create_task", {"title": "Second"}),
        ("complete_task", {"title": "Old task"}),
        ("pin_memory", {"key": "Favourite airport", "value": "JFK"}),
        ("set_preference", {"key": "timezone", "value": "Europe/Berlin"}),
        ("reopen_task", {"title": "Old task"}),
        ("complete_task", {"title": "Old task"}),
        ("add_note", {"text": "The door code is 5"}),
        ("delete_task", {"title": "No such task"}),
        ("set_preference", {"key": "timezone", "value": "Mars/Olympus"}),
    )
    assert answer.status_code == 200, answer.text
    shown = answer.json()["actions"]
    assert [one["status"] for one in shown] == ["committed"] * 8 + ["refused"] * 2
    assert shown[2]["resultId"] == done["id"]
    (note,) = (await user.read("/notes"))["notes"]
    assert (note["id"], note["text"]) == (shown[7]["resultId"], "The door code is 5")
    assert "id" not in shown[8]
    assert "No such task" in shown[8]["reason"]
    assert "timezone" in shown[9]["reason"]
    tasks = {task["title"]: task for task in (await user.read("/tasks"))["tasks"]}
    assert (tasks["Call John"]["due"], tasks["Call John"]["priority"]) == ("2026-03-01", "high")
    assert tasks["Call John"]["createdFrom"] == ack["messageId"]
    assert tasks["Old task"]["status"] == "done"
    assert (await user.read("/preferences"))["preferences"] == {"timezone": "Europe/Berlin"}
    reply = await user.ended(ack["replyId"])
    assert [action["id"] for action in reply["actions"]] == [one["id"] for one in shown if "id" in one]
    kinds = [type(fact.event) for fact in await user.facts()]
    assert kinds.index(ReplyStarted) < kinds.index(TaskCreated, 2) < kinds.index(ReplyCompleted)
    assert kinds.count(ReplyStarted) == 1
    cause = next(fact.meta for fact in await user.facts() if isinstance(fact.event, ActionCreated))
    assert (cause.correlation_id, cause.causation_id) == (ack["messageId"], shown[0]["id"])


@pytest.mark.parametrize(
    "action",
    [
        ("create_task", {}),
        ("create_task", {"title": ""}),
        ("create_task", {"title": "x", "due": "2026-01-01"}),
        ("create_task", {"title": ["x"]}),
        ("pin_memory", {"key": "k"}),
        ("drop_tables", {}),
        ("create_task ", {"title": "x"}),
    ],
)
async def test_a_payload_that_no_tool_takes_is_refused_before_anything_is_done(
    world: ApiWorld, action: tuple[str, dict[str, Any]]
) -> None:
    user = world.user()
    ack = await user.say("Hello")
    head = await user.head()
    answer = await complete(user, ack["messageId"], ("create_task", {"title": "good"}), action)
    assert answer.status_code == 400, answer.text
    assert await user.head() == head


async def test_the_same_again_answers_the_same_bytes_and_does_nothing_twice(world: ApiWorld) -> None:
    user = world.user()
    for actions in ((), (("create_task", {"title": "Once"}),)):
        ack = await user.say("Hello")
        key = f"k{len(actions)}"
        first = await complete(user, ack["messageId"], *actions, header_idempotency_key=key)
        head = await user.head()
        again = await complete(user, ack["messageId"], *actions, header_idempotency_key=key)
        assert (again.status_code, again.content) == (200, first.content)
        other = await complete(user, ack["messageId"], *actions, text="other", header_idempotency_key=key)
        assert other.status_code == 422
        assert await user.head() == head
    assert await count(user, TaskCreated) == 1
    # A user can't take a service's key.
    mine = await user.post("/tasks", {"task": {"title": "x"}}, key="k0")
    assert mine.status_code == 201


async def test_while_another_worker_has_the_reply_no_action_is_taken(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello")
    await lease(user, ack["replyId"], "another-worker")
    head = await user.head()
    answer = await complete(user, ack["messageId"], ("create_task", {"title": "x"}))
    assert (answer.status_code, answer.json()["code"]) == (409, "leased")
    assert await user.head() == head
    # Text alone takes over whatever runs, in one command, as a reaper does.
    assert (await complete(user, ack["messageId"])).status_code == 200
    attempts = [fact.event.attempt for fact in await user.facts() if isinstance(fact.event, ReplyStarted)]
    assert attempts == [1, 2]


async def test_actions_wait_for_their_turn(world: ApiWorld) -> None:
    user = world.user()
    first, second = await user.say("one"), await user.say("two")
    early = await complete(user, second["messageId"], ("create_task", {"title": "x"}))
    assert (early.status_code, await count(user, TaskCreated)) == (409, 0)
    assert (await complete(user, first["messageId"])).status_code == 200
    assert (await complete(user, second["messageId"], ("create_task", {"title": "x"}))).status_code == 200


async def test_no_action_commits_once_a_stop_was_asked_for(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello")
    await lease(user, ack["replyId"], "another-worker")
    assert (await user.post(f"/message/{ack['replyId']}/stop")).status_code == 202
    refused = await complete(user, ack["messageId"], ("create_task", {"title": "x"}))
    assert (refused.status_code, await count(user, TaskCreated)) == (409, 0)
    ended = await complete(user, ack["messageId"])
    assert (ended.status_code, ended.json()["status"]) == (200, "stopped")
    assert await count(user, ReplyStopped) == 1


async def test_it_opens_to_services_alone(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello")
    body = {"userId": await world.user_id(user.sub), "messageId": ack["messageId"], "text": "x"}
    as_user = await user.post("/complete-llm", body)
    assert (as_user.status_code, as_user.json()["code"]) == (403, "forbidden")
    assert (await user.post("/complete-llm/", body)).status_code == 403
    assert (await world.serve_command("/state", {})).status_code == 401


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"userId": "00/00000000-0000-0000-0000-000000000000"}, 404),
        ({"userId": "somebody"}, 400),
        ({"messageId": "m_unknown"}, 404),
        ({"text": "x" * 60_001}, 400),
        ({"text": None}, 400),
        ({"actions": [{"action": "create_task", "payload": {"title": "x"}}] * 11}, 400),
        ({"usage": {"inputTokens": -1}}, 400),
        ({"usage": {"tokens": 1}}, 400),
        ({"extra": 1}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(world: ApiWorld, changes: dict[str, Any], status: int) -> None:
    user = world.user()
    ack = await user.say("Hello")
    head = await user.head()
    assert (await complete(user, ack["messageId"], **changes)).status_code == status
    assert await user.head() == head


def test_the_actions_that_are_taken_are_those_of_the_tools() -> None:
    """But for those that only a worker can make: a search for flights, and what reads all notes."""
    taken = set(get_args(CompletionAction.model_fields["action"].annotation))
    assert taken == set(ARGUMENTS) - {"find_flights", "delete_note"}
