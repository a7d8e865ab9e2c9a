"""Tasks over HTTP: every action, what each answers, the lists with their filters and pages."""

from __future__ import annotations

from typing import Any

import pytest

from domain.events import TaskCreated
from tests.support.api_world import ApiWorld, User

pytestmark = pytest.mark.anyio


async def change(user: User, action: str, task_id: str, **fields: Any) -> dict[str, Any]:
    """The answer of a change that is accepted with 200."""
    answer = await user.post("/tasks", {"action": action, "task": {"id": task_id, **fields}})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-stream-version"] == str(await user.head())
    shape: dict[str, Any] = answer.json()
    return shape


async def test_a_task_is_created_as_the_first_description_says(world: ApiWorld) -> None:
    user = world.user()
    body = {"action": "create", "task": {"title": "Send budget", "due": "2025-11-21", "tags": ["finance"]}}
    answer = await user.post("/tasks", body)
    task = answer.json()
    assert answer.status_code == 201
    assert answer.headers["x-stream-version"] == "1"
    assert task.pop("id").startswith("t_")
    assert task.pop("createdAt").endswith("Z")
    assert task == {
        "title": "Send budget",
        "due": "2025-11-21",
        "timezone": "UTC",
        "dueAt": "2025-11-21T23:59:59.999Z",
        "recurrence": None,
        "tags": ["finance"],
        "status": "open",
        "priority": "normal",
        "notes": None,
        "assignee": None,
        "createdFrom": None,
        "remindedAt": None,
        "version": 1,
    }


async def test_create_is_what_is_done_when_no_action_is_named(world: ApiWorld) -> None:
    assert (await world.user().post("/tasks", {"task": {"title": "Send budget"}})).status_code == 201


async def test_an_update_is_a_merge_patch_and_null_clears(world: ApiWorld) -> None:
    user = world.user()
    made = await user.task("Send budget", due="2025-11-21T17:00", timezone="America/New_York", notes="n", tags=["a"])
    assert made["dueAt"] == "2025-11-21T22:00:00.000Z"
    moved = await change(user, "update", made["id"], due="2025-12-01", priority="high", assignee="Jim")
    kept = {"title": "Send budget", "notes": "n", "tags": ["a"], "timezone": "America/New_York"}
    assert {name: moved[name] for name in kept} == kept
    assert (moved["due"], moved["dueAt"]) == ("2025-12-01", "2025-12-02T04:59:59.999Z")
    assert (moved["priority"], moved["assignee"], moved["version"]) == ("high", "Jim", 2)
    nothing = dict.fromkeys(("due", "notes", "tags", "priority", "assignee"))
    cleared = await change(user, "update", made["id"], **nothing)
    assert (cleared["due"], cleared["dueAt"], cleared["notes"], cleared["assignee"]) == (None, None, None, None)
    assert (cleared["tags"], cleared["priority"], cleared["title"]) == ([], "normal", "Send budget")


async def test_tasks_are_completed_reopened_and_deleted(world: ApiWorld) -> None:
    user = world.user()
    made = await user.task("Send budget")
    done = await change(user, "complete", made["id"])
    assert (done["status"], done["version"]) == ("done", 2)
    again = await change(user, "complete", made["id"])
    assert again == done
    assert (await change(user, "reopen", made["id"]))["status"] == "open"
    assert (await change(user, "update", made["id"], status="done", title="Sent"))["version"] == await user.head()
    gone = await change(user, "delete", made["id"])
    assert gone == {"id": made["id"], "deleted": True, "version": await user.head()}
    missing = await user.post("/tasks", {"action": "delete", "task": {"id": made["id"]}})
    assert (missing.status_code, missing.json()["code"]) == (404, "task_unknown")
    assert (await user.get(f"/tasks/{made['id']}?min_version={gone['version']}")).status_code == 404


@pytest.mark.parametrize("how", ["complete", "update"])
async def test_completing_a_recurring_task_moves_its_due(world: ApiWorld, how: str) -> None:
    user = world.user()
    made = await user.task("Water plants", due="2025-11-21T08:00", recurrence="FREQ=WEEKLY;BYDAY=MO,FR;COUNT=3")
    fields = {"status": "done"} if how == "update" else {}
    first = await change(user, how, made["id"], **fields)
    assert (first["due"], first["status"], first["recurrence"]) == (
        "2025-11-24T08:00",
        "open",
        "FREQ=WEEKLY;BYDAY=MO,FR;COUNT=2",
    )
    assert (await change(user, how, made["id"], **fields))["due"] == "2025-11-28T08:00"
    last = await change(user, how, made["id"], **fields)
    assert (last["due"], last["status"]) == ("2025-11-28T08:00", "done")


@pytest.mark.parametrize(
    "recurrence",
    ["FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;FREQ=SECONDLY", "FREQ=MINUTELY", "every day", ""],
)
async def test_a_rule_that_nobody_could_follow_is_refused(world: ApiWorld, recurrence: str) -> None:
    user = world.user()
    answer = await user.post("/tasks", {"task": {"title": "x", "due": "2025-11-21", "recurrence": recurrence}})
    assert (answer.status_code, answer.json()["code"]) == (400, "recurrence_invalid")


