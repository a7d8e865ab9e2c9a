"""Every answer of every route is what the OpenAPI document says it is: models that forbid what they do not name."""

from __future__ import annotations

from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from pydantic import BaseModel

from api.app import HANDLERS
from api.schemas import answers as answer_schemas
from domain.shapes import utc
from tests.support.api_routes import SPECIAL, good_body, known_users, own_objects, routes_of
from tests.support.api_world import ApiWorld, User
from tests.support.waiting import eventually_true

pytestmark = pytest.mark.anyio

FILES = ("exportUser", "getMessageAudio")  # what these answer is no JSON


def models() -> dict[str, type[BaseModel]]:
    """By operation id."""
    found: dict[str, type[BaseModel]] = {}
    for handler in HANDLERS:
        assert isinstance(handler, HTTPRouteHandler)
        if handler.operation_id in FILES:
            continue
        model = handler.opt.get("answer")
        assert isinstance(model, type), f"{handler.operation_id} does not say what it answers"
        assert issubclass(model, BaseModel)
        found[str(handler.operation_id)] = model
    return found


async def read(user: User, path: str, operation: str) -> Any:
    answer = await user.get(path)
    assert answer.status_code == 200, answer.text
    return models()[operation].model_validate_json(answer.content)


async def test_commands_and_queries_answer_as_documented(world: ApiWorld) -> None:
    routes = {name: route for name, route in (await routes_of(world)).items() if name not in (*SPECIAL, "openStream")}
    known = await known_users(world, len(routes))
    for (name, route), (user, owned) in zip(routes.items(), known, strict=True):
        answer = await user.send(route.method, route.filled(**owned.path_values()), good_body(name, owned))
        assert answer.is_success, answer.text
        models()[name].model_validate_json(answer.content)


async def test_states_with_everything_in_them_are_as_documented(world: ApiWorld) -> None:
    user = world.user()
    owned = await own_objects(user)
    reminded = await user.say("Remind me to call John tomorrow at 5", conversationId="trip")
    await user.ended(reminded["replyId"])
    again = await user.made(f"/message/{reminded['replyId']}/regenerate")
    await user.ended(again["replyId"])
    await user.made("/memory/pin", {"type": "fact", "key": "mine_key", "value": "other"})
    before = await user.head()
    whole = await read(user, f"/state?min_version={before}", "getState")
    assert whole.messages[-1].supersedes == reminded["replyId"]
    assert whole.messages[-2].actions
    page = await read(user, f"/conversations/trip/messages?min_version={before}", "listMessages")
    assert any(message.supersededBy for message in page.messages)
    await user.delete("/conversations/trip")
    await user.delete(f"/notes/{owned.note_id}")
    await user.delete(f"/memory/{owned.memory_id}")
    await user.delete(f"/sessions/{owned.session_id}")
    await user.made("/tasks", {"action": "delete", "task": {"id": owned.task_id}})
    head = await user.head()
    changes = await read(user, f"/state?since=0&min_version={head}", "getState")
    assert changes.more is False
    deleted = [item for name in ("tasks", "notes", "messages") for item in getattr(changes, name)]
    assert {type(item) for item in deleted} >= {answer_schemas.Deleted}

    async def redacted() -> bool:
        past = await read(user, f"/state?as_of={before}", "getState")
        return all(message.redacted and message.text is None for message in past.messages)

    await eventually_true(redacted, "the text to be unreadable", every_seconds=0.02)


def test_every_model_is_used_by_a_route_or_another_model() -> None:
    named = {
        name
        for name, value in vars(answer_schemas).items()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == answer_schemas.__name__
    }
    used = {"Answer", "LoginOut", "HealthOut", "AuthConfigOut", "OidcOut"}
    for model in models().values():
        used |= {model.__name__, *model.model_json_schema().get("$defs", {})}
    used |= {
        base.__name__
        for name in used
        if hasattr(answer_schemas, name)
        for base in getattr(answer_schemas, name).__mro__
    }
    assert named <= used


async def test_times_are_rfc_3339_in_utc_with_milliseconds(world: ApiWorld) -> None:
    user = world.user()
    task = await user.task("x", due="2025-11-21T17:00", timezone="America/New_York")
    (fact,) = await user.facts()
    assert (task["createdAt"], task["dueAt"]) == (utc(fact.meta.at_ms), "2025-11-21T22:00:00.000Z")


def test_every_route_of_the_application_is_in_the_document_once(world: ApiWorld) -> None:
    litestar = world.apps[0].app._app
    paths: dict[str, Any] = {}
    for route in litestar.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if handler.resolve_include_in_schema():
                    paths.setdefault(route.path_format, set()).update(handler.http_methods)
    documented = litestar.openapi_schema.to_schema()["paths"]
    for path, methods in paths.items():
        assert {method.upper() for method in documented[path]} >= methods - {"OPTIONS"}, path
