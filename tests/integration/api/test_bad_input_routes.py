"""Bad input on every route that the document lists: refused with a problem, never a 500, and nothing is appended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx
import pytest

from api.problems import MEDIA_TYPE
from tests.support.api_routes import BASE, SPECIAL, UNKNOWN, Owned, Route, good_body, known_users, routes_of
from tests.support.api_world import ApiWorld, User

pytestmark = pytest.mark.anyio

# Rows 1 to 17 and 27 of the catalogue: bodies that no route takes, whatever it takes.
BODIES: dict[str, bytes] = {
    "cut off": b'{"text": "x"',
    "trailing junk": b'{"text": "x"} x',
    "byte order mark": b'\xef\xbb\xbf{"text": "x"}',
    "UTF-16": '{"text": "x"}'.encode("utf-16"),
    "invalid UTF-8": b'{"text": "\xff"}',
    "half a surrogate pair": b'{"text": "\\ud800"}',
    "deep array": b'{"text": ' + b"[" * 990 + b"]" * 990 + b"}",
    "very deep object": b'{"a":' * 9_000 + b"1" + b"}" * 9_000,
    "NaN": b'{"text": NaN}',
    "infinity": b'{"text": 1e999}',
    "400 digits": b'{"text": ' + b"9" * 400 + b"}",
    "duplicate keys": b'{"text": "x", "text": "y"}',
    "array": b"[]",
    "null": b"null",
    "number": b"1",
    "string": b'"x"',
    "U+0000": b'{"text": "\\u0000"}',
}
WRONG_VALUES: list[Any] = [None, True, 0, -1, 1.5, 2**63 - 1, "", " ", "x" * 9_000, "\u202e", [], [1], {}, {"a": 1}]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


async def check_problem(answer: httpx.Response, statuses: set[int], what: str) -> None:
    assert answer.status_code in statuses, f"{what}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == MEDIA_TYPE.decode(), what
    problem = answer.json()
    assert problem["status"] == answer.status_code, what
    assert problem["type"] == f"/problems/{problem['code']}", what
    assert {"title", "detail"} <= set(problem) <= {"type", "title", "status", "detail", "code", "errors"}, what
    assert answer.headers["x-request-id"], what
    assert answer.headers["x-content-type-options"] == "nosniff", what


async def user_routes(world: ApiWorld) -> list[Route]:
    return [route for name, route in (await routes_of(world)).items() if name not in SPECIAL]


async def known_user(world: ApiWorld) -> tuple[User, Owned]:
    (known,) = await known_users(world, 1)
    return known


async def test_every_route_says_what_it_accepts_and_accepts_it(world: ApiWorld) -> None:
    routes = [route for route in await user_routes(world) if route.operation != "openStream"]
    for route, (user, owned) in zip(routes, await known_users(world, len(routes)), strict=True):
        body = good_body(route.operation, owned)
        assert route.takes_body == (body is not None), route.operation
        answer = await user.send(route.method, route.filled(**owned.path_values()), body)
        assert answer.is_success, f"{route.operation}: {answer.text}"
        assert str(answer.status_code) in route.description["responses"], route.operation
        assert answer.headers["x-stream-version"].isdigit(), route.operation
        assert "version" in answer.json(), route.operation


async def test_nobody_comes_in_without_a_token(world: ApiWorld) -> None:
    for name, route in (await routes_of(world)).items():
        path = BASE + route.filled(**UNKNOWN.path_values())
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic eDp5"}):
            query = "" if "Basic" not in str(headers) else "?a=1&a=2"  # nor is told what else would be wrong
            answer = await world.clients[0].request(route.method, path + query, headers=headers)
            await check_problem(answer, {401}, name)
            assert answer.headers["www-authenticate"] == 'Bearer realm="microcos"'


async def test_a_body_that_cannot_be_read_is_refused_everywhere(world: ApiWorld) -> None:
    user, owned = await known_user(world)
    head = await user.head()
    for route in await user_routes(world):
        if not route.takes_body:
            continue
        path = route.filled(**owned.path_values())
        for name, content in BODIES.items():
            answer = await user.send(route.method, path, content=content)
            await check_problem(answer, {400}, f"{route.operation}: {name}")
            assert answer.headers["x-stream-version"] == str(head), route.operation
        if good_body(route.operation, owned):
            await check_problem(await user.send(route.method, path, content=b""), {400}, route.operation)
        for kind in ("text/xml", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "json"):
            answer = await user.send(route.method, path, content=b"{}", content_type=kind)
            await check_problem(answer, {415}, f"{route.operation}: {kind}")
        zipped = await user.send(route.method, path, content=b"{}", content_encoding="gzip")
        await check_problem(zipped, {415}, route.operation)
    assert await user.head() == head


async def test_a_body_where_none_is_taken_is_refused(world: ApiWorld) -> None:
    user, owned = await known_user(world)
    head = await user.head()
    for route in await user_routes(world):
        if not route.takes_body:
            answer = await user.send(route.method, route.filled(**owned.path_values()), {"x": 1})
            await check_problem(answer, {400}, route.operation)
    assert await user.head() == head


def changed(body: Any, fields: tuple[str, ...], value: Any) -> Any:
    copy = deepcopy(body)
    inner = copy
    for name in fields[:-1]:
        inner = inner[name]
    inner[fields[-1]] = value
    return copy


def every_field(body: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in body.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from every_field(value, (*above, name))


async def test_a_wrong_value_in_any_field_is_a_400_or_means_something(world: ApiWorld) -> None:
    user, owned = await known_user(world)
    for route in await user_routes(world):
        body = good_body(route.operation, owned)
        for fields in every_field(body or {}):
            for value in WRONG_VALUES:
                sent = changed(body, fields, value)
                # Ids that a client chooses are taken once; whatever else is said may be said again.
                if route.operation == "addNote" and fields != ("id",):
                    del sent["id"]
                if route.operation == "postMessage" and fields != ("clientMessageId",):
                    del sent["clientMessageId"]
                head = await user.head()
                answer = await user.send(route.method, route.filled(**owned.path_values()), sent)
                what = f"{route.operation} {'.'.join(fields)} = {str(value)[:20]!r}"
                if answer.is_success:
                    assert str(answer.status_code) in route.description["responses"], what
                    if route.operation == "postMessage":
                        await user.ended(answer.json()["replyId"])  # or its end would count for the next value
                else:
                    await check_problem(answer, {400, 404, 409, 429}, what)
                    assert await user.head() == head, what
                    assert str(value)[:20] not in answer.text or len(str(value)) < 20, f"{what} is repeated"


async def test_a_field_that_nobody_knows_is_refused_everywhere(world: ApiWorld) -> None:
    user, owned = await known_user(world)
    head = await user.head()
    for route in await user_routes(world):
        body = good_body(route.operation, owned)
        if body is None:
            continue
        places: list[tuple[str, ...]] = [()] + [f for f in every_field(body) if f == ("task",)]
        for place in places:
            for name in ("surprise", "version", "id_", "__proto__", "role", "user_id"):
                sent = changed(body, (*place, name), 1)
                answer = await user.send(route.method, route.filled(**owned.path_values()), sent)
                await check_problem(answer, {400}, f"{route.operation} {name}")
    assert await user.head() == head


async def test_a_body_may_name_the_caller_and_nobody_else(world: ApiWorld) -> None:
    other = world.user()
    routes = [route for route in await user_routes(world) if good_body(route.operation, UNKNOWN) is not None]
    for route, (user, owned) in zip(routes, await known_users(world, len(routes)), strict=True):
        body = good_body(route.operation, owned)
        assert body is not None
        path, head = route.filled(**owned.path_values()), await user.head()
        for name in (other.sub, "", user.sub.upper(), user.sub + " ", await world.user_id(user.sub)):
            answer = await user.send(route.method, path, {**body, "userId": name})
            await check_problem(answer, {403}, route.operation)
            assert answer.json()["code"] == "user_mismatch"
        assert await user.head() == head
        assert (await user.send(route.method, path, {**body, "userId": user.sub})).is_success, route.operation


async def test_ids_of_others_are_answered_as_unknown_ones_byte_for_byte(world: ApiWorld) -> None:
    (user, _), (other, theirs) = [await known_user(world) for _ in range(2)]
    heads = await user.head(), await other.head()
    stranger = world.user()
    for route in await user_routes(world):
        # What a client names itself is each user's own: there is nobody else's to be met.
        if not set(route.parameters) - {"key", "conversation_id", "note_id", "date"}:
            continue
        body = good_body(route.operation, theirs)
        for caller in (user, stranger):
            answers = [
                await caller.send(route.method, route.filled(**owned.path_values()), body)
                for owned in (theirs, UNKNOWN)
            ]
            for answer in answers:
                await check_problem(answer, {404}, route.operation)
            assert answers[0].content == answers[1].content
    assert (await user.head(), await other.head()) == heads


async def test_odd_ids_in_a_path_are_not_found(world: ApiWorld) -> None:
    user = world.user()
    odd = ("x" * 5_000, "%00", "%ff", "%E2%80%AE", "a%0ab", "..%2f..%2fetc", "%2e%2e", "'%20OR%201=1--", "💥", "%")
    for route in await user_routes(world):
        for given in odd if route.parameters else ():
            path = route.filled(**dict.fromkeys(route.parameters, given))
            body = good_body(route.operation, UNKNOWN)
            answer = await user.send(route.method, path, body)
            await check_problem(answer, {400, 404}, f"{route.operation} {given[:20]}")
    assert await user.head() == 0


async def test_a_method_that_a_route_does_not_take_is_405_with_those_that_it_takes(world: ApiWorld) -> None:
    user = world.user()
    taken: dict[str, set[str]] = {}
    for route in (await routes_of(world)).values():
        taken.setdefault(route.path, set()).add(route.method)
    for path, methods in taken.items():
        filled = path
        for name in (
            "message_id",
            "session_id",
            "task_id",
            "memory_id",
            "note_id",
            "conversation_id",
            "event_id",
            "key",
        ):
            filled = filled.replace("{" + name + "}", "x")
        allow = sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set()))
        for method in (*(set(METHODS) - methods), "TRACE", "PROPFIND"):
            answer = await user.send(method, filled)
            await check_problem(answer, {405} if path != "/complete-llm" else {403, 405}, f"{method} {path}")
            if answer.status_code == 405:
                assert answer.headers["allow"] == ", ".join(allow), path
        options = await world.clients[0].request("OPTIONS", BASE + filled)
        assert (options.status_code, options.headers["allow"]) == (204, ", ".join(allow))


async def test_a_query_that_a_route_does_not_know_is_refused_everywhere(world: ApiWorld) -> None:
    user, owned = await known_user(world)
    head = await user.head()
    for route in await user_routes(world):
        path = route.filled(**owned.path_values())
        for query in ("surprise=1", "access_token=x", "%00=1", "a=%", "userId=x"):
            asked = f"{path}{'&' if '?' in path else '?'}{query}"
            answer = await user.send(route.method, asked, good_body(route.operation, owned))
            await check_problem(answer, {400}, f"{route.operation} {query}")
    assert await user.head() == head


@pytest.mark.parametrize("key", ["", "k" * 256, "a\tb", "\xff", "ключ"])
async def test_a_bad_idempotency_key_is_refused_everywhere(world: ApiWorld, key: str) -> None:
    user, owned = await known_user(world)
    head = await user.head()
    for route in await user_routes(world):
        sent = key.encode("utf-8" if key > "\xff" else "latin-1")
        path = route.filled(**owned.path_values())
        answer = await user.send(
            route.method,
            path,
            good_body(route.operation, owned),
            idempotency_key=sent,  # type: ignore[arg-type]
        )
        await check_problem(answer, {400}, route.operation)
    assert await user.head() == head


async def test_numbers_too_large_for_anybody_are_refused(world: ApiWorld) -> None:
    user = world.user()
    for value in (2**63, -(2**63) - 1, 10**30):
        answer = await user.send("PUT", "/preferences/x", content=json.dumps({"value": value}).encode())
        await check_problem(answer, {400}, str(value))
