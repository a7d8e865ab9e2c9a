"""What the routes work with, and the two ways they answer: a command's stored bytes, or a view's rows.

`user_of` is the only way from a token to a user; everything below it is scoped to that user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from litestar import Request as HttpRequest
from litestar import Response

from api.auth.tickets import StreamTickets
from api.auth.tokens import Principal
from api.http.answers import BytesAnswer
from api.http.request import Call, call_of
from api.schemas.requests import Body
from api.views import Views
from api.voice_desk import VoiceDesk
from commands.decide import Command
from commands.handle import Answer, CommandHandler, Outcome, Request
from domain.errors import Forbidden
from domain.ports import Clock, EventLog
from infra.keys.keyring import Keyring, UserKeys
from infra.settings import Settings

STREAM_VERSION = "x-stream-version"
NO_STORE = {"cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Services:
    """Opened by the composition root (api/app.py), reached by routes with `services_of(request)`.

    `exporting` are the users whose archive this process is sending.
    """

    settings: Settings
    log: EventLog
    keyring: Keyring
    handler: CommandHandler
    clock: Clock
    generation: str
    views: Views
    tickets: StreamTickets
    voice: VoiceDesk
    redeem_login: Callable[[str], Awaitable[str | None]]
    exporting: set[str] = field(default_factory=set)

    async def version_for(self, principal: Principal) -> int:
        """The caller's stream version as far as this process knows of it, for refusals; 0 while nobody knows them.
        Raises `Unavailable`."""
        user_id = await self.keyring.find_user(principal.issuer, principal.sub)
        if user_id is None:
            return 0
        brain = self.handler.states.cached(user_id)
        return await self.log.head(user_id) if brain is None else brain.version


@dataclass(frozen=True, slots=True)
class User:
    """The caller: `sub` is what the outside calls them, `user_id` what streams and tables do."""

    user_id: str
    sub: str
    keys: UserKeys


def services_of(request: HttpRequest[Any, Any, Any]) -> Services:
    services = request.app.state["services"]
    assert isinstance(services, Services)
    return services


async def user_of(services: Services, call: Call) -> User:
    """The caller's user, made at their first request."""
    principal = call.user()
    user_id = await services.keyring.ensure_user(principal.issuer, principal.sub)
    keys = await services.keyring.load(user_id)
    if keys.is_erased:
        # This process had not heard of it yet: who calls is somebody new.
        services.keyring.evict(user_id)
        user_id = await services.keyring.ensure_user(principal.issuer, principal.sub)
        keys = await services.keyring.load(user_id)
    return User(user_id, principal.sub, keys)


def check_body_user(body: Body, user: User | Principal) -> None:
    if body.userId is not None and body.userId != user.sub:
        raise Forbidden("userId is not the caller's. Leave it out: the token says who calls.", code="user_mismatch")


async def run(
    services: Services,
    user: User,
    call: Call,
    command: Command,
    answer: Callable[[Outcome], Answer],
    *,
    key: str | None = None,
) -> Response[bytes]:
    """Handle a user's command and answer with its stored bytes. `key` stands in for a missing Idempotency-Key."""
    request = Request(
        key=call.idempotency_key or key,
        fingerprint=call.fingerprint(),
        correlation_id=call.request_id,
    )
    handled = await services.handler.handle(user.user_id, command, request, answer)
    return json_response(handled.body, handled.status, handled.version)


def json_response(body: bytes, status: int, version: int | None) -> Response[bytes]:
    headers = [(b"cache-control", b"no-store")]
    if version is not None:
        headers.append((STREAM_VERSION.encode(), b"%d" % version))
    return BytesAnswer(body, status_code=status, headers=headers)


async def caller(request: HttpRequest[Any, Any, Any]) -> tuple[Services, Call, User]:
    """What nearly every handler starts with."""
    services, call = services_of(request), call_of(request)
    return services, call, await user_of(services, call)
