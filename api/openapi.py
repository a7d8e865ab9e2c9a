"""The OpenAPI 3.1 document and a page that shows it without any other host.

Litestar writes what it knows of the routes; bodies and parameters that the edge checks come from each handler's `opt`:
`body` (a Pydantic model, or a request body object as OpenAPI writes it), `query` (names), `headers` (name to what it
means), `answer` (a model), `also` (other statuses of that answer, or 304) and `schemas` (models that `body` refers to).
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler
from pydantic import BaseModel

SCHEMA_PATH = "/schema"
_PROBLEM = "application/problem+json"
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_ASSETS = {"docs.js": "text/javascript; charset=utf-8", "docs.css": "text/css; charset=utf-8"}

# What a query parameter means is the same on every route that has it.
QUERY_PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "min_version": ({"type": "integer", "minimum": 0}, "Wait until the view has this version; 503 after 2 s."),
    "limit": ({"type": "integer", "minimum": 1, "maximum": 500}, "How many at most."),
    "cursor": ({"type": "string"}, "Where the page before ended."),
    "since": ({"type": "string"}, "A version, Unix seconds from 10^9 on, or an RFC 3339 time: changes after it."),
    "as_of": ({"type": "integer", "minimum": 0}, "The state as it was at this version."),
    "after": ({"type": "string"}, "The cursor of the last frame that was seen; `Last-Event-ID` beats it."),
    "ticket": ({"type": "string"}, "In place of a token, for clients that can't send headers; once."),
    "q": ({"type": "string", "minLength": 1}, "What to look for."),
    "status": ({"enum": ["open", "done"]}, "Only these."),
    "tag": ({"type": "string"}, "Only what has this tag."),
    "due_from": ({"type": "string"}, "Due at this YYYY-MM-DD or YYYY-MM-DDTHH:MM or later, in the task's own zone."),
    "due_to": ({"type": "string"}, "Due then or earlier; a date covers its whole day."),
    "from": ({"type": "string"}, "YYYY-MM-DD or YYYY-MM-DDTHH:MM, with or without an offset or Z; today otherwise."),
    "to": ({"type": "string"}, "Likewise, and not included; 31 days later otherwise."),
    "timezone": ({"type": "string"}, "The IANA zone of times without an offset; the user's otherwise."),
    "archived": ({"type": "boolean"}, "Only those that are archived, or that are not."),
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and request again answer the same bytes; with another request 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[\x20-\x7e]+$"},
}
_STREAM_VERSION = {"description": "The user's stream version.", "schema": {"type": "integer", "minimum": 0}}
_ETAG = {"description": "Strong; for `If-None-Match`.", "schema": {"type": "string"}}
_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` point into the body or name a parameter.",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/not_found"]},
        "title": {"type": "string", "examples": ["Not found"]},
        "status": {"type": "integer", "examples": [404]},
        "detail": {"type": "string", "examples": ["There is no such task."]},
        "code": {"type": "string", "examples": ["not_found"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "message"],
                "properties": {"pointer": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}


def openapi_config(version: str, *, extra_paths: Mapping[str, Any] | None = None) -> OpenAPIConfig:
    """For `Litestar(openapi_config=…)`. `extra_paths` are path items of routes that are raw ASGI or WebSockets."""
    return OpenAPIConfig(
        title="Micro CoS",
        version=version,
        description="A personal chief of staff: one person, one chat, one memory.",
        openapi_router=_DocsRouter(
            SCHEMA_PATH,
            route_handlers=[],
            include_in_schema=False,
            response_headers={"content-security-policy": _DOCS_POLICY},
        ),
        render_plugins=[DocsPage(), Document(extra_paths or {})],
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT")}
        ),
        tags=[Tag(name="chat"), Tag(name="tasks"), Tag(name="memory"), Tag(name="calendar")],
        use_handler_docstrings=True,
    )


def openapi_document(app: Litestar, extra_paths: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The whole document as plain JSON values: what is served, and what a test holds against the routes."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM_SCHEMA
    paths = document.setdefault("paths", {})
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path_format not in paths:
            continue
        for handler, _ in route.route_handler_map.values():
            for method in handler.http_methods:
                operation = paths[route.path_format].get(method.lower())
                if operation is not None:
                    _complete(operation, handler, method, route.path_format, schemas)
    paths.update(extra_paths or {})
    return document


def _complete(
    operation: dict[str, Any], handler: HTTPRouteHandler, method: str, path: str, schemas: dict[str, Any]
) -> None:
    parameters = operation.setdefault("parameters", [])
    known = {parameter.get("name") for parameter in parameters}
    for name in handler.opt.get("query", ()):
        if name not in known:
            schema, text = QUERY_PARAMETERS.get(name, ({"type": "string"}, ""))
            parameters.append({"name": name, "in": "query", "required": False, "schema": schema, "description": text})
    for name, text in handler.opt.get("headers", {}).items():
        header = {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": text}
        parameters.append(header)
    body = handler.opt.get("body")
    if isinstance(body, type) and issubclass(body, BaseModel):
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _add(body, schemas)}}}
    elif body is not None:
        operation["requestBody"] = body
    for model in handler.opt.get("schemas", ()):
        _add(model, schemas)
    if path.startswith("/api/"):
        operation["security"] = [{"token": []}]
        if method in ("POST", "PUT", "PATCH", "DELETE"):
            parameters.append(_IDEMPOTENCY_KEY)
    if not parameters:
        del operation["parameters"]
    responses = operation.setdefault("responses", {})
    for status in [status for status in responses if not status.startswith(("2", "3"))]:
        del responses[status]  # Litestar describes its own errors; ours are problems
    for answer in responses.values():
        _say_object(answer, handler.opt.get("answer"), schemas)
    usual: dict[str, Any] = next(iter(responses.values()), {})
    for status in handler.opt.get("also", ()):
        text = HTTPStatus(status).phrase
        responses[str(status)] = {"description": text} if status == 304 else {**usual, "description": text}
    responses["default"] = {
        "description": "Refused or failed",
        "content": {_PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if path.startswith("/api/"):
        for answer in responses.values():
            answer["headers"] = {**answer.get("headers", {}), "X-Stream-Version": _STREAM_VERSION}
    for status in ("200", "304") if "304" in responses else ():
        responses[status]["headers"] = {**responses[status].get("headers", {}), "ETag": _ETAG}


def _say_object(answer: dict[str, Any], shape: object, schemas: dict[str, Any]) -> None:
    """A handler that returns ready bytes looks to Litestar as if it returned a string."""
    content = answer.get("content", {}).get("application/json")
    if content is None:
        return
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        content["schema"] = _add(shape, schemas)
    elif content.get("schema") == {"type": "string"}:
        content["schema"] = {"type": "object"}


def _add(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return {"$ref": f"#/components/schemas/{model.__name__}"}


class _DocsRouter(Router):
    """Leaves out Litestar's own "not found" page under /schema: what is not found there is a problem, as elsewhere."""

    def register(self, value: ControllerRouterHandler) -> list[Any]:
        if isinstance(value, HTTPRouteHandler) and "/{path:str}" in value.paths:
            return []
        return super().register(value)


class Document(OpenAPIRenderPlugin):
    """/schema/openapi.json, made once."""

    def __init__(self, extra_paths: Mapping[str, Any]) -> None:
        super().__init__(path="/openapi.json", media_type=MediaType.JSON)
        self._extra_paths = extra_paths
        self._made: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        if self._made is None:
            self._made = msgspec.json.encode(openapi_document(request.app, self._extra_paths))
        return self._made


class DocsPage(OpenAPIRenderPlugin):
    """/schema: a page of our own, with its script and its style beside it."""

    def __init__(self) -> None:
        super().__init__(path="/docs", media_type=MediaType.HTML)

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return _asset("docs.html")

    def receive_router(self, router: Router) -> None:
        for name, kind in _ASSETS.items():
            router.register(_asset_route(name, kind))


def _asset_route(name: str, kind: str) -> HTTPRouteHandler:
    @get(f"/{name}", include_in_schema=False, sync_to_thread=False, name=f"docs-{name}")
    def asset() -> Response[bytes]:
        return Response(_asset(name), media_type=kind, headers={"cache-control": "no-cache"})

    return asset


def _asset(name: str) -> bytes:
    return files("api").joinpath("static", name).read_bytes()
