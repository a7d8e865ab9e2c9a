"""When what is behind the routes fails: a problem that says nothing of it, 503 where trying again helps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from domain.errors import Unavailable
from tests.support.api_routes import SPECIAL, good_body, own_objects, routes_of
from tests.support.api_world import ApiWorld

pytestmark = pytest.mark.anyio

FAILURES: dict[str, tuple[Callable[[], Exception], int]] = {
    "the store is away": (lambda: Unavailable("The store is away.", retry_after_seconds=1), 503),
    "the connection breaks": (lambda: psycopg.OperationalError("secret text"), 503),
    "the wait is too long": (lambda: TimeoutError("secret text"), 503),
    "the disk is full": (lambda: OSError(28, "secret text"), 507),
    "a mistake of ours": (lambda: RuntimeError("secret text"), 500),
    "a broken row": (lambda: KeyError("secret text"), 500),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_every_route_fails_closed(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    make, status = FAILURES[name]
    user = world.user()
    owned = await own_objects(user)
    head = await user.head()
    routes = [route for route in (await routes_of(world)).values() if route.operation not in SPECIAL]
    keyring = world.apps[0].side.keyring
    load = type(keyring).load

    async def fail(self: Any, user_id: str) -> Any:
        task = asyncio.current_task()
        assert task is not None
        # Only requests fail, and only here: the feed's own tests say what it does without keys.
        if self is not keyring or task.get_name() == "feed":
            return await load(self, user_id)
        raise make()

    with monkeypatch.context() as broken:
        broken.setattr(type(keyring), "load", fail)
        for route in routes:
            answer = await user.send(
                route.method, route.filled(**owned.path_values()), good_body(route.operation, owned)
            )
            # A stream needs no keys to begin: it has its hub, or says itself that it ends.
            if route.operation == "openStream" and answer.status_code == 200:
                continue
            assert answer.status_code == status, f"{route.operation}: {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"
            assert ("retry-after" in answer.headers) == (status in (503, 507))
            assert "secret" not in answer.text
            assert "x-stream-version" not in answer.headers
    assert "secret" not in "".join(capsys.readouterr())
    assert await user.head() == head
    assert (await user.task("and then all is well again"))["version"] == head + 1


@pytest.mark.parametrize("name", FAILURES)
async def test_a_command_that_cannot_be_stored_may_be_sent_again(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make, status = FAILURES[name]
    user = world.user()
    await user.head()
    log = world.apps[0].side.log

    async def fail(*_: Any) -> Any:
        raise make()

    with monkeypatch.context() as broken:
        broken.setattr(type(log), "append", fail)
        answer = await user.post("/tasks", {"task": {"title": "x"}}, key="k")
        assert (answer.status_code, "secret" in answer.text) == (status, False)
    done = await user.post("/tasks", {"task": {"title": "x"}}, key="k", at=1)
    assert (done.status_code, done.json()["version"]) == (201, 1)


async def test_an_answer_that_was_lost_after_the_commit_is_given_again(
    world: ApiWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = world.user()
    await user.head()
    log = world.apps[0].side.log
    append = type(log).append

    async def lose(*given: Any) -> Any:
        await append(*given)
        raise Unavailable("The outcome is unknown.", retry_after_seconds=1)

    with monkeypatch.context() as broken:
        broken.setattr(type(log), "append", lose)
        assert (await user.post("/tasks", {"task": {"title": "x"}}, key="k")).status_code == 503
    again = [await user.post("/tasks", {"task": {"title": "x"}}, key="k", at=at) for at in (0, 1)]
    assert [answer.status_code for answer in again] == [201, 201]
    assert again[0].content == again[1].content
    assert await user.head() == 1
