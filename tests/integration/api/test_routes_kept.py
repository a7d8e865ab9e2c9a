"""Memories, notes, preferences, sessions and usage over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_world import ApiWorld
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio


# --- memory -------------------------------------------------------------------------------------------------------


async def test_a_memory_is_pinned_replaced_and_forgotten(world: ApiWorld) -> None:
    user = world.user()
    pin = {"type": "preference", "key": "favorite_airport", "value": "JFK"}
    first = await user.post("/memory/pin", pin)
    memory = first.json()
    assert (first.status_code, first.headers["x-stream-version"]) == (201, "1")
    assert {name: memory[name] for name in pin} == pin
    assert (memory["replaced"], memory["messageId"], memory["version"]) == (None, None, 1)
    same = await user.post("/memory/pin", {**pin, "userId": user.sub})
    assert (same.status_code, same.json()) == (200, memory)
    await user.task("Something else")
    second = await user.post("/memory/pin", {**pin, "value": "EWR"})
    assert (second.status_code, second.json()["id"], second.json()["version"]) == (200, memory["id"], 3)
    assert second.json()["replaced"] == {"value": "JFK", "version": 1, "messageId": None}
    other = await user.made("/memory/pin", {**pin, "type": "fact"})
    assert other["id"] != memory["id"]
    listed = await user.read("/memory")
    assert {item["id"]: item["value"] for item in listed["memories"]} == {memory["id"]: "EWR", other["id"]: "JFK"}
    gone = await user.delete(f"/memory/{memory['id']}")
    assert (gone.status_code, gone.json()) == (200, {"id": memory["id"], "deleted": True, "version": 5})
    assert (await user.delete(f"/memory/{memory['id']}")).status_code == 404


async def test_a_memory_from_chat_says_which_message_it_came_from_and_what_it_replaced(world: ApiWorld) -> None:
    user = world.user()
    before = await user.made("/memory/pin", {"type": "fact", "key": "favourite_airport", "value": "EWR"})
    ack = await user.say("Remember that my favourite airport is JFK")
    await user.ended(ack["replyId"])
    (memory,) = (await user.read("/memory"))["memories"]
    assert (memory["id"], memory["value"], memory["messageId"]) == (before["id"], "JFK", ack["messageId"])
    assert memory["replaced"]["value"] == "EWR"


@pytest.mark.parametrize(
    "body",
    [
        *({"type": "fact", "key": key, "value": "x"} for key in ("__proto__", "../x", "", "1a", "a b", "a\n", "é")),
        {"type": "fact", "key": "k" * 129, "value": "x"},
        {"type": "fact", "key": "k", "value": "v" * 4_097},
        {"type": "fact", "key": "k", "value": "  "},
        {"type": "fact", "key": "k", "value": 1},
        {"type": "fact", "key": "k", "value": {"a": 1}},
        {"type": "secret", "key": "k", "value": "x"},
        {"type": "fact", "key": "k"},
        {"key": "k", "value": "x"},
    ],
)
async def test_a_pin_that_makes_no_sense_is_refused(world: ApiWorld, body: dict[str, Any]) -> None:
    user = world.user()
    answer = await user.post("/memory/pin", body)
    assert answer.status_code == 400, answer.text
    assert await user.head() == 0


async def test_a_pin_of_a_megabyte_is_too_large(world: ApiWorld) -> None:
    answer = await world.user().post("/memory/pin", {"type": "fact", "key": "k", "value": "v" * 2**20})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_memories_beyond_the_cap_are_refused(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.limits.MEMORIES_MAX", 1)
    user = world.user()
    await user.made("/memory/pin", {"type": "fact", "key": "a", "value": "x"})
    full = await user.post("/memory/pin", {"type": "fact", "key": "b", "value": "x"})
    assert (full.status_code, full.json()["code"]) == (409, "memories_full")
    assert (await user.post("/memory/pin", {"type": "fact", "key": "a", "value": "y"})).status_code == 200


# --- notes --------------------------------------------------------------------------------------------------------


async def test_a_note_is_kept_under_the_clients_id_and_named_in_a_message(world: ApiWorld) -> None:
    user = world.user()
    answer = await user.post("/notes", {"id": "note_1", "title": "Draft", "text": "Budget: 12k\n\n— for travel"})
    note = answer.json()
    assert note.pop("createdAt").endswith("Z")
    assert (answer.status_code, note) == (
        201,
        {"id": "note_1", "title": "Draft", "text": "Budget: 12k\n\n— for travel", "version": 1},
    )
    exists = await user.post("/notes", {"id": "note_1", "text": "other"})
    assert (exists.status_code, exists.json()["code"]) == (409, "note_exists")
    ack = await user.say("Hey", contextIds=["note_1", "note_1"])
    assert (await user.ended(ack["replyId"]))["status"] == "completed"
    assert [one["text"] for one in (await user.read("/notes"))["notes"]] == [note["text"]]


async def test_notes_without_an_id_get_one_of_their_own(world: ApiWorld) -> None:
    """Also when a proxy gives two requests one id of its own."""
    user = world.user()
    ids = {(await user.made("/notes", {"text": "same"}, x_request_id="one-trace-id"))["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(given.startswith("n_") for given in ids)


async def test_a_note_is_as_large_as_64_kib_of_utf_8(world: ApiWorld) -> None:
    user = world.user()
    whole = "é" * 32_768
    assert (await user.made("/notes", {"text": whole}))["text"] == whole
    longer = await user.post("/notes", {"text": whole + "x"})
    assert (longer.status_code, longer.json()["code"]) == (400, "text_too_long")
    assert (await user.post("/notes", {"text": "x" * 2**20})).status_code == 413
    assert (await user.post("/notes/", {"text": whole})).status_code == 201


async def test_a_deleted_note_can_be_named_by_nobody_and_its_id_is_free(world: ApiWorld) -> None:
    user = world.user()
    await user.made("/notes", {"id": "note_1", "text": "a"})
    assert (await user.delete("/notes/note_1")).json() == {"id": "note_1", "deleted": True, "version": 2}
    unknown = await user.post("/message", {"channel": "chat", "text": "x", "contextIds": ["note_1"]})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "context_unknown")
    assert (await user.delete("/notes/note_1")).status_code == 404
    assert (await user.made("/notes", {"id": "note_1", "text": "b"}))["version"] == 3


@pytest.mark.parametrize(
    "body",
    [
        *({"id": given, "text": "x"} for given in ("", "a b", "../x", "x" * 65, "é", "a\n", 1)),
        *({"text": text} for text in ("", " \n\t", None, 1)),
        {"text": "x", "title": "t" * 501},
        {"title": "no text"},
    ],
)
async def test_a_note_that_makes_no_sense_is_refused(world: ApiWorld, body: dict[str, Any]) -> None:
    user = world.user()
    assert (await user.post("/notes", body)).status_code == 400
    assert await user.head() == 0


# --- preferences --------------------------------------------------------------------------------------------------


async def test_preferences_are_set_and_listed_as_one_object(world: ApiWorld) -> None:
    user = world.user()
    values: dict[str, Any] = {
        "workHours": "09:00-17:00",
        "timezone": "America/New_York",
        "notifications": {"reminders": "none"},
        "travel": {"cabin": "economy"},
        "theme.dark": True,
        "numbers": [1, 2.5, None, {"deep": ["x"]}],
        "nothing": None,
    }
    for number, (key, value) in enumerate(values.items(), start=1):
        answer = await user.put(f"/preferences/{key}", {"value": value})
        assert (answer.status_code, answer.json()) == (200, {"key": key, "value": value, "version": number})
    same = await user.put("/preferences/workHours", {"value": "09:00-17:00"})
    assert same.json()["version"] == 1
    assert same.headers["x-stream-version"] == str(len(values))
    listed = await user.read("/preferences")
    assert (listed["preferences"], listed["version"]) == (values, len(values))


@pytest.mark.parametrize(("before", "after"), [(1, True), (0, False), (1, 1.0), ([1], [True]), ({"a": 1}, {"a": 1.0})])
async def test_values_that_json_tells_apart_are_changes(world: ApiWorld, before: Any, after: Any) -> None:
    user = world.user()
    await user.put("/preferences/x", {"value": before})
    answer = await user.put("/preferences/x", {"value": after})
    assert (repr(answer.json()["value"]), answer.json()["version"]) == (repr(after), 2)


async def test_a_preference_that_has_changed_meanwhile_is_not_written_over(world: ApiWorld) -> None:
    user = world.user()
    made = (await user.put("/preferences/x", {"value": 1})).json()
    assert (await user.put("/preferences/x", {"value": 2}, if_match=f'"{made["version"]}"')).json()["version"] == 2
    for key, tag in (("x", "1"), ("x", "no version"), ("y", "1")):
        stale = await user.put(f"/preferences/{key}", {"value": 3}, if_match=tag)
        assert (stale.status_code, stale.json()["code"]) == (412, "version_stale")
    assert (await user.read("/preferences"))["preferences"] == {"x": 2}


async def test_a_preference_set_by_chat_is_the_one_that_is_set_over_http(world: ApiWorld) -> None:
    user = world.user()
    ack = await user.say("Set my timezone to Europe/Berlin")
    reply = await user.ended(ack["replyId"])
    assert [action["kind"] for action in reply["actions"]] == ["set_preference"]
    await user.put("/preferences/timezone", {"value": "America/New_York"})
    assert (await user.read("/preferences"))["preferences"] == {"timezone": "America/New_York"}
    assert (await user.task("Call", due="2025-11-21T17:00"))["dueAt"] == "2025-11-21T22:00:00.000Z"


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        *(("timezone", value, "timezone_unknown") for value in ("Mars/Olympus", "", "../etc/passwd", "é", 1, None, {})),
        *(("workHours", value, "work_hours_invalid") for value in ("9-17", "17:00-09:00", "0٩:00-17:00", "", 9, None)),
        *((key, value, "value_invalid") for key in ("notifications", "travel") for value in ("x", [], None, 1)),
        ("big", "x" * 16_384, "value_too_large"),
        *((key, 1, "key_invalid") for key in ("__proto__", "1a", "a%20b", "%C3%A9", "x" * 65, "-")),
    ],
)
async def test_a_preference_that_others_could_not_rest_on_is_refused(
    world: ApiWorld, key: str, value: Any, code: str
) -> None:
    user = world.user()
    answer = await user.put(f"/preferences/{key}", {"value": value})
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert await user.head() == 0


@pytest.mark.parametrize("path", ["/preferences/..%2Fx", "/preferences/a/b", "/preferences/"])
async def test_a_key_that_is_a_path_leads_nowhere(world: ApiWorld, path: str) -> None:
    assert (await world.user().put(path, {"value": 1})).status_code in (404, 405)


# --- sessions and usage -------------------------------------------------------------------------------------------


async def test_a_session_is_open_while_somebody_listens_and_can_be_resumed(world: ApiWorld) -> None:
    user = world.user()
    answer = await user.post("/sessions")
    opened = answer.json()
    assert (answer.status_code, opened["version"]) == (201, 1)
    assert opened["streamUrl"].startswith(f"/api/v1/stream/{opened['sessionId']}?after=")

    async def active(expected: bool) -> bool:
        (session,) = (await user.read("/sessions"))["sessions"]
        assert set(session) == {"sessionId", "openedAt", "version", "lastSeen", "active"}
        return bool(session["active"] is expected)

    assert await active(False)
    for _ in range(2):
        headers = {"authorization": f"Bearer {user.token}"}
        async with world.clients[0].stream("GET", opened["streamUrl"], headers=headers) as stream:
            assert stream.status_code == 200
            assert stream.headers["x-stream-version"] == "1"
            await eventually_true(lambda: active(True), "somebody to listen", every_seconds=0.01)
        await eventually_true(lambda: active(False), "nobody to listen", every_seconds=0.01)
    closed = await user.delete(f"/sessions/{opened['sessionId']}")
    assert closed.json() == {"sessionId": opened["sessionId"], "deleted": True, "version": 2}
    assert (await user.read("/sessions"))["sessions"] == []
    assert (await user.get(f"/stream/{opened['sessionId']}")).status_code == 404
    assert (await user.delete(f"/sessions/{opened['sessionId']}")).status_code == 404


async def test_beyond_the_cap_the_oldest_session_is_closed(world: ApiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.limits.SESSIONS_MAX", 2)
    user = world.user()
    opened = [(await user.made("/sessions", {}))["sessionId"] for _ in range(3)]
    assert [one["sessionId"] for one in (await user.read("/sessions"))["sessions"]] == opened[1:]


async def test_usage_counts_what_today_has_cost(world: ApiWorld) -> None:
    user = world.user()
    nothing = await user.read("/usage")
    assert (nothing["tokens"]["used"], nothing["calls"], nothing["messages"]) == (0, 0, 0)
    ack = await user.say("Hello")
    await user.ended(ack["replyId"])
    used = await user.read("/usage")
    assert (used["calls"], used["messages"], used["replies"]["completed"]) == (1, 1, 1)
    assert used["tokens"]["used"] == used["tokens"]["input"] + used["tokens"]["output"] > 0
    assert (used["tokens"]["reserved"], used["searches"]) == (0, {"used": 0, "limit": 10})


async def test_a_message_names_notes_tasks_and_memories_of_ones_own_as_context(world: ApiWorld) -> None:
    user, other = world.user(), world.user()
    ids = [
        (await user.made("/notes", {"text": "n"}))["id"],
        (await user.task("t"))["id"],
        (await user.made("/memory/pin", {"type": "fact", "key": "k", "value": "v"}))["id"],
    ]
    body = {"channel": "chat", "text": "x", "contextIds": ids}
    assert (await user.post("/message", body)).status_code == 202
    answers = [await other.post("/message", {**body, "contextIds": [given]}) for given in (*ids, "unknown")]
    assert {(answer.status_code, answer.content) for answer in answers} == {(404, answers[-1].content)}
    assert (await user.post("/message", {**body, "contextIds": ids * 34})).status_code == 400
