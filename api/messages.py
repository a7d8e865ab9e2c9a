"""Chat over HTTP: post a message, stop a reply, ask for it again. The ack comes before any model is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request, Response, post
from litestar.params import FromPath

from api.live.cursor import Cursor
from api.schemas.answers import MessageAccepted, ReplyStopping
from api.schemas.requests import EmptyBody, MessageIn
from api.services import User, caller, check_body_user, run
from commands.conversations import MAIN_CONVERSATION_ID
from commands.handle import Answer, Outcome
from commands.messages import PostMessage, RegenerateReply, StopReply
from domain.events import MessageReceived, ReplyRequested
from domain.values import REDACTED, Json


@post(
    "/message",
    operation_id="postMessage",
    status_code=202,
    opt={"body": MessageIn, "answer": MessageAccepted},
    tags=["chat"],
)
async def post_message(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Accept a message. Its answer is streamed to the session and stands in the state afterwards."""
    services, call, user = await caller(request)
    body = call.read(MessageIn)
    check_body_user(body, user)
    return await run(
        services, user, call, message_command(body, user), accepted(services.generation), key=body.clientMessageId
    )


@post(
    "/message/{message_id:str}/stop",
    operation_id="stopReply",
    status_code=200,
    opt={"body": EmptyBody, "answer": ReplyStopping, "also": (202,)},
    tags=["chat"],
)
async def stop_reply(request: Request[Any, Any, Any], message_id: FromPath[str]) -> Response[bytes]:
    """Stop the reply with this id, or to the message with this id. 202 while its worker still ends it."""
    services, call, user = await caller(request)
    check_body_user(call.read(EmptyBody), user)
    return await run(services, user, call, StopReply(id=message_id), stopped(message_id))


@post(
    "/message/{message_id:str}/regenerate",
    operation_id="regenerateReply",
    status_code=202,
    opt={"body": EmptyBody, "answer": MessageAccepted},
    tags=["chat"],
)
async def regenerate_reply(request: Request[Any, Any, Any], message_id: FromPath[str]) -> Response[bytes]:
    """Ask for the reply again. The new one has a new id and supersedes the old one."""
    services, call, user = await caller(request)
    check_body_user(call.read(EmptyBody), user)
    return await run(services, user, call, RegenerateReply(id=message_id), accepted(services.generation))


def message_command(body: MessageIn, user: User) -> PostMessage:
    conversation_id = body.conversationId or MAIN_CONVERSATION_ID
    return PostMessage(
        channel=body.channel,
        text=body.text,
        conversation_id=conversation_id,
        conversation_ref=user.keys.ref("conversation", conversation_id),
        context_ids=tuple((given, user.keys.ref("note", given)) for given in body.contextIds or ()),
        client_message_id=body.clientMessageId,
        session_id=body.sessionId,
        language=body.language,
        intent=body.intent,
        speak=body.speak is True,
    )


def stream_url(session_id: str, generation: str, version: int) -> str:
    """Root-relative; followed at any time it gives everything after `version`."""
    return f"/api/v1/stream/{session_id}?after={Cursor(generation=generation, version=version)}"


def accepted(generation: str) -> Callable[[Outcome], Answer]:
    """The ack of a message or of a regenerated reply."""

    def answer(outcome: Outcome) -> Answer:
        requested = next(fact.event for fact in outcome.facts if isinstance(fact.event, ReplyRequested))
        received = next((fact.event for fact in outcome.facts if isinstance(fact.event, MessageReceived)), None)
        conversation = outcome.after.conversations[requested.reply.conversation_ref]
        session_id = received.session_id if received is not None else None
        session_id = session_id or list(outcome.after.sessions)[-1]
        body: dict[str, Json] = {
            "status": "accepted",
            "messageId": requested.reply.message_id,
            "replyId": requested.reply.reply_id,
            "conversationId": conversation.conversation_id,
            "sessionId": session_id,
            "streamUrl": stream_url(session_id, generation, outcome.before.version),
            "version": outcome.after.version,
        }
        if requested.reply.supersedes is not None:
            body["supersedes"] = requested.reply.supersedes
        if received is not None and received.content is not REDACTED and received.content.client_message_id is not None:
            body["clientMessageId"] = received.content.client_message_id
        return Answer(body=body, status=202, key_id=conversation.key_id)

    return answer


def stopped(given: str) -> Callable[[Outcome], Answer]:
    def answer(outcome: Outcome) -> Answer:
        reply = outcome.after.find_reply(given)
        assert reply is not None
        running = reply.status == "stopping"
        body: dict[str, Json] = {
            "status": "stopping" if running else reply.status,
            "messageId": reply.ref.message_id,
            "replyId": reply.ref.reply_id,
            "version": reply.version,
        }
        return Answer(body=body, status=202 if running else 200)

    return answer
