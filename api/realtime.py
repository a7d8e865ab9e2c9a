"""`GET /realtime`: the same frames over a WebSocket, and commands up it, answered in order with the frames.

Down `{event, id, data}`; up `{type, requestId, …}`, answered `{type: ack | error, requestId, …}`. Commands run the
code of the REST routes, which is given to this module as functions. Binary is audio, and what is said in it is
socket_voice.py's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from api.auth.tokens import Principal
from api.http.query import refuse_unknown
from api.http.request import call_of
from api.live.channel import End
from api.live.client import Client
from api.live.cursor import Cursor, parse_cursor
from api.live.frames import Encoded, Reply
from api.live.hub import Hub
from api.live.hub_registry import HubRegistry
from api.problems import Problem, Refused, problem_of
from api.socket_voice import SocketVoice
from api.stream import UserIdOf, abort_of, cursor_of
from api.strict_json import MalformedJson, parse_object
from api.voice_desk import VoiceDesk
from domain.errors import DomainError, Invalid, Unavailable
from domain.ports import Clock
from domain.values import Json
from infra.telemetry import get_logger

MESSAGE_BYTES_MAX = 65_536  # as the body of a REST command
MESSAGES_PER_SECOND = 50.0
MESSAGES_BURST = 200.0
AUDIO_SHARE = 0.2  # of a command, that a piece of audio counts for: with 20 ms in each there are 50 a second
NAME_CHARACTERS_MAX = 255

NORMAL, UNSUPPORTED, POLICY, TOO_LARGE, BROKEN, RESTARTING, COME_BACK = 1000, 1003, 1008, 1009, 1011, 1012, 1013
UPGRADE_REQUIRED = Problem(
    status=426,
    code="upgrade_required",
    detail="This address speaks WebSocket only. For server-sent events there is GET /api/v1/stream/{sessionId}.",
    headers=((b"upgrade", b"websocket"), (b"connection", b"upgrade")),
)
_CLOSE_CODES: dict[End, int] = {
    "lagged": COME_BACK,
    "closing": RESTARTING,
    "expired": POLICY,
    "closed": NORMAL,
    "broken": COME_BACK,
}

# (caller, body, idempotency key) → the JSON answer of `POST /message`.
PostMessage = Callable[[Principal, dict[str, Json], str | None], Awaitable[bytes]]
# (caller, id of message or reply, idempotency key) → the JSON answer of `POST /message/{id}/stop`.
StopReply = Callable[[Principal, str, str | None], Awaitable[bytes]]

_encode = msgspec.json.Encoder().encode
logger = get_logger("api.realtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What can be asked for over the socket. Both raise `DomainError`, `Refused` or `pydantic.ValidationError`."""

    post_message: PostMessage
    stop: StopReply


# What the OpenAPI document says of a route that it can't describe.
REALTIME_PATH = {
    "/api/v1/realtime": {
        "get": {
            "operationId": "openRealtime",
            "summary": "The same frames over a WebSocket, and commands up it.",
            "tags": ["stream"],
            "security": [{"token": []}],
            "parameters": [
                {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}
                for name in ("after", "sessionId", "ticket")
            ],
            "responses": {"101": {"description": "Switching Protocols"}},
        }
    }
}


class RealtimeEndpoint:
    """Expects the edge in front: it says who calls, and refused foreign origins."""

    def __init__(
        self, registry: HubRegistry, user_id_of: UserIdOf, commands: Commands, clock: Clock, voice: VoiceDesk
    ) -> None:
        self._registry = registry
        self._user_id_of = user_id_of
        self._commands = commands
        self._clock = clock
        self._voice = voice

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """`?sessionId=` marks a session as listening; `?after=` begins after a cursor, else the stream begins now."""
        if scope["type"] != "websocket":
            raise Refused(UPGRADE_REQUIRED)
        call = call_of(scope)
        accepted = False
        try:
            principal = call.user()
            refuse_unknown(call.query, ("after", "sessionId"))
            cursor = cursor_of(scope, call.query)
            user_id = await self._user_id_of(principal)
            connection = self._registry.connect(
                user_id, call.query.get("sessionId"), expires_at=principal.expires_at, cut=abort_of(scope)
            )
            async with connection as (hub, client):
                await receive()  # websocket.connect
                await send({"type": "websocket.accept"})
                accepted = True
                conversation = _Conversation(hub, client, principal, self._commands, self._clock, self._voice)
                await conversation.run(cursor, receive, send)
        except Exception as error:
            # Here and not in the framework, whose own answer would hold the exception's text.
            problem = problem_of(error)
            if problem.status >= 500:
                logger.error("request failed", request_id=call.request_id, exc_info=error)
            if not accepted:
                await _refuse(problem, call.request_id, scope, send)
            else:
                with suppress(OSError, RuntimeError):  # it may be closed already
                    await send({"type": "websocket.close", "code": BROKEN})

    def route(self) -> ASGIRouteHandler:
        """To be mounted under the API's base path."""

        @asgi("/realtime", copy_scope=False)
        async def realtime(scope: Scope, receive: Receive, send: Send) -> None:
            await self(scope, receive, send)

        return realtime


