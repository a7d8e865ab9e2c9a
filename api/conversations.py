"""Conversations over HTTP: list, page back, rename, archive, delete for good."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, patch

from api.queries import answer_query
from api.schemas import ConversationIn
from api.services import caller, check_body_user, run
from commands.conversations import ChangeConversation, DeleteConversation
from commands.handle import Answer, Outcome
from domain.values import Json
from infra import codec

PAGE = ("min_version", "limit", "cursor")


@get("/conversations", operation_id="listConversations", tags=["conversations"], opt={"query": (*PAGE, "archived")})
async def list_conversations(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Conversations, the last used first."""
    return await answer_query(
        request,
        lambda views, user: views.conversations(user.user_id),
    )


@patch(
    "/conversations/{conversation_id:str}",
    operation_id="changeConversation",
    opt={"body": ConversationIn},
    tags=["conversations"],
)
async def change_conversation(request: Request[Any, Any, Any], conversation_id: str) -> Response[bytes]:
    """Rename, archive or restore; what is left out stays as it is."""
    services, call, user = await caller(request)
    body = call.read(ConversationIn)
    check_body_user(body, user)
    ref = codec.ref("c", conversation_id, user.keys)

    def answer(outcome: Outcome) -> Answer:
        known = outcome.after.conversations[ref]
        shape: dict[str, Json] = {
            "id": conversation_id,
            "main": known.main,
            "archived": known.archived,
            "version": known.version,
        }
        if body.title is not None:
            shape["title"] = body.title.strip()
        return Answer(body=shape, key_id=known.key_id)

    command = ChangeConversation(conversation_ref=ref, title=body.title, archived=body.archived)
    return await run(services, user, call, command, answer)


@delete(
    "/conversations/{conversation_id:str}", operation_id="deleteConversation", status_code=200, tags=["conversations"]
)
async def delete_conversation(request: Request[Any, Any, Any], conversation_id: str) -> Response[bytes]:
    """Delete a conversation for good: its text can't be read again by anybody. What it made, stays."""
    services, call, user = await caller(request)

    def answer(outcome: Outcome) -> Answer:
        return Answer(body={"id": conversation_id, "deleted": True, "version": outcome.after.version})

    command = DeleteConversation(conversation_ref=codec.ref("c", conversation_id, user.keys))
    return await run(services, user, call, command, answer)
