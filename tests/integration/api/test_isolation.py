"""No byte of one user reaches another: canaries in everything that a user says, looked for in all that others get."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from infra.dev_tokens import make_token
from tests.support.api_routes import SPECIAL, UNKNOWN, Owned, Route, good_body, own_objects, routes_of
from tests.support.api_world import SERVICE_TOKEN, ApiWorld, User
from tests.support.sse_reader import read_events
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

STREAM = "the stream"
GOODBYE = "says goodbye"
WORDS = ("canary-of-ada", "canary-of-bob", "canary-of-eve")


class Heard:
    """Every byte that a user's client got: heads, bodies, streams."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.answers: list[tuple[str, bytes]] = []

    def take(self, what: str, answer: httpx.Response) -> None:
        head = repr(sorted(answer.headers.multi_items())).encode()
        self.answers.append((what, head + answer.content))

    def streamed(self, text: str) -> bool:
        return text.encode() in b"".join(data for what, data in self.answers if what == STREAM)

    def check(self, *, others: list[str], ids_of_others: set[str]) -> None:
        for what, data in self.answers:
            for word in others:
                assert word.encode() not in data, f"{self.word} got {word} from {what}"
            for given in ids_of_others:
                assert given.encode() not in data, f"{self.word} got the id {given} from {what}"


async def every_route(user: User, heard: Heard, routes: list[Route], owned: Owned) -> None:
    """Ask all of them, deletions last, with the ids of `owned`."""
    for route in sorted(routes, key=lambda route: route.method == "DELETE"):
        if route.operation != "openStream":
            path = route.filled(**owned.path_values())
            answer = await user.send(route.method, path, good_body(route.operation, owned))
            heard.take(f"{route.method} {route.path}", answer)


async def listen(user: User, heard: Heard, ready: asyncio.Event) -> None:
    session_id = (await user.made("/sessions"))["sessionId"]
    headers = {"authorization": f"Bearer {user.token}"}
    async with user.world.clients[1].stream("GET", f"/api/v1/stream/{session_id}", headers=headers) as stream:
        assert stream.status_code == 200
        ready.set()
        async for chunk in stream.aiter_bytes():
            heard.answers.append((STREAM, chunk))