class _Conversation:
    """One accepted socket: a task that sends what the channel holds, and a loop that reads commands."""

    def __init__(
        self, hub: Hub, client: Client, principal: Principal, commands: Commands, clock: Clock, voice: VoiceDesk
    ) -> None:
        self._hub = hub
        self._client = client
        self._principal = principal
        self._commands = commands
        self._clock = clock
        self._allowance = MESSAGES_BURST
        self._counted_at = clock.monotonic()
        self._resume: tuple[Cursor, Reply] | None = None
        self._voice = SocketVoice(
            voice, lambda body, key: commands.post_message(principal, body, key), lambda reply: self._push(reply)
        )

    async def run(self, cursor: Cursor | None, receive: Any, send: Any) -> None:
        sender = asyncio.create_task(self._send_until_the_end(cursor, send))
        try:
            code = await self._read_commands(receive)
            self._client.end("left" if code is None else "refused")
            await sender
            if code is not None and self._client.channel.ended == "refused":
                with suppress(OSError):  # it did not read, and was cut
                    await send({"type": "websocket.close", "code": code})
        finally:
            sender.cancel()
            await self._voice.aclose()

    # --- down -----------------------------------------------------------------------------------------------------

    async def _send_until_the_end(self, cursor: Cursor | None, send: Any) -> None:
        try:
            await self._send_frames(cursor, send)
        except OSError:
            return  # the client was gone before the last frame
        except Exception as error:
            logger.error("request failed", exc_info=error)
            self._client.end("broken")
            await send({"type": "websocket.close", "code": BROKEN})

    async def _send_frames(self, cursor: Cursor | None, send: Any) -> None:
        client = self._client
        await self._send_past(cursor, send)
        while True:
            if self._resume is not None and client.channel.ended is None:
                await self._start_again(send)
                continue
            batch = await client.channel.take()
            await self._send(batch, send)
            if not batch and client.channel.ended is not None:
                break
        code = _CLOSE_CODES.get(client.channel.ended)
        if code is not None:
            await send({"type": "websocket.close", "code": code})

    async def _send_past(self, cursor: Cursor | None, send: Any) -> None:
        try:
            async with aclosing(self._hub.replay(self._client, cursor)) as past:
                async for batch in past:
                    await self._send(batch, send)
                    if self._client.channel.ended is not None or self._resume is not None:
                        return
        except Unavailable:
            self._client.end("broken", "server.closing", version=self._hub.version)

    async def _start_again(self, send: Any) -> None:
        assert self._resume is not None
        (cursor, acknowledgement), self._resume = self._resume, None
        self._hub.detach(self._client)
        self._client.channel.discard_frames()
        self._client.channel.push(acknowledgement)
        await self._send(await self._client.channel.take(), send)
        await self._send_past(cursor, send)

    async def _send(self, batch: Sequence[Encoded], send: Any) -> None:
        for frame in batch:
            text = frame.text
            if text is not None:
                await send({"type": "websocket.send", "text": text})

    # --- up -------------------------------------------------------------------------------------------------------

    async def _read_commands(self, receive: Any) -> int | None:
        """Until the client leaves (None) or must go (the close code)."""
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                return None
            text = event.get("text")
            if text is None:
                code = self._hear(event["bytes"])
                if code is not None:
                    return code
                continue
            if len(text) > MESSAGE_BYTES_MAX or len(data := text.encode()) > MESSAGE_BYTES_MAX:
                return TOO_LARGE
            if not self._allowed():
                return POLICY
            await self._answer(data)

    def _hear(self, pcm: bytes) -> int | None:
        """Audio of the utterance under way. The close code where it may not come."""
        if not self._voice.may_come:
            return UNSUPPORTED
        if len(pcm) > MESSAGE_BYTES_MAX:
            return TOO_LARGE
        if not self._allowed(AUDIO_SHARE):
            return POLICY
        try:
            self._voice.hear(pcm)
        except DomainError:
            return UNSUPPORTED  # half a sample: nothing behind it can be understood
        return None

    def _allowed(self, cost: float = 1.0) -> bool:
        now = self._clock.monotonic()
        gained = (now - self._counted_at) * MESSAGES_PER_SECOND
        self._allowance = min(MESSAGES_BURST, self._allowance + gained) - cost
        self._counted_at = now
        return self._allowance >= 0

    async def _answer(self, data: bytes) -> None:
        request_id: str | None = None
        body: dict[str, Json] | None = None
        try:
            body = parse_object(data)
            request_id = _name(body, "requestId", required=True)
            reply = await self._obey(request_id or "", body)
        except MalformedJson as error:
            reply = _error(request_id, problem_of(Invalid(str(error), code="malformed_json")))
        except Exception as error:
            problem = problem_of(error, body)
            if problem.status >= 500 and not isinstance(error, DomainError):
                logger.error("request failed", exc_info=error)
            reply = _error(request_id, problem)
        if reply is not None:
            self._push(reply)

    def _push(self, reply: Reply) -> None:
        self._client.push(reply, version=self._hub.version)

    async def _obey(self, request_id: str, body: dict[str, Json]) -> Reply | None:
        kind = body.get("type")
        key = _name(body, "idempotencyKey")
        rest = {name: value for name, value in body.items() if name not in ("type", "requestId", "idempotencyKey")}
        if kind == "message":
            return _ack(request_id, await self._commands.post_message(self._principal, rest, key))
        if kind == "stop":
            target = _name(rest, "messageId", required=True) or ""
            _refuse_others(rest, "messageId")
            return _ack(request_id, await self._commands.stop(self._principal, target, key))
        if kind == "resume":
            cursor = rest.get("cursor")
            _refuse_others(rest, "cursor")
            parsed = parse_cursor(cursor if isinstance(cursor, str) else "")
            if self._resume is not None:
                self._push(self._resume[1])  # it was overtaken before its frames began: its answer is owed still
            self._resume = (parsed, _ack(request_id, _encode({"version": self._hub.version})))
            self._client.channel.interrupt()
            return None
        if kind == "voice.start":
            return self._voice.start(request_id, rest, key)
        if kind == "voice.end":
            _refuse_others(rest)
            return self._voice.end(request_id)
        raise Invalid("type must be message, stop, resume, voice.start or voice.end.", code="type_unknown")


