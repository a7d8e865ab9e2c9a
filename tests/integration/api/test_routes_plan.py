"""Plans of a day over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.api_world import ApiWorld

pytestmark = pytest.mark.anyio

PLAN = {"priorities": ["Send the budget"], "todos": ["Call John", "Book a table"], "notes": ["One thing at a time."]}


async def test_a_plan_is_written_read_replaced_and_shown_in_the_state(world: ApiWorld) -> None:
    user = world.user()
    assert (await user.get("/plan/2025-11-21")).status_code == 404
    written = await user.put("/plan/2025-11-21", PLAN)
    plan = {"date": "2025-11-21", **PLAN, "version": 1}
    assert (written.status_code, written.json(), written.headers["x-stream-version"]) == (200, plan, "1")
    assert (await user.put("/plan/2025-11-21", {**PLAN, "userId": user.sub})).json() == plan
    assert await user.read("/plan/2025-11-21") == plan
    await user.task("Something else")
    replaced = await user.put("/plan/2025-11-21", {"todos": ["Rest"]})
    assert replaced.json() == {"date": "2025-11-21", "priorities": [], "todos": ["Rest"], "notes": [], "version": 3}
    await user.put("/plan/2025-11-22", PLAN)
    state = await user.read("/state")
    assert [(one["date"], one["version"]) for one in state["planCache"]] == [("2025-11-21", 3), ("2025-11-22", 4)]
    assert (await user.read("/state?since=3"))["planCache"] == [{**plan, "date": "2025-11-22", "version": 4}]
    assert (await user.read("/state?as_of=1"))["planCache"] == [plan]


async def test_a_plan_that_has_changed_meanwhile_is_not_written_over(world: ApiWorld) -> None:
    user = world.user()
    early = await user.put("/plan/2025-11-21", PLAN, if_match="1")
    assert (early.status_code, early.json()["code"]) == (412, "version_stale")
    await user.put("/plan/2025-11-21", PLAN)
    etag = (await user.get("/plan/2025-11-21?min_version=1")).headers["etag"]
    assert (await user.put("/plan/2025-11-21", {"todos": ["Rest"]}, if_match=etag)).json()["version"] == 2
    for tag in (etag, "no version"):
        stale = await user.put("/plan/2025-11-21", PLAN, if_match=tag)
        assert (stale.status_code, stale.json()["code"]) == (412, "version_stale")
    assert await user.head() == 2


@pytest.mark.parametrize("date", ["2025-02-30", "21.11.2025", "today", "2025-11-21T10:00"])
async def test_a_plan_is_asked_for_by_a_day(world: ApiWorld, date: str) -> None:
    user = world.user()
    for answer in (await user.get(f"/plan/{date}"), await user.put(f"/plan/{date}", PLAN)):
        assert (answer.status_code, answer.json()["code"]) == (400, "date_invalid")


@pytest.mark.parametrize(
    "body",
    [{"todos": "Rest"}, {"todos": [1]}, {"todos": ["  "]}, {"notes": ["x" * 501]}, {"plan": {}}, {"priorities": None}],
)
async def test_a_plan_that_is_none_changes_nothing(world: ApiWorld, body: dict[str, Any]) -> None:
    user = world.user()
    assert (await user.put("/plan/2025-11-21", body)).status_code == 400
    assert (await user.get("/plan/2025-11-21")).status_code == 404


async def test_nobody_sees_the_plan_of_another(world: ApiWorld) -> None:
    user, other = world.user(), world.user()
    await user.put("/plan/2025-11-21", PLAN)
    assert (await other.get("/plan/2025-11-21")).status_code == 404
