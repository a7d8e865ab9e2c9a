"""Chat over HTTP: accepted at once, answered in order, stopped, asked for again; and its conversations."""

from __future__ import annotations

import httpx
import pytest

from domain.events import ReplyCompleted, ReplyStopped, ReplyStopRequested
from tests.support.api_world import HOLD, ApiWorld, User
from tests.support.sse_reader import ENDS, Reducer, read_events
from tests.support.waiting import eventually, eventually_true

pytestmark = pytest.mark.anyio


async def follow(user: User, url: str, *, at: int = 0, until: str) -> Reducer:
    """What a client knows after it read the stream of `url` until an event about the reply `until` ends it."""
    reducer, data = Reducer(), b""
    headers = {"authorization": f"Bearer {user.token}"}
    async with user.world.clients[at].stream("GET", url, headers=headers) as answer:
        assert answer.status_code == 200
        async for chunk in answer.aiter_bytes():
            data += chunk
            events = read_events(data)
            if any(event["event"] in ENDS and event["data"]["messageId"] == until for event in events):
                break
    for event in read_events(data):
        reducer.apply(event)
    return reducer


async def holding(user: User) -> dict[str, str]:
    """The ack of a message whose reply has begun, said its first word, and waits."""
    model = user.world.model
    before = model.held
    ack = await user.say(HOLD)
    await user.message(ack["replyId"], "streaming")
    await eventually(lambda: model.held > before, "the model to wait")
    return ack


def let_go(world: ApiWorld) -> None:
    """All that wait go on; whoever comes later waits anew."""
    world.model.may_go_on.set()
    world.model.may_go_on.clear()


async def test_a_message_is_accepted_with_all_that_a_client_needs(world: ApiWorld) -> None:
    user = world.user()
    answer = await user.post(
        "/message", {"userId": user.sub, "channel": "chat", "text": "Hey – what's on my agenda today?"}
    )
    ack = answer.json()
    assert answer.status_code == 202
    assert ack["status"] == "accepted"
    assert ack["conversationId"] == "main"
    assert ack["messageId"] != ack["replyId"]
    assert ack["streamUrl"].startswith(f"/api/v1/stream/{ack['sessionId']}?after=")
    assert 0 < ack["version"] <= await user.head()
    assert answer.headers["x-stream-version"] == str(ack["version"])