async def test_a_rule_without_another_day_ends_with_its_task(world: ApiWorld) -> None:
    user = world.user()
    made = await user.task("Never", due="2025-11-21", recurrence="FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")
    assert (await change(user, "complete", made["id"]))["status"] == "done"


# --- If-Match -----------------------------------------------------------------------------------------------------


async def test_if_match_takes_a_version_or_the_etag_of_the_task(world: ApiWorld) -> None:
    user = world.user()
    made = await user.task("Send budget")
    body = {"action": "update", "task": {"id": made["id"], "notes": "1"}}
    stale = await user.post("/tasks", body, if_match='"7"')
    assert (stale.status_code, stale.json()["code"]) == (412, "version_stale")
    for number, tag in enumerate(("1", '"2"', "*"), start=1):
        body["task"]["notes"] = tag
        answer = await user.post("/tasks", body, if_match=tag)
        assert (answer.status_code, answer.json()["version"]) == (200, number + 1)
    etag = (await user.get(f"/tasks/{made['id']}?min_version=4")).headers["etag"]
    body["task"]["notes"] = "by its ETag"
    assert (await user.post("/tasks", body, if_match=etag)).status_code == 200
    assert (await user.post("/tasks", body, if_match=etag)).status_code == 412


@pytest.mark.parametrize("tag", ["", "W/1", '"abc"', '"1', "1e0", "٣", "-1", '"1", "2"', "9" * 19])
async def test_an_if_match_that_names_no_version_matches_none(world: ApiWorld, tag: str) -> None:
    user = world.user()
    made = await user.task("Send budget")
    body = {"action": "complete", "task": {"id": made["id"]}}
    sent = await user.send("POST", "/tasks", body, if_match=tag.encode())  # type: ignore[arg-type]
    assert (sent.status_code, await user.head()) == (412, 1)
    new = await user.post("/tasks", {"task": {"title": "x"}}, if_match="1")
    assert (new.status_code, await user.head()) == (412, 1)


# --- reading ------------------------------------------------------------------------------------------------------


async def test_one_task_shows_its_own_version_and_etag(world: ApiWorld) -> None:
    user = world.user()
    made = await user.task("Send budget")
    await user.task("Another")
    answer = await user.get(f"/tasks/{made['id']}?min_version=2")
    assert answer.json() == made
    assert answer.headers["x-stream-version"] == "2"
    etag = answer.headers["etag"]
    for tag in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        cached = await user.get(f"/tasks/{made['id']}", if_none_match=tag)
        assert (cached.status_code, cached.content, cached.headers["etag"]) == (304, b"", etag)
        assert cached.headers["x-stream-version"] == "2"
    await change(user, "complete", made["id"])
    assert (await user.get(f"/tasks/{made['id']}?min_version=3", if_none_match=etag)).status_code == 200


async def test_tasks_are_filtered_by_status_due_and_tag(world: ApiWorld) -> None:
    user = world.user()
    dues = ["2025-11-20", "2025-11-21T09:00", "2025-11-21", "2025-11-22T23:59", None]
    for due in dues:
        await user.task(f"due {due}", due=due, tags=["a", f"d{due}"])
    done = await user.task("done", due="2025-11-21", tags=["b"])
    await change(user, "complete", done["id"])

    async def found(query: str) -> list[str]:
        return [task["title"] for task in (await user.read(f"/tasks?{query}"))["tasks"]]

    assert await found("status=open") == [f"due {due}" for due in dues]
    assert await found("status=done") == ["done"]
    assert await found("tag=b") == ["done"]
    assert await found("tag=c") == []
    assert await found("status=open&due_from=2025-11-21") == [
        "due 2025-11-21T09:00",
        "due 2025-11-21",
        "due 2025-11-22T23:59",
    ]
    assert await found("status=open&due_to=2025-11-21") == ["due 2025-11-20", "due 2025-11-21T09:00", "due 2025-11-21"]
    assert await found("status=open&due_from=2025-11-21T10:00&due_to=2025-11-22T23:59") == [
        "due 2025-11-21",
        "due 2025-11-22T23:59",
    ]


async def test_tasks_come_in_pages_without_gap_or_repeat(world: ApiWorld) -> None:
    user = world.user()
    made = [(await user.task(f"{n}", tags=["even"] if n % 2 == 0 else []))["id"] for n in range(7)]
    for query, expected in (("limit=3", made), ("limit=3&status=open", made), ("limit=3&tag=even", made[::2])):
        seen: list[str] = []
        cursor = ""
        while True:
            page = await user.read(f"/tasks?{query}{cursor}")
            assert len(page["tasks"]) <= 3
            seen += [task["id"] for task in page["tasks"]]
            if page["nextCursor"] is None:
                break
            cursor = f"&cursor={page['nextCursor']}"
        assert seen == expected


