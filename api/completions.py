"""`POST /complete-llm`: a final output made elsewhere, stored under the same fence as a worker's. For services only.

With actions the reply is claimed as a worker claims it, each action is committed under that attempt, and then the text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request as HttpRequest
from litestar import Response, post

from api.http.request import Call, call_of
from api.schemas.answers import CompletionOut
from api.schemas.requests import CompletionAction, CompletionIn
from api.services import Services, json_response, services_of
from commands.arguments import NotUnderstood, read_arguments
from commands.context import action_id
from commands.deeds import read_call
from commands.handle import Answer, Handled, Outcome, Request
from commands.replies import CompleteReply, Ending, EndReplyByTakeover, StartReply
from commands.setting import Setting
from domain.brain import ActionRecord, Reply
from domain.errors import Conflict, Forbidden, Invalid, NotFound, StaleAttempt
from domain.events import ActionCreated
from domain.ports import ToolCall
from domain.values import REDACTED, Json, ModelUsage
from infra.ids import new_id

OWNER = f"complete-llm:{new_id()}"  # this process: whoever sends a request again here goes on with its own lease
OPT = {"body": CompletionIn, "answer": CompletionOut}


@post("/complete-llm", operation_id="completeReply", status_code=200, opt=OPT, tags=["internal"])
async def complete_llm(request: HttpRequest[Any, Any, Any]) -> Response[bytes]:
    """End a reply with this text, after these actions. 409 when it has ended already, or is another worker's."""
    services, call = services_of(request), call_of(request)
    if not call.service:
        raise Forbidden("This is for services, not for users.")
    body = call.read(CompletionIn)
    calls = [_tool_call(action) for action in body.actions]
    origin = _origin(call)
    if (before := await services.handler.find_answer(body.userId, origin)) is not None:
        return json_response(before.body, before.status, before.version)
    reply = await _reply(services, body)
    try:
        if calls:
            handled = await _end_after_actions(services, body, reply, calls, origin)
        else:
            handled = await _end(services, body, reply, origin)
    except StaleAttempt:
        raise Conflict("This reply has ended already, or another worker has it.", code="reply_ended") from None
    return json_response(handled.body, handled.status, handled.version)


def _origin(call: Call) -> Request:
    # No user can send a key with this first character.
    key = None if call.idempotency_key is None else f"\0service:{call.idempotency_key}"
    return Request(key=key, fingerprint=call.fingerprint(), correlation_id=call.request_id, origin="system")


def _tool_call(action: CompletionAction) -> ToolCall:
    call = ToolCall("", action.action, msgspec.json.encode(action.payload).decode())
    try:
        read_arguments(call)
    except NotUnderstood:
        raise Invalid(
            f"The payload of {action.action} is not what the tool of this name takes. Nothing was done.",
            code="action_invalid",
        ) from None
    return call


async def _reply(services: Services, body: CompletionIn) -> Reply:
    """The reply that `messageId` names, itself or by the message that it answers. Raises `NotFound`."""
    await services.keyring.load(body.userId)
    brain = await services.handler.states.refresh(body.userId)
    reply = brain.find_reply(body.messageId)
    if reply is None:
        raise NotFound("There is no such message.", code="message_unknown")
    return reply


def _ending(body: CompletionIn) -> Ending:
    usage = ModelUsage(input_tokens=body.usage.inputTokens, output_tokens=body.usage.outputTokens)
    return Ending(text=body.text, usage=usage)


async def _end(services: Services, body: CompletionIn, reply: Reply, origin: Request) -> Handled:
    """Text alone ends whatever attempt runs, in one command."""
    command = EndReplyByTakeover(reply_id=reply.ref.reply_id, after_attempt=None, owner=OWNER, ending=_ending(body))
    return await services.handler.handle(body.userId, command, origin, _answer(reply, []))


async def _end_after_actions(
    services: Services, body: CompletionIn, reply: Reply, calls: list[ToolCall], origin: Request
) -> Handled:
    """Raises `StaleAttempt`, and `Conflict` while another worker's lease lives."""
    reply_id, attempt = reply.ref.reply_id, reply.attempt + 1
    claim = StartReply(
        reply_id=reply_id,
        after_attempt=reply.attempt,
        owner=OWNER,
        lease_seconds=services.settings.lease_seconds,
        reserved_tokens=0,
    )
    about = Request(causation_id=reply.ref.message_id, correlation_id=reply.ref.message_id, origin="system")
    await services.handler.handle(body.userId, claim, about)
    ordinals: Counter[str] = Counter()
    done: list[Json] = []
    for call in calls:
        ordinals[call.name] += 1
        try:
            done.append(await _act(services, body.userId, reply, attempt, call, ordinals[call.name]))
        except StaleAttempt:
            break  # a stop was asked for meanwhile, which the end below makes of it; or it is another's, and it fails
    complete = CompleteReply(reply_id=reply_id, attempt=attempt, ending=_ending(body))
    return await services.handler.handle(body.userId, complete, origin, _answer(reply, done))


async def _act(
    services: Services, user_id: str, reply: Reply, attempt: int, call: ToolCall, ordinal: int
) -> dict[str, Json]:
    """Run one action, unless an earlier attempt did; what it came to. Raises `StaleAttempt`."""
    message_id = reply.ref.message_id
    identity = action_id(user_id, message_id, call.name, ordinal)
    brain = await services.handler.states.load(user_id)
    if (known := brain.actions.get(identity)) is not None:
        return _done(call.name, identity, known)
    keys = await services.keyring.load(user_id)
    setting = Setting.at(services.clock.user_now_ms(), brain, message_id, keys.ref)
    try:
        proposal = read_call(call, setting)
    except NotUnderstood as refusal:
        return {"action": call.name, "status": "refused", "reason": refusal.sentence}
    command = proposal.command(reply_id=reply.ref.reply_id, attempt=attempt, ordinal=ordinal)
    about = Request(causation_id=identity, correlation_id=message_id, origin="assistant")
    handled = await services.handler.handle(user_id, command, about)
    assert handled.outcome is not None  # it has no key, so no earlier one can be found in its place
    shape = _done(call.name, identity, handled.outcome.after.actions[identity])
    for fact in handled.outcome.facts:
        if isinstance(fact.event, ActionCreated) and fact.event.content is not REDACTED and fact.event.content.reason:
            shape["reason"] = fact.event.content.reason
    return shape


def _done(kind: str, identity: str, known: ActionRecord) -> dict[str, Json]:
    shape: dict[str, Json] = {"action": kind, "id": identity, "status": known.status}
    if known.result_id is not None:
        shape["resultId"] = known.result_id
    return shape


def _answer(reply: Reply, done: list[Json]) -> Callable[[Outcome], Answer]:
    def answer(outcome: Outcome) -> Answer:
        ended = outcome.after.replies[reply.ref.reply_id]
        shape: dict[str, Json] = {
            "status": ended.status,
            "messageId": ended.ref.message_id,
            "replyId": ended.ref.reply_id,
            "actions": done,
            "version": outcome.after.version,
        }
        return Answer(body=shape, key_id=outcome.after.conversations[ended.ref.conversation_ref].key_id)

    return answer
