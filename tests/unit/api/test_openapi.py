"""The API's description: complete, valid OpenAPI 3.1, and shown by a page that asks no other host for anything."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath
from pydantic import BaseModel

from api.auth.authenticator import Authenticator, TrustedIssuer
from api.auth.jwks import FixedKey
from api.auth.token_keys import secret_key
from api.auth.tokens import ClaimRules
from api.http.edge import Edge, litestar_options
from api.openapi import openapi_config, openapi_document
from infra.clock import ManualClock
from infra.ids import SeededIds
from tests.support.asgi_client import Reply, send_request
from tests.support.echo_app import Say

EXTRA = {"/api/v1/realtime": {"get": {"summary": "Upgrade", "responses": {"101": {"description": "Switched"}}}}}


class Inner(BaseModel):
    text: str


class Outer(BaseModel):
    inner: Inner


@post("/api/v1/message", status_code=202, opt={"body": Say}, tags=["chat"])
async def say(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Say something."""
    return Response(b"{}")


@get("/api/v1/things/{thing_id:str}", opt={"query": ("min_version", "odd")})
async def thing(request: Request[Any, Any, Any], thing_id: FromPath[str]) -> Response[bytes]:
    return Response(b"{}")


@post("/api/v1/nested", opt={"body": Outer, "answer": Inner})
async def nested(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(b"{}")


@post("/api/v1/file", opt={"body": {"content": {"text/calendar": {"schema": {"type": "string"}}}}})
async def file(request: Request[Any, Any, Any]) -> Response[bytes]:
    return Response(b"{}")


@get("/health/live")
async def live() -> dict[str, str]:
    return {}


@cache
def app() -> Litestar:
    config = openapi_config("1.2.3", extra_paths=EXTRA)
    return Litestar([say, thing, nested, file, live], openapi_config=config, **litestar_options())


async def ask(path: str) -> Reply:
    clock = ManualClock()
    by = Authenticator([TrustedIssuer(FixedKey(secret_key("x")), ClaimRules())], clock)
    return await send_request(Edge(app(), by, clock=clock, new_id=SeededIds()), "GET", path)


def test_bodies_parameters_and_problems_are_described() -> None:
    document = openapi_document(app(), EXTRA)
    assert document["openapi"].startswith("3.1")
    said = document["paths"]["/api/v1/message"]["post"]
    assert said["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Say"}
    assert said["summary"] or said["description"] == "Say something."
    assert [parameter["name"] for parameter in said["parameters"]] == ["Idempotency-Key"]
    assert said["security"] == [{"token": []}]
    assert set(said["responses"]) == {"202", "default"}
    assert said["responses"]["202"]["content"]["application/json"]["schema"] == {"type": "object"}
    answer = document["paths"]["/api/v1/nested"]["post"]["responses"]["201"]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/Inner"}
    got = document["paths"]["/api/v1/things/{thing_id}"]["get"]
    assert {p["name"]: p["in"] for p in got["parameters"]} == {
        "thing_id": "path",
        "min_version": "query",
        "odd": "query",
    }
    assert "text/calendar" in document["paths"]["/api/v1/file"]["post"]["requestBody"]["content"]
    assert "security" not in document["paths"]["/health/live"]["get"]
    assert "/api/v1/realtime" in document["paths"]


def test_every_reference_leads_somewhere() -> None:
    document = openapi_document(app(), EXTRA)
    schemas = document["components"]["schemas"]
    references = re.findall(r"#/components/schemas/([A-Za-z0-9_.-]+)", str(document))
    assert {"Say", "Outer", "Inner", "Problem"} <= set(references)
    assert set(references) <= set(schemas)


async def test_the_document_is_served_as_it_is() -> None:
    reply = await ask("/schema/openapi.json")
    assert (reply.status, reply.header("content-type")) == (200, "application/json")
    assert reply.json() == openapi_document(app(), EXTRA)


@pytest.mark.parametrize("path", ["/schema", "/schema/", "/schema/docs"])
async def test_the_page_may_load_only_what_is_beside_it(path: str) -> None:
    reply = await ask(path)
    assert (reply.status, reply.header("content-type")) == (200, "text/html; charset=utf-8")
    policy = reply.header("content-security-policy") or ""
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    for link in re.findall(rb'(?:src|href)="([^"]+)"', reply.body):
        if link != b"data:,":
            assert (await ask(link.decode())).status == 200
    assert b"http" not in reply.body


@pytest.mark.parametrize(("name", "kind"), [("docs.js", "text/javascript"), ("docs.css", "text/css")])
async def test_its_script_and_style_come_from_the_package(name: str, kind: str) -> None:
    reply = await ask(f"/schema/{name}")
    assert (reply.header("content-type") or "").startswith(kind)
    assert b"http://" not in reply.body
    assert b"https://" not in reply.body
    assert b"innerHTML" not in reply.body


async def test_what_is_not_there_is_a_problem() -> None:
    reply = await ask("/schema/swagger")
    assert (reply.status, reply.header("content-type")) == (404, "application/problem+json")
