"""Actions that wait for the user: approved, which does them, or rejected."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request as HttpRequest
from litestar import Response, post
from litestar.params import FromPath

from api.schemas.answers import ActionResolvedOut
from api.schemas.requests import EmptyBody
from api.services import Services, User, caller, check_body_user, json_response
from commands.actions import ApproveAction, RejectAction
from commands.arguments import ARGUMENTS, NotUnderstood
from commands.deeds import read_call
from commands.handle import Answer, Outcome, Request
from commands.setting import Setting
from domain.errors import Conflict, NotFound
from domain.events import ActionCreated, ActionPayload, ActionResolved
from domain.ports import ToolCall
from domain.values import REDACTED, Json

OPT = {"body": EmptyBody, "answer": ActionResolvedOut}


@post("/actions/{action_id:str}/approve", operation_id="approveAction", status_code=200, opt=OPT, tags=["chat"])
async def approve(request: HttpRequest[Any, Any, Any], action_id: FromPath[str]) -> Response[bytes]:
    """Do what the assistant put forward. Once more does nothing; 409 where it was rejected, or where what it would do
    is not possible any more."""
    return await _resolve(request, action_id, is_approved=True)


@post("/actions/{action_id:str}/reject", operation_id="rejectAction", status_code=200, opt=OPT, tags=["chat"])
async def reject(request: HttpRequest[Any, Any, Any], action_id: FromPath[str]) -> Response[bytes]:
    """Turn down what the assistant put forward. Once more does nothing; 409 where it was approved."""
    return await _resolve(request, action_id, is_approved=False)


async def _resolve(request: HttpRequest[Any, Any, Any], action_id: str, *, is_approved: bool) -> Response[bytes]:
    services, call, user = await caller(request)
    check_body_user(call.read(EmptyBody), user)
    origin = Request(
        key=call.idempotency_key,
        fingerprint=call.fingerprint(),
        causation_id=action_id,
        correlation_id=call.request_id,
    )
    if (before := await services.handler.find_answer(user.user_id, origin)) is not None:
        return json_response(before.body, before.status, before.version)
    kind, content = await _action(services, user, action_id)
    payload: dict[str, Json] = dict(content.payload)
    command: ApproveAction | RejectAction = RejectAction(action_id=action_id, payload=payload)
    if is_approved:
        command = await _approval(services, user, action_id, kind, payload)

    def answer(outcome: Outcome) -> Answer:
        known = outcome.after.actions[action_id]
        shape: dict[str, Json] = {"id": action_id, "kind": kind, "status": known.status, "payload": payload}
        if known.result_id is not None:
            shape["resultId"] = known.result_id
        conversation = outcome.after.conversations[known.conversation_ref]
        return Answer(body={**shape, "version": known.version}, key_id=conversation.key_id)

    handled = await services.handler.handle(user.user_id, command, origin, answer)
    return json_response(handled.body, handled.status, handled.version)


async def _action(services: Services, user: User, action_id: str) -> tuple[str, ActionPayload]:
    """The action's kind and what its card shows. Raises `NotFound`, also once its conversation was deleted."""
    brain = await services.handler.states.refresh(user.user_id)
    known = brain.actions.get(action_id)
    if known is not None:
        rows = await services.log.read_versions(user.user_id, [known.version])
        for fact in await services.keyring.open_events(user.user_id, rows):
            event = fact.event
            if isinstance(event, ActionCreated | ActionResolved) and event.content is not REDACTED:
                return event.kind, event.content
    raise NotFound("There is no such action.", code="action_unknown")


async def _approval(
    services: Services, user: User, action_id: str, kind: str, payload: dict[str, Json]
) -> ApproveAction:
    """What the card shows, read again as the tool's arguments: what it comes to is worked out as things are now."""
    brain = await services.handler.states.load(user.user_id)
    known = brain.actions.get(action_id)
    if known is None or known.status != "proposed":
        return ApproveAction(action_id=action_id, payload=payload, deed=None)
    setting = Setting.at(services.clock.user_now_ms(), brain, known.message_id, user.keys.ref)
    named = ARGUMENTS[kind].__struct_fields__
    arguments = {name: value for name, value in payload.items() if name in named}
    try:
        proposal = read_call(ToolCall(action_id, kind, msgspec.json.encode(arguments).decode()), setting)
    except NotUnderstood as refusal:
        raise Conflict(refusal.sentence, code="action_impossible") from None
    return ApproveAction(action_id=action_id, payload=payload, deed=proposal.deed)