@pytest.mark.parametrize(
    ("query", "code"),
    [
        *((f"limit={value}", "invalid_query") for value in ("0", "501", "1e3", "-1", "", "%D9%A3", "5.0", "9" * 30)),
        *(("status=todo", "status_invalid"), ("status=", "status_invalid")),
        *((f"due_from={value}", "due_invalid") for value in ("2025-02-30", "soon", "2025-11-21T25:00", "1700000000")),
        *((f"cursor={value}", "cursor_invalid") for value in ("x", "%22", "A" * 1_000, "WyJ4Il0", "Wy0xXQ", "%C3%A9")),
        *(("min_version=99", "version_above_head"), ("min_version=-1", "invalid_query")),
        *(("order=asc", "invalid_query"), ("limit=1&limit=2", "invalid_query")),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused(world: ApiWorld, query: str, code: str) -> None:
    user = world.user()
    answer = await user.get(f"/tasks?{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text


# --- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"task": {}}, "title_invalid"),
        ({"task": {"title": "   "}}, "title_invalid"),
        ({"task": {"title": "x", "id": "t_1"}}, "task_id_unexpected"),
        ({"task": {"title": "x", "status": "done"}}, "status_invalid"),
        ({"task": {"title": "x", "due": "2025-02-30"}}, "due_invalid"),
        ({"task": {"title": "x", "due": "0000-01-01"}}, "due_invalid"),
        ({"task": {"title": "x", "due": "10000-01-01"}}, "due_invalid"),
        ({"task": {"title": "x", "due": "9999-12-31T23:59:59-23:59"}}, "due_invalid"),
        ({"task": {"title": "x", "due": "2025-11-21T24:00"}}, "due_invalid"),
        ({"task": {"title": "x", "due": "٢٠٢٥-11-21"}}, "due_invalid"),
        ({"task": {"title": "x", "due": 1700000000}}, "invalid"),
        ({"task": {"title": "x", "timezone": "Mars/Olympus"}}, "timezone_unknown"),
        ({"task": {"title": "x", "timezone": "../../etc/passwd"}}, "timezone_unknown"),
        ({"task": {"title": "x", "recurrence": "FREQ=DAILY"}}, "recurrence_without_due"),
        ({"task": {"title": "x", "tags": ["t"] * 10_001}}, "invalid"),
        ({"task": {"title": "x", "tags": ["t" * 10_000]}}, "tag_invalid"),
        ({"task": {"title": "x", "tags": [" "]}}, "tag_invalid"),
        ({"task": {"title": "x", "tags": "finance"}}, "invalid"),
        ({"task": {"title": "x", "dueAt": "2025-11-21T00:00:00Z"}}, "invalid"),
        ({"task": {"title": "x", "priority": "urgent"}}, "invalid"),
        ({"action": "Create", "task": {"title": "x"}}, "invalid"),
        ({"action": "archive", "task": {"title": "x"}}, "invalid"),
        ({"action": "update", "task": {"title": "x"}}, "task_id_missing"),
        ({"action": "update", "task": {"id": "t_1", "title": None}}, "title_invalid"),
        ({"action": "complete", "task": {"id": "t_1", "title": "x"}}, "task_fields_unexpected"),
        ({"action": "delete", "task": {"id": ""}}, "invalid"),
        ({"action": "create"}, "invalid"),
        ({"title": "x"}, "invalid"),
    ],
)
async def test_a_task_that_makes_no_sense_is_refused(world: ApiWorld, body: dict[str, Any], code: str) -> None:
    user = world.user()
    answer = await user.post("/tasks", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code), answer.text
    assert answer.headers["x-stream-version"] == "0"
    assert await user.head() == 0


async def test_tasks_beyond_the_cap_are_refused_with_what_to_do(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.limits.TASKS_OPEN_MAX", 2)
    user = world.user()
    made = [await user.task(f"{n}") for n in range(2)]
    answer = await user.post("/tasks", {"task": {"title": "one more"}})
    assert (answer.status_code, answer.json()["code"]) == (409, "tasks_full")
    await change(user, "complete", made[0]["id"])
    await user.task("one more")
    reopened = await user.post("/tasks", {"action": "reopen", "task": {"id": made[0]["id"]}})
    assert (reopened.status_code, reopened.json()["code"]) == (409, "tasks_full")
    assert len([fact for fact in await user.facts() if isinstance(fact.event, TaskCreated)]) == 3


@pytest.mark.parametrize("action", ["update", "complete", "reopen", "delete"])
async def test_another_users_task_is_as_unknown_as_one_that_is_not_there(world: ApiWorld, action: str) -> None:
    user, other = world.user(), world.user()
    theirs = await other.task("Mine alone")
    answers = [
        await user.post("/tasks", {"action": action, "task": {"id": given}}) for given in (theirs["id"], "t_unknown")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert (await other.head(), await user.head()) == (1, 0)
