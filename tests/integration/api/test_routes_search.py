"""Search over one's own text: every kind of object, newest first, paged; nothing of others and nothing deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_world import ApiWorld, User
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio

KINDS = {"message", "task", "note", "memory", "plan", "event"}


async def one_of_each(user: User, word: str) -> None:
    ack = await user.say(f"Hello {word}", conversationId="trip")
    await user.ended(ack["replyId"])
    await user.task("Nothing special", notes=f"about {word}", tags=["x"])
    await user.made("/notes", {"id": "note_1", "title": "A title", "text": f"long ago, {word} said so"})
    await user.made("/memory/pin", {"type": "fact", "key": "friend", "value": f"{word} is a friend"})
    await user.put("/plan/2025-11-21", {"priorities": [f"Meet {word}"], "todos": [], "notes": []})
    await user.made("/calendar/event", {"title": "Dinner", "start": "2025-11-21T19:00", "location": f"with {word}"})


async def look(user: User, query: str, **more: Any) -> dict[str, Any]:
    parameters = "".join(f"&{name}={value}" for name, value in more.items())
    return await user.read(f"/search?q={query}{parameters}")


async def all_pages(user: User, query: str, limit: int) -> list[dict[str, Any]]:
    page = await look(user, query, limit=limit)
    found: list[dict[str, Any]] = page["results"]
    while page["nextCursor"] is not None:
        page = await look(user, query, limit=limit, cursor=page["nextCursor"])
        assert len(page["results"]) <= limit
        found = found + page["results"]
    return found


async def test_every_kind_of_object_is_found_the_newest_first(world: ApiWorld) -> None:
    user = world.user()
    await one_of_each(user, "Zoë")
    found = (await look(user, "ZOE"))["results"]
    assert {match["kind"] for match in found} == KINDS
    assert [match["kind"] for match in found][:3] == ["event", "plan", "memory"]
    for match in found:
        assert match["snippet"][match["matchStart"] : match["matchEnd"]] == "Zoë"
    by_kind = {match["kind"]: match for match in reversed(found)}
    message = by_kind["message"]
    assert (message["conversationId"], message["role"], message["field"]) == ("trip", "user", "text")
    assert (by_kind["task"]["field"], by_kind["event"]["field"]) == ("notes", "location")
    assert (by_kind["note"]["id"], by_kind["plan"]["id"]) == ("note_1", "2025-11-21")
    state = await user.read("/state")
    assert by_kind["task"]["version"] == state["tasks"][0]["version"]


async def test_pages_hold_each_match_once_and_in_the_same_order(world: ApiWorld) -> None:
    user = world.user()
    for number in range(7):
        await user.task(f"needle {number}")
        await user.task(f"hay {number}")
    whole = (await look(user, "needle", limit=100))["results"]
    assert [match["snippet"] for match in whole] == [f"needle {number}" for number in reversed(range(7))]
    assert await all_pages(user, "needle", 2) == whole
    assert await all_pages(user, "needle", 1) == whole


async def test_all_words_have_to_be_there(world: ApiWorld) -> None:
    user = world.user()
    await user.task("Call John", notes="about the budget")
    await user.task("Call Jim")
    assert [match["snippet"] for match in (await look(user, "john%20budget%20call"))["results"]] == ["Call John"]
    assert (await look(user, "call%20nobody"))["results"] == []


async def test_nothing_of_another_user_is_found(world: ApiWorld) -> None:
    ada, bob = world.user(), world.user()
    await one_of_each(ada, "canary")
    await bob.task("canary of bob")
    assert [match["snippet"] for match in (await look(bob, "canary"))["results"]] == ["canary of bob"]


async def test_what_was_deleted_is_not_found_any_more(world: ApiWorld) -> None:
    user = world.user()
    await one_of_each(user, "canary")
    await user.delete("/conversations/trip")
    await user.delete("/notes/note_1")
    (task,) = (await user.read("/tasks"))["tasks"]
    await user.made("/tasks", {"action": "delete", "task": {"id": task["id"]}})
    (memory,) = (await user.read("/memory"))["memories"]
    await user.delete(f"/memory/{memory['id']}")
    found = (await look(user, "canary"))["results"]
    assert {match["kind"] for match in found} == {"plan", "event"}
    await user.made("/erase")
    assert (await look(user, "canary"))["results"] == []


async def test_an_archived_conversation_is_searched_too(world: ApiWorld) -> None:
    user = world.user()
    await user.ended((await user.say("canary", conversationId="old"))["replyId"])
    await user.patch("/conversations/old", {"archived": True})
    found = (await look(user, "canary"))["results"]
    assert {match["conversationId"] for match in found if match["role"] == "user"} == {"old"}


async def test_what_is_there_already_is_not_sent_again(world: ApiWorld) -> None:
    user = world.user()
    await user.task("needle")
    head = await user.head()
    first = await user.get(f"/search?q=needle&min_version={head}")
    assert first.headers["x-stream-version"] == str(head)
    again = await user.get("/search?q=needle", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    await user.task("another needle")

    async def changed() -> bool:
        return (await user.get("/search?q=needle", if_none_match=first.headers["etag"])).status_code == 200

    await eventually_true(changed, "the new task to be found")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?q=",
        "?q=%20",
        "?q=" + "x" * 201,
        "?q=a&limit=0",
        "?q=a&limit=101",
        "?q=a&cursor=zz",
        "?q=a&x=1",
        "?q=%CC%81",
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(world: ApiWorld, query: str) -> None:
    answer = await world.user().get(f"/search{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")


async def test_a_query_of_200_characters_is_taken(world: ApiWorld) -> None:
    user = world.user()
    await user.task("x" * 200)
    assert len((await look(user, "x" * 200))["results"]) == 1
