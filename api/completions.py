"""`POST /complete-llm`: a final output made elsewhere, stored under the same fence as a worker's. For services only."""

from __future__ import annotations

from typing import Any

from litestar import Request as HttpRequest
from litestar import Response, post

from api.request import call_of
from api.schemas import CompletionIn
from api.services import Services, json_response, services_of
from commands.handle import Answer, Outcome, Request
from commands.replies import Ending, EndReplyByTakeover
from domain.errors import Conflict, Forbidden, NotFound, StaleAttempt
from domain.values import ModelUsage

OWNER = "complete-llm"


@post("/complete-llm", operation_id="completeReply", status_code=200, opt={"body": CompletionIn}, tags=["internal"])
async def complete_llm(request: HttpRequest[Any, Any, Any]) -> Response[bytes]:
    """End a reply with this text. 409 when it has ended already."""
    services, call = services_of(request), call_of(request)
    if not call.service:
        raise Forbidden("This is for services, not for users.")
    body = call.read(CompletionIn)
    reply_id = await _reply_id(services, body)
    usage = ModelUsage(input_tokens=body.usage.inputTokens, output_tokens=body.usage.outputTokens)
    command = EndReplyByTakeover(
        reply_id=reply_id, after_attempt=None, owner=OWNER, ending=Ending(text=body.text, usage=usage)
    )

    def answer(outcome: Outcome) -> Answer:
        reply = outcome.after.replies[reply_id]
        shape = {
            "status": reply.status,
            "messageId": reply.ref.message_id,
            "replyId": reply_id,
            "version": outcome.after.version,
        }
        return Answer(body=shape)

    origin = Request(
        key=call.idempotency_key, fingerprint=call.fingerprint(), correlation_id=call.request_id, origin="system"
    )
    try:
        handled = await services.handler.handle(body.userId, command, origin, answer)
    except StaleAttempt:
        raise Conflict("This reply has ended already.", code="reply_ended") from None
    return json_response(handled.body, handled.status, handled.version)


async def _reply_id(services: Services, body: CompletionIn) -> str:
    """The reply that `messageId` names, itself or by the message that it answers. Raises `NotFound`."""
    await services.keyring.load(body.userId)
    brain = await services.handler.states.refresh(body.userId)
    reply = brain.find_reply(body.messageId)
    if reply is None:
        raise NotFound("There is no such message.", code="message_unknown")
    return reply.ref.reply_id
