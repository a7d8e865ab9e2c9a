"""A tiny application behind the real edge: routes that give back what they were given, and some that fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import jwt
import psycopg
from litestar import Litestar, Request, Response, asgi, delete, get, post, websocket
from litestar.connection import WebSocket
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ASGIApp, Receive, Scope, Send
from pydantic import BaseModel, ConfigDict, Field

from api.auth.authenticator import Authenticator, TrustedIssuer
from api.auth.jwks import FixedKey
from api.auth.token_keys import secret_key
from api.auth.tokens import ClaimRules, Principal
from api.http.edge import Edge, litestar_options
from api.http.headers import Cors
from api.http.request import call_of
from domain import errors
from domain.ports import Clock
from infra.clock import ManualClock
from infra.ids import SeededIds

SECRET = "a secret of this test and nobody else's, long enough"
SERVICE_TOKEN = "the-service-token-of-this-test"
NOW_SECONDS = 1_750_000_000


class Say(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(min_length=1, max_length=8_000)
    channel: Literal["chat", "voice"] = "chat"
    tags: list[str] = []


@post("/api/v1/message", status_code=202)
async def say(request: Request[Any, Any, Any]) -> Response[bytes]:
    call = call_of(request)
    body = call.read(Say)
    answer = {"text": body.text, "sub": call.user().sub, "key": call.idempotency_key}
    return Response(json.dumps(answer).encode(), status_code=202, media_type="application/json")


@post("/api/v1/typed")
async def typed(data: JSONBody[Say]) -> dict[str, str]:
    return {"text": data.text}


@post("/api/v1/message/{message_id:str}/stop", status_code=200)
async def stop(request: Request[Any, Any, Any], message_id: FromPath[str]) -> dict[str, Any]:
    return {"id": message_id, "body": call_of(request).body}


@delete("/api/v1/notes/{note_id:str}", status_code=200)
async def remove(note_id: FromPath[str]) -> dict[str, str]:
    raise errors.NotFound("There is no such note.")


@post("/api/v1/notes")
async def add_note(request: Request[Any, Any, Any]) -> dict[str, int]:
    return {"size": len(await request.body())}


@post("/api/v1/calendar/import")
async def add_calendar(request: Request[Any, Any, Any]) -> dict[str, int]:
    return {"size": len(await request.body())}


@post("/api/v1/voice-upload")
async def upload(request: Request[Any, Any, Any]) -> dict[str, int]:
    return {"size": sum([len(chunk) async for chunk in request.stream()])}


@get("/api/v1/state")
async def state(limit: FromQuery[int] = 50, since: FromQuery[str | None] = None) -> dict[str, Any]:
    return {"limit": limit, "since": since}


@get("/api/v1/list", opt={"query": ("cursor",)})
async def listed(request: Request[Any, Any, Any]) -> dict[str, str]:
    return call_of(request).query


@get("/api/v1/fail/{name:str}")
async def fail(name: FromPath[str]) -> None:
    raise FAILURES[name]()


@post("/api/v1/complete-llm")
async def complete(request: Request[Any, Any, Any]) -> dict[str, bool]:
    return {"service": call_of(request).service}


@get("/api/v1/stream/{session_id:str}", opt={"query": ("after",)})
async def stream(session_id: FromPath[str]) -> ASGIApp:
    return endless


class Streams:
    """The open ones; stands for the hub, which ends them before the server stops."""

    def __init__(self) -> None:
        self.open: set[asyncio.Task[Any]] = set()

    async def drain(self) -> None:
        for task in tuple(self.open):
            task.cancel()


STREAMS = Streams()


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends one frame and waits until the client has gone, or until the streams are drained."""
    call = call_of(scope)
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    frame = f"data: {call.user().sub}\n\n".encode()
    await send({"type": "http.response.body", "body": frame, "more_body": True})
    waiting = asyncio.create_task(_gone(receive))
    STREAMS.open.add(waiting)
    try:
        await waiting
    except asyncio.CancelledError:
        closing = {"type": "http.response.body", "body": b"event: server.closing\n\n", "more_body": False}
        await send(cast(Any, closing))
    finally:
        STREAMS.open.discard(waiting)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