async def test_the_stream_url_gives_the_whole_reply_at_any_time_and_at_any_process(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello there")
    reply = await user.ended(ack["replyId"])
    for at in (0, 1):
        reducer = await follow(user, ack["streamUrl"], at=at, until=ack["replyId"])
        assert reducer.ended == {ack["replyId"]: reply["text"]}
        assert [name for _, name in reducer.facts if name == "message.created"] == ["message.created"] * 2


async def test_a_user_message_and_its_reply_have_the_shapes_of_the_contract(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello", clientMessageId="local-1", language="en-GB", intent="greeting", speak=False)
    assert ack["clientMessageId"] == "local-1"
    reply = await user.ended(ack["replyId"])
    said = await user.message(ack["messageId"], "accepted")
    created = (said.pop("createdAt"), reply.pop("createdAt"))
    assert all(at.endswith("Z") for at in created)
    assert said == {
        "id": ack["messageId"],
        "role": "user",
        "text": "Hello",
        "status": "accepted",
        "conversationId": "main",
        "clientMessageId": "local-1",
        "channel": "chat",
        "origin": "user",
        "actions": [],
        "version": ack["version"],
    }
    assert reply.pop("text").endswith("(offline model)")
    assert reply.pop("version") > ack["version"]
    assert reply == {
        "id": ack["replyId"],
        "role": "assistant",
        "status": "completed",
        "conversationId": "main",
        "inReplyTo": ack["messageId"],
        "channel": "chat",
        "origin": "user",
        "actions": [],
    }


async def test_what_was_done_for_a_message_stands_in_its_reply(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Remind me to call John tomorrow at 5")
    reply = await user.ended(ack["replyId"])
    (task,) = (await user.read("/tasks"))["tasks"]
    (action,) = reply["actions"]
    assert action["id"].startswith("act_")
    assert action["payload"]["title"] == "call John"
    assert {**action, "id": "", "payload": {}} == {
        "id": "",
        "kind": "create_task",
        "status": "committed",
        "payload": {},
        "resultId": task["id"],
    }
    assert task["createdFrom"] == ack["messageId"]
    assert task["due"] in reply["text"].replace(" ", "T")


async def test_messages_use_the_newest_session_or_the_one_they_name(world: ApiWorld) -> None:
    user = world.user()
    opened = [(await user.made("/sessions"))["sessionId"] for _ in range(2)]
    assert (await user.say("one"))["sessionId"] == opened[1]
    assert (await user.say("two", sessionId=opened[0]))["sessionId"] == opened[0]
    unknown = await user.post("/message", {"channel": "chat", "text": "x", "sessionId": "s_unknown"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "session_unknown")


@pytest.mark.parametrize("channel", ["chat", "voice", "command"])
async def test_whatever_the_channel_a_message_is_text(world: ApiWorld, channel: str) -> None:
    user = world.user()
    ack = await user.made("/message", {"channel": channel, "text": "rm -rf / ; DROP TABLE tasks"})
    reply = await user.ended(ack["replyId"])
    assert (reply["status"], reply["channel"], reply["actions"]) == ("completed", channel, [])


async def test_messages_of_one_user_are_answered_one_at_a_time_in_order(world: ApiWorld) -> None:
    user = world.user()
    acks = [await user.say(f"Hello {n}", conversationId=f"c{n % 2}") for n in range(6)]
    for ack in acks:
        await user.ended(ack["replyId"])
    ends = [fact.event.reply.reply_id for fact in await user.facts() if isinstance(fact.event, ReplyCompleted)]
    assert ends == [ack["replyId"] for ack in acks]


# --- stop and regenerate ------------------------------------------------------------------------------------------


async def test_a_reply_that_waits_is_stopped_at_once(world: ApiWorld) -> None:
    user = world.user()
    running = await holding(user)
    waiting = await user.say("Hello")
    answer = await user.post(f"/message/{waiting['replyId']}/stop")
    assert (answer.status_code, answer.json()["status"]) == (200, "stopped")
    assert answer.json()["version"] == await user.head()
    reply = await user.ended(waiting["replyId"])
    assert (reply["status"], reply["text"]) == ("stopped", "")
    let_go(world)
    assert (await user.ended(running["replyId"]))["status"] == "completed"


@pytest.mark.parametrize("named", ["messageId", "replyId"])
@pytest.mark.parametrize("body", [None, {}])
async def test_a_running_reply_is_stopped_by_its_worker_with_what_it_said(
    world: ApiWorld, named: str, body: dict[str, str] | None
) -> None:
    user = world.user()
    ack = await holding(user)
    answer = await user.post(f"/message/{ack[named]}/stop", body)
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    assert {name: answer.json()[name] for name in ("messageId", "replyId")} == {
        "messageId": ack["messageId"],
        "replyId": ack["replyId"],
    }
    reply = await user.ended(ack["replyId"])
    assert (reply["status"], reply["text"]) == ("stopped", "Waiting ")
    facts = [type(fact.event) for fact in await user.facts()]
    assert facts.count(ReplyStopRequested) == facts.count(ReplyStopped) == 1


async def test_stopping_what_has_ended_changes_nothing_and_shows_its_own_version(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello")
    reply = await user.ended(ack["replyId"])
    await user.task("Something later")
    answer = await user.post(f"/message/{ack['messageId']}/stop")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "completed",
        "messageId": ack["messageId"],
        "replyId": ack["replyId"],
        "version": reply["version"],
    }
    assert answer.headers["x-stream-version"] == str(await user.head())


async def test_a_regenerated_reply_supersedes_the_old_one(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello")
    await user.ended(ack["replyId"])
    answer = await user.post(f"/message/{ack['messageId']}/regenerate")
    again = answer.json()
    assert answer.status_code == 202
    assert (again["messageId"], again["supersedes"]) == (ack["messageId"], ack["replyId"])
    assert again["replyId"] != ack["replyId"]
    reply = await user.ended(again["replyId"])
    assert (reply["inReplyTo"], reply["supersedes"]) == (ack["messageId"], ack["replyId"])
    page = (await user.read("/conversations/main/messages"))["messages"]
    assert [(message["id"], message.get("supersededBy")) for message in page] == [
        (ack["messageId"], None),
        (ack["replyId"], again["replyId"]),
        (again["replyId"], None),
    ]
    reducer = await follow(user, again["streamUrl"], until=again["replyId"])
    assert reducer.ended == {again["replyId"]: reply["text"]}
    old = await user.post(f"/message/{ack['replyId']}/regenerate")
    assert (old.status_code, old.json()["code"]) == (409, "reply_superseded")


async def test_a_running_reply_cannot_be_regenerated(world: ApiWorld) -> None:
    user = world.user()
    ack = await holding(user)
    answer = await user.post(f"/message/{ack['replyId']}/regenerate")
    assert (answer.status_code, answer.json()["code"]) == (409, "reply_running")
    let_go(world)
    await user.ended(ack["replyId"])


async def test_a_regenerated_reply_has_a_session_to_stream_to_even_when_all_were_closed(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Hello")
    await user.ended(ack["replyId"])
    assert (await user.delete(f"/sessions/{ack['sessionId']}")).status_code == 200
    again = await user.made(f"/message/{ack['replyId']}/regenerate")
    reducer = await follow(user, again["streamUrl"], until=again["replyId"])
    assert again["replyId"] in reducer.ended


@pytest.mark.parametrize("verb", ["stop", "regenerate"])
async def test_an_unknown_message_can_be_neither_stopped_nor_regenerated(world: ApiWorld, verb: str) -> None:
    user, other = world.user(), world.user()
    theirs = await other.say("Hello")
    answers = [await user.post(f"/message/{given}/{verb}") for given in ("m_unknown", theirs["replyId"])]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


# --- conversations ------------------------------------------------------------------------------------------------


async def test_conversations_are_listed_renamed_archived_and_restored(world: ApiWorld) -> None:
    user = world.user()
    for name in ("trip", "work"):
        await user.ended((await user.say("Hello", conversationId=name))["replyId"])
    listed = (await user.read("/conversations"))["conversations"]
    assert [(one["id"], one["title"], one["main"], one["messageCount"]) for one in listed] == [
        ("work", None, False, 2),
        ("trip", None, False, 2),
    ]
    renamed = await user.patch("/conversations/trip", {"title": "  Paris trip "})
    assert renamed.json() == {
        "id": "trip",
        "title": "Paris trip",
        "main": False,
        "archived": False,
        "version": await user.head(),
    }
    archived = (await user.patch("/conversations/trip", {"archived": True})).json()
    assert archived == {**renamed.json(), "archived": True, "version": await user.head()}
    for cleared in ({"title": None}, {"archived": None}):
        refused = await user.patch("/conversations/trip", cleared)
        assert (refused.status_code, refused.json()["code"]) == (400, "not_clearable")
    unchanged = await user.patch("/conversations/trip", {"archived": True})
    await user.task("Something else")
    assert (unchanged.status_code, unchanged.json()["version"]) == (200, archived["version"])
    assert [one["id"] for one in (await user.read("/conversations?archived=true"))["conversations"]] == ["trip"]
    assert [one["id"] for one in (await user.read("/conversations?archived=false"))["conversations"]] == ["work"]
    (trip,) = [one for one in (await user.read("/conversations"))["conversations"] if one["id"] == "trip"]
    assert (trip["title"], trip["archived"], trip["version"]) == ("Paris trip", True, archived["version"])
    assert len((await user.read("/conversations/trip/messages"))["messages"]) == 2
    assert not (await user.patch("/conversations/trip", {"archived": False})).json()["archived"]


async def test_a_conversation_is_paged_back_through_all_of_its_history(world: ApiWorld) -> None:
    user = world.user()
    acks = [await user.say(f"Hello {n}") for n in range(5)]
    for ack in acks:
        await user.ended(ack["replyId"])
    seen: list[str] = []
    cursor, pages = "", 0
    while True:
        page = await user.read(f"/conversations/main/messages?limit=3{cursor}")
        assert len(page["messages"]) <= 3
        seen = [message["id"] for message in page["messages"]] + seen
        pages += 1
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    # Questions stand where they were asked, and all of them were asked before the first was answered.
    assert sorted(seen) == sorted(ack[name] for ack in acks for name in ("messageId", "replyId"))
    assert pages == 4
    assert [given for given in seen if given in {ack["messageId"] for ack in acks}] == [a["messageId"] for a in acks]


async def test_a_deleted_conversation_is_unreadable_for_good(world: ApiWorld) -> None:
    user = world.user()
    canary = "a secret of mine"
    first = await user.post("/message", {"channel": "chat", "text": canary, "conversationId": "trip"}, key="k1")
    ack = first.json()
    await user.ended(ack["replyId"])
    before = await user.head()
    deleted = await user.delete("/conversations/trip")
    assert (deleted.status_code, deleted.json()) == (
        200,
        {"id": "trip", "deleted": True, "version": before + 1},
    )
    for _ in range(2):
        state = await user.read("/state")
        assert state["messages"] == []
        assert (await user.read("/conversations"))["conversations"] == []
        assert (await user.get(f"/conversations/trip/messages?min_version={before + 1}")).status_code == 404

    async def unreadable() -> bool:
        past = await user.read(f"/state?as_of={before}")
        return canary not in str(past) and all(m.get("redacted") and m["text"] is None for m in past["messages"])

    await eventually_true(unreadable, "the key to be destroyed", every_seconds=0.05)
    past = await user.read(f"/state?as_of={before}")
    assert {message["conversationId"] for message in past["messages"]} == {"trip"}
    changes = await user.read(f"/state?since={before}")
    assert {"id": "trip", "deleted": True} in changes["conversations"]
    assert {"id": ack["messageId"], "deleted": True} in changes["messages"]
    again = await user.post("/message", {"channel": "chat", "text": canary, "conversationId": "trip"}, key="k1")
    assert (again.status_code, again.json()["code"]) == (410, "answer_gone")
    # The name is free again, for a conversation that knows nothing of the old one.
    anew = await user.say("Hello again", conversationId="trip")
    await user.ended(anew["replyId"])
    assert len((await user.read("/conversations/trip/messages"))["messages"]) == 2


async def test_deleting_a_conversation_ends_what_runs_in_it(world: ApiWorld) -> None:
    user = world.user()
    ack = await holding(user)
    assert (await user.delete("/conversations/main")).status_code == 200
    other = await user.say("Hello", conversationId="other")
    assert (await user.ended(other["replyId"]))["status"] == "completed"
    let_go(world)
    assert (await user.post(f"/message/{ack['replyId']}/stop")).status_code == 404


@pytest.mark.parametrize("name", ["nothing", "x" * 300, "%C3%A9"])
async def test_an_unknown_conversation_is_not_found(world: ApiWorld, name: str) -> None:
    user = world.user()
    answers: list[httpx.Response] = [
        await user.get(f"/conversations/{name}/messages"),
        await user.patch(f"/conversations/{name}", {"title": "x"}),
        await user.delete(f"/conversations/{name}"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "conversation_unknown")] * 3
    assert await user.head() == 0