def _name(body: dict[str, Json], field: str, *, required: bool = False) -> str | None:
    """A short printable string, or None where it may be left out."""
    value = body.get(field)
    if value is None and not required:
        return None
    if not isinstance(value, str) or not 0 < len(value) <= NAME_CHARACTERS_MAX or not value.isprintable():
        raise Invalid(f"{field} must be a string of 1 to {NAME_CHARACTERS_MAX} printable characters.")
    return value


def _refuse_others(body: dict[str, Json], *known: str) -> None:
    if body.keys() - {*known}:
        raise Invalid(f"Only {', '.join(known) or 'requestId'} is taken here.", code="unknown_field")


def _ack(request_id: str, answer: bytes) -> Reply:
    """`answer` is a JSON object; its members stand beside ours."""
    head = _encode({"type": "ack", "requestId": request_id})
    return Reply(head if answer == b"{}" else head[:-1] + b"," + answer[1:])


def _error(request_id: str | None, problem: Problem) -> Reply:
    members: dict[str, object] = {**msgspec.json.decode(problem.body()), "type": "error", "requestId": request_id}
    return Reply(_encode(members))


async def _refuse(problem: Problem, request_id: str, scope: Any, send: Any) -> None:
    """Before the handshake: the problem as the answer to it, where the server can send one."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": POLICY})
        return
    body = problem.body()
    headers = [*problem.header_list(body), (b"x-request-id", request_id.encode())]
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