@asgi("/api/v1/half", copy_scope=False)
async def half(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("secret text")


@asgi("/api/v1/raw", copy_scope=False)
async def raw(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": call_of(scope).query.get("x", "").encode(), "more_body": False})


@websocket("/api/v1/realtime")
async def realtime(socket: WebSocket[Any, Any, Any]) -> None:
    if "early" in socket.query_params:
        raise RuntimeError("secret text")
    await socket.accept()
    await socket.send_text(call_of(socket).user().sub)
    if await socket.receive_text() == "fail":
        raise RuntimeError("secret text")
    await socket.close()


@get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "ok"}


@post("/auth/dev")
async def login(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {"body": call_of(request).body}


ROUTES: list[Any] = [
    *(
        say,
        typed,
        stop,
        remove,
        add_note,
        add_calendar,
        upload,
        state,
        listed,
        fail,
        complete,
        stream,
        half,
        raw,
        realtime,
    ),
    *(live, login),
]

FAILURES: dict[str, Callable[[], BaseException]] = {
    "bug": lambda: RuntimeError("secret text"),
    "key": lambda: KeyError("secret text"),
    "unavailable": lambda: errors.Unavailable("The store is away.", retry_after_seconds=1.2),
    "too-many": lambda: errors.TooMany("Slow down.", code="messages_per_minute", retry_after_seconds=17.01),
    "gone": lambda: errors.Gone("It was deleted."),
    "conflict": lambda: errors.Conflict("Not now."),
    "postgres": lambda: psycopg.OperationalError("secret text"),
    "data": lambda: psycopg.DataError("secret text"),
    "timeout": lambda: TimeoutError("secret text"),
    "recursion": lambda: RecursionError("secret text"),
    "unicode": lambda: UnicodeEncodeError("utf-8", "secret text", 0, 1, "secret text"),
    "group": lambda: ExceptionGroup("secret text", [errors.Forbidden("Not yours.")]),
    "assert": lambda: AssertionError("secret text"),
}


class OneTicket:
    """Knows one ticket, once."""

    def __init__(self) -> None:
        self.waiting = {"good-ticket": Principal("", "u1", NOW_SECONDS + 60)}

    async def redeem(self, ticket: str) -> Principal | None:
        return self.waiting.pop(ticket, None)


def token(**changes: Any) -> str:
    """A good token of user u1 for the test's clock; a change to None leaves the claim out."""
    claims = {"sub": "u1", "exp": NOW_SECONDS + 600, **changes}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, SECRET, algorithm="HS256")


@dataclass
class EchoApp:
    clock: Clock = field(default_factory=lambda: ManualClock(NOW_SECONDS * 1000))
    cors: Cors = field(default_factory=Cors)
    seen: list[tuple[str, int]] = field(default_factory=list)

    def edge(self) -> Edge:
        keys = FixedKey(secret_key(SECRET))
        return Edge(
            Litestar(ROUTES, openapi_config=None, **litestar_options()),
            Authenticator([TrustedIssuer(keys, ClaimRules())], self.clock, service_token=SERVICE_TOKEN),
            clock=self.clock,
            new_id=SeededIds(),
            cors=self.cors,
            tickets=OneTicket(),
            watch=lambda scope, status, _: self.seen.append((scope.get("path_template", ""), status)),
        )


def multipart(content: bytes, boundary: str = "b0undary") -> tuple[bytes, bytes]:
    """Content type and body of a form with one file."""
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'.encode()
    return f"multipart/form-data; boundary={boundary}".encode(), head + content + f"\r\n--{boundary}--\r\n".encode()
