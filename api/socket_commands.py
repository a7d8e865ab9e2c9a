"""The commands that a WebSocket may send, run by the code of the REST routes."""

from __future__ import annotations

from api.auth.tokens import Principal
from api.http.request import fingerprint
from api.messages import accepted, message_command, stopped
from api.realtime import Commands
from api.schemas.requests import MessageIn
from api.services import Services, User, check_body_user
from commands.handle import Request
from commands.messages import StopReply
from domain.values import Json


def socket_commands(services: Services) -> Commands:
    """A key used here and over REST stands for the same request only if it is the same: the fingerprints agree."""

    async def user_of(principal: Principal) -> User:
        user_id = await services.keyring.ensure_user(principal.issuer, principal.sub)
        return User(user_id, principal.sub, await services.keyring.load(user_id))

    async def post_message(principal: Principal, body: dict[str, Json], key: str | None) -> bytes:
        user = await user_of(principal)
        message = MessageIn.model_validate(body)
        check_body_user(message, user)
        request = Request(key=key or message.clientMessageId, fingerprint=fingerprint("POST", "/api/v1/message", body))
        command = message_command(message, user)
        handled = await services.handler.handle(user.user_id, command, request, accepted(services.generation))
        return handled.body

    async def stop(principal: Principal, given: str, key: str | None) -> bytes:
        user = await user_of(principal)
        request = Request(key=key, fingerprint=fingerprint("POST", f"/api/v1/message/{given}/stop", {}))
        handled = await services.handler.handle(user.user_id, StopReply(id=given), request, stopped(given))
        return handled.body

    return Commands(post_message=post_message, stop=stop)