async def test_whatever_a_user_asks_for_holds_nothing_of_another(
    world: ApiWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    routes = [route for name, route in (await routes_of(world)).items() if name not in SPECIAL]
    users = [world.user() for _ in WORDS]
    owned = [await own_objects(user, word) for user, word in zip(users, WORDS, strict=True)]
    heard = [Heard(word) for word in WORDS]
    ready = [asyncio.Event() for _ in WORDS]
    listening = [
        asyncio.create_task(listen(user, ears, flag)) for user, ears, flag in zip(users, heard, ready, strict=True)
    ]
    for flag in ready:
        await flag.wait()
    # All pairs: each asks every route for what the other two have, before anybody deletes what is their own.
    for one, user in enumerate(users):
        for other in range(len(users)):
            if one != other:
                theirs = owned[other]
                asked = [route for route in routes if not {"note_id", "conversation_id", "key"} & set(route.parameters)]
                await every_route(user, heard[one], asked, theirs)
    for user, own, ears in zip(users, owned, heard, strict=True):
        for path in ("/state", "/state?since=0", "/state?as_of=3", "/tasks", "/memory", "/notes", "/preferences"):
            ears.take(path, await user.get(f"{path}{'&' if '?' in path else '?'}min_version={await user.head()}"))
        await every_route(user, ears, routes, own)
        await user.say(f"{ears.word} {GOODBYE}")
    for ears in heard:
        await eventually(lambda ears=ears: ears.streamed(GOODBYE), "the last words to be streamed")  # type: ignore[misc]
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for one, ears in enumerate(heard):
        others = [own for number, own in enumerate(owned) if number != one]
        # What a client sent comes back in no refusal, so an id of another's can only have come from them.
        ids = {given for own in others for given in (own.message_id, own.session_id, own.task_id, own.memory_id)}
        ears.check(others=[word for word in WORDS if word != WORDS[one]], ids_of_others=ids)
        assert ears.streamed(ears.word)
        assert ears.word not in "".join(capsys.readouterr()), "the log holds what a user said"
        internal = await world.user_id(users[one].sub)
        assert not any(internal.encode() in data for _, data in ears.answers), "the internal id is nobody's business"


async def test_an_id_that_a_client_chose_names_each_users_own(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    for user, text in ((ada, "of ada"), (bob, "of bob")):
        await user.made("/notes", {"id": "note_1", "text": text})
        await user.ended((await user.say(text, conversationId="trip"))["replyId"])
        await user.put("/preferences/theme", {"value": text})
    assert (await bob.delete("/notes/note_1")).status_code == 200
    assert (await bob.delete("/conversations/trip")).status_code == 200
    assert [note["text"] for note in (await ada.read("/notes"))["notes"]] == ["of ada"]
    assert "of ada" in json.dumps(await ada.read("/conversations/trip/messages"))
    assert (await ada.read("/preferences"))["preferences"] == {"theme": "of ada"}


async def test_a_stream_is_opened_by_its_owner_alone(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    session_id = (await ada.made("/sessions"))["sessionId"]
    answers = [await bob.get(f"/stream/{given}") for given in (session_id, UNKNOWN.session_id)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content


async def test_a_ticket_opens_what_its_owner_may_see_once(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    session_id = (await ada.made("/sessions"))["sessionId"]
    others = (await bob.made("/stream/ticket"))["ticket"]
    own = (await ada.made("/stream/ticket", at=1))["ticket"]
    client = world.clients[0]
    assert (await client.get(f"/api/v1/stream/{session_id}?ticket={others}")).status_code == 404
    async with client.stream("GET", f"/api/v1/stream/{session_id}?ticket={own}") as stream:
        assert stream.status_code == 200
    for ticket in (own, others, "x", "x" * 200, "é", ""):
        answer = await client.get(f"/api/v1/stream/{session_id}", params={"ticket": ticket})
        assert answer.status_code == 401
    assert (await client.get("/api/v1/state", params={"ticket": own})).status_code == 401


async def test_a_cursor_of_another_user_gives_ones_own_stream_and_nothing_else(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    theirs = await own_objects(ada, WORDS[0])
    own = await bob.made("/sessions")
    cursor = (await ada.say(f"{WORDS[0]} again"))["streamUrl"].partition("after=")[2]
    data = b""
    headers = {"authorization": f"Bearer {bob.token}", "last-event-id": cursor}
    async with world.clients[0].stream("GET", f"/api/v1/stream/{own['sessionId']}", headers=headers) as stream:
        async for chunk in stream.aiter_bytes():
            data += chunk
            if any(event["event"] == "state.updated" for event in read_events(data)):
                break
    assert WORDS[0].encode() not in data
    assert theirs.message_id.encode() not in data


async def test_who_calls_is_said_by_the_token_and_by_nothing_else(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    await ada.task(WORDS[0])
    forged = {
        "x_user_id": ada.sub,
        "x_forwarded_user": ada.sub,
        "cf_access_jwt_assertion": ada.token,
        "user_id": ada.sub,
    }
    answer = await bob.get("/tasks", **forged, cookie=f"token={ada.token}")
    assert (answer.status_code, answer.json()["tasks"]) == (200, [])
    assert (await bob.get(f"/tasks?userId={ada.sub}")).status_code == 400
    service = await world.clients[0].get("/api/v1/state", headers={"authorization": f"Bearer {SERVICE_TOKEN}"})
    assert service.status_code == 401


async def test_subs_that_differ_in_anything_are_different_users(world: ApiWorld) -> None:
    clock = world.apps[0].side.clock
    subs = ("same", "Same", "same.", "same|1", "auth0|same")
    users = [User(world, sub, make_token(world.settings, clock, sub)) for sub in subs]
    for user in users:
        await user.task(f"of {user.sub}")
    for user in users:
        assert [task["title"] for task in (await user.read("/tasks"))["tasks"]] == [f"of {user.sub}"]
