"""`GET /state`: as it is, what changed, as it was; versions, ETags and waiting, the same for every query."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from projections.wait import Freshness
from tests.support.api_world import ApiWorld, User

pytestmark = pytest.mark.anyio

QUERIES = ("/state", "/tasks", "/memory", "/notes", "/preferences", "/sessions", "/conversations", "/usage")


async def everything(user: User) -> dict[str, Any]:
    """One of each kind of object; their ids."""
    ack = await user.say("Hello", conversationId="trip", clientMessageId="local-1")
    await user.ended(ack["replyId"])
    task = await user.task("Send budget", due="2025-11-21", tags=["finance"])
    done = await user.task("Done")
    await user.made("/tasks", {"action": "complete", "task": {"id": done["id"]}})
    note = await user.made("/notes", {"id": "note_1", "text": "Budget draft", "title": "Draft"})
    memory = await user.made("/memory/pin", {"type": "preference", "key": "favorite_airport", "value": "JFK"})
    await user.put("/preferences/workHours", {"value": "09:00-17:00"})
    return {**ack, "task": task["id"], "done": done["id"], "note": note["id"], "memory": memory["id"]}


async def test_a_new_user_has_an_empty_state_at_version_0(world: ApiWorld) -> None:
    user = world.user()
    answer = await user.get("/state")
    assert answer.status_code == 200
    assert answer.headers["x-stream-version"] == "0"
    assert answer.json() == {
        "userId": user.sub,
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


async def test_the_state_holds_everything_with_the_version_of_its_last_change(world: ApiWorld) -> None:
    user = world.user()
    ids = await everything(user)
    state = await user.read("/state")
    assert [task["id"] for task in state["tasks"]] == [ids["task"], ids["done"]]
    assert [note["id"] for note in state["notes"]] == ["note_1"]
    assert [message["id"] for message in state["messages"]] == [ids["messageId"], ids["replyId"]]
    assert state["preferences"] == {"workHours": "09:00-17:00"}
    assert [memory["id"] for memory in state["pinnedMemories"]] == [ids["memory"]]
    (session,) = state["activeSessions"]
    assert session["sessionId"] == ids["sessionId"]
    assert type(session["lastSeen"]) is int
    assert state["version"] == await user.head()
    last = (await user.facts())[-1]
    assert state["lastSnapshotTs"] == last.meta.at_ms // 1000
    versions = {fact.meta.end_version for fact in await user.facts()}
    shown = [*state["tasks"], *state["notes"], *state["messages"], *state["pinnedMemories"], session]
    assert {item["version"] for item in shown} <= versions


async def test_of_messages_the_newest_are_shown_oldest_first(world: ApiWorld) -> None:
    user = world.user()
    acks = [await user.say(f"Hello {n}", conversationId=f"c{n}") for n in range(3)]
    for ack in acks:
        await user.ended(ack["replyId"])
    expected = [ack[name] for ack in acks for name in ("messageId", "replyId")]
    for limit in (1, 3, 500):
        state = await user.read(f"/state?limit={limit}")
        assert [message["id"] for message in state["messages"]] == expected[-limit:]


# --- since --------------------------------------------------------------------------------------------------------


async def test_changes_since_a_version_lead_to_the_state_from_any_start(world: ApiWorld) -> None:
    user = world.user()
    ids = await everything(user)
    await user.made("/tasks", {"action": "delete", "task": {"id": ids["task"]}})
    await user.delete("/notes/note_1")
    await user.delete(f"/memory/{ids['memory']}")
    await user.delete(f"/sessions/{ids['sessionId']}")
    await user.patch("/conversations/trip", {"title": "Trip"})
    state, head = await user.read("/state"), await user.head()
    for limit in (1, 3, 500):
        version, seen = 0, dict[str, Any]()
        while True:
            changes = await user.read(f"/state?since={version}&limit={limit}")
            assert changes["userId"] == user.sub
            for kind in ("tasks", "notes", "messages", "pinnedMemories", "activeSessions", "conversations"):
                for item in changes[kind]:
                    seen[item.get("id") or item["sessionId"]] = item
            assert changes["version"] > version
            version = changes["version"]
            if not changes["more"]:
                break
        assert version == head
        gone = {given for given, item in seen.items() if item.get("deleted")}
        assert gone == {ids["task"], "note_1", ids["memory"], ids["sessionId"]}
        assert all(seen[given] == {"id": given, "deleted": True} for given in gone)
        assert [seen[message["id"]] for message in state["messages"]] == state["messages"]
        assert [seen[task["id"]] for task in state["tasks"]] == state["tasks"]
        assert (seen["trip"]["title"], seen["trip"]["version"]) == ("Trip", head)
    nothing = await user.read(f"/state?since={head}")
    assert (nothing["version"], nothing["more"], nothing["messages"]) == (head, False, [])
    for future in ("999999", "4102444800", "253402300799"):
        assert (await user.read(f"/state?since={future}"))["messages"] == []


async def test_since_takes_a_time_and_means_the_last_version_strictly_before_it(world: ApiWorld) -> None:
    user = world.user()
    await user.task("first")
    facts = await user.facts()
    await asyncio.sleep(max(0.0, 1.002 - facts[0].meta.at_ms % 1000 / 1000))  # into the next second
    await user.task("second")
    first, second = [fact.meta.at_ms for fact in await user.facts()]

    async def since(given: str) -> list[str]:
        return [task["title"] for task in (await user.read(f"/state?since={given}"))["tasks"]]

    def rfc3339(at_ms: int, hours: int = 0) -> str:
        at = datetime.fromtimestamp(at_ms / 1000, UTC) + timedelta(hours=hours)
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}"

    assert await since(str(first // 1000)) == ["first", "second"]
    assert await since(str(second // 1000)) == ["second"]
    assert await since(str(second // 1000 + 1)) == []
    assert await since(f"{rfc3339(first)}Z") == ["first", "second"]
    assert await since(f"{rfc3339(first)}1Z") == ["second"]
    assert await since(f"{rfc3339(second)}z".replace("T", "t")) == ["second"]
    assert await since(f"{rfc3339(second + 1)}Z") == []
    # An offset's plus that was not escaped arrives as a space.
    for plus in ("%2B", "+"):
        assert await since(f"{rfc3339(second, 2)}{plus}02:00") == ["second"]
    assert await since(f"{rfc3339(second, -5)}-05:00") == ["second"]
    assert await since("1969-12-31T00:00:00Z") == ["first", "second"]
    assert await since("9999-12-31T23:59:59.999999999-23:59") == []


# --- as_of --------------------------------------------------------------------------------------------------------


async def test_the_state_as_it_was_is_what_was_read_then(world: ApiWorld) -> None:
    user = world.user()
    then: dict[int, dict[str, Any]] = {}
    for step in range(4):
        if step == 2:
            ack = await user.say("Hello")
            await user.ended(ack["replyId"])
        await user.task(f"{step}")
        state = await user.read("/state")
        then[state["version"]] = state
    for version, state in then.items():
        past = await user.get(f"/state?as_of={version}")
        for session in state["activeSessions"]:
            del session["lastSeen"], session["active"]
        assert past.json() == state
        assert past.headers["x-stream-version"] == str(max(then))
    assert (await user.get(f"/state?as_of={max(then) + 1}")).json()["code"] == "version_above_head"
    assert (await user.get("/state?as_of=999999999999")).status_code == 400
    assert (await user.read("/state?as_of=0"))["version"] == 0


async def test_a_deleted_note_is_redacted_in_the_past_and_keeps_its_id(world: ApiWorld) -> None:
    user = world.user()
    await user.made("/notes", {"id": "secret", "text": "a canary in a note"})
    await user.delete("/notes/secret")
    past = await user.read("/state?as_of=1")
    assert "canary" not in str(past)
    assert [(note["id"], note["text"], note["redacted"]) for note in past["notes"]] == [("secret", None, True)]
    assert (await user.read("/state"))["notes"] == []


# --- parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "code"),
    [
        *((f"limit={value}", "invalid_query") for value in ("0", "501", "1e3", "%D9%A3", "-1", "+5", "5.0", "0x5")),
        *((f"as_of={value}", "invalid_query") for value in ("-1", "1.5", "now", "9" * 19)),
        *((f"min_version={value}", "invalid_query") for value in ("-1", "x", "9" * 5_000)),
        *((f"since={value}", "since_invalid") for value in ("-1", "", "1e9", "9" * 5_000, "%D9%A3", "yesterday")),
        *((f"since={value}", "since_invalid") for value in ("1763546400000", "253402300800", "9" * 18)),
        *((f"since={value}", "since_invalid") for value in ("2025-11-21", "2025-02-30T00:00:00Z", "2025-11-21T09:00Z")),
        *((f"since={value}", "since_invalid") for value in ("2025-11-21T25:00:00Z", "2025-11-21T09:00:00")),
        *((f"since={value}", "since_invalid") for value in ("0000-01-01T00:00:00Z", "2025-11-21T09:00:00%2B99:99")),
        *(("since=1&as_of=1", "query_ambiguous"), ("min_version=1", "version_above_head")),
        *(("limit=1&limit=1", "invalid_query"), ("since=1&since=2", "invalid_query"), ("nope=1", "invalid_query")),
        *(("limit=%", "invalid_query"), ("limit=%ff", "invalid_query"), ("limit=1%00", "invalid_query")),
        ("&".join(f"p{n}=1" for n in range(3_000)), "invalid_query"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(world: ApiWorld, query: str, code: str) -> None:
    user = world.user()
    answer = await user.get(f"/state?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


# --- all queries --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", QUERIES)
async def test_every_query_waits_for_the_version_that_a_client_has_seen(world: ApiWorld, path: str) -> None:
    user = world.user()
    for n in range(5):
        version = (await user.task(f"{n}"))["version"]
        answer = await user.get(f"{path}?min_version={version}", at=1)
        assert answer.status_code == 200
        assert int(answer.headers["x-stream-version"]) >= version
        assert answer.json()["version"] == int(answer.headers["x-stream-version"])
    above = await user.get(f"{path}?min_version={version + 1}")
    assert (above.status_code, above.json()["code"]) == (400, "version_above_head")
    assert above.headers["x-stream-version"] == str(version)


@pytest.mark.parametrize("path", [*QUERIES, "/state?since=0"])
async def test_what_was_acknowledged_is_in_the_next_answer_of_any_process(world: ApiWorld, path: str) -> None:
    user = world.user()
    for n in range(5):
        task = await user.task(f"{n}")
        for at in (0, 1):
            answer = await user.get(path, at=at)
            assert answer.status_code == 200
            assert int(answer.headers["x-stream-version"]) >= task["version"]
            assert (await user.get(f"/tasks/{task['id']}", at=at)).status_code == 200


@pytest.mark.parametrize("path", [*QUERIES, "/state?since=0", "/state?as_of=1"])
async def test_every_query_has_an_etag_that_changes_with_its_answer(world: ApiWorld, path: str) -> None:
    user = world.user()
    await user.task("first")
    joint = "&" if "?" in path else "?"
    first = await user.get(f"{path}{joint}min_version=1")
    etag = first.headers["etag"]
    assert etag.startswith('"')
    assert first.headers["cache-control"] == "private, no-cache"
    cached = await user.get(f"{path}{joint}min_version=1", if_none_match=etag)
    assert (cached.status_code, cached.content) == (304, b"")
    assert "content-type" not in cached.headers
    head = await user.send("HEAD", f"{path}{joint}min_version=1")
    assert (head.status_code, head.headers["etag"], head.content) == (200, etag, b"")
    assert head.headers["content-length"] == str(len(first.content))
    await user.task("second")
    again = await user.get(f"{path}{joint}min_version=2", if_none_match=etag)
    assert again.status_code == (304 if "as_of" in path else 200)


async def test_a_view_that_stays_behind_is_said_to_be(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is cut short and the view held back: nothing here depends on how fast it is."""
    user = world.user()
    version = (await user.task("first"))["version"]
    views = world.apps[0].side.queries
    fetch = views.fetch

    async def behind(statement: Any, *given: Any, **more: Any) -> Any:
        rows = await fetch(statement, *given, **more)
        if "view_positions WHERE view" in statement:
            return [(0, *row[1:]) for row in rows]
        return [(view, 0) for view, _ in rows] if statement.startswith("SELECT view, position") else rows

    monkeypatch.setattr(type(views), "fetch", lambda self, *given, **more: behind(*given, **more))
    wait_for = Freshness.wait_for
    monkeypatch.setattr(Freshness, "wait_for", lambda *given: wait_for(*given[:-1], 0.05))
    answer = await user.get(f"/state?min_version={version}")
    assert (answer.status_code, answer.json()["code"]) == (503, "view_behind")
    assert (answer.headers["retry-after"], answer.headers["x-stream-version"]) == ("1", str(version))
