"""Conversations over HTTP: list, page back, rename, archive, delete for good."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, patch
from litestar.params import FromPath

from api.http.query import integer
from api.http.request import call_of
from api.queries import answer_query
from api.schemas.answers import ConversationChanged, ConversationsOut, DeletedOut, MessagesOut
from api.schemas.requests import ConversationIn
from api.services import Services, User, caller, check_body_user, run
from api.views import Views
from commands.conversations import ChangeConversation, DeleteConversation
from commands.handle import Answer, Outcome
from domain.errors import Invalid
from domain.values import Json
from projections.chat_queries import fetch_conversations, fetch_messages, fetch_title
from projections.reading import Fetched

PAGE = ("min_version", "limit", "cursor")


@get(
    "/conversations",
    operation_id="listConversations",
    tags=["conversations"],
    opt={"query": (*PAGE, "archived"), "answer": ConversationsOut, "also": (304,)},
)
async def list_conversations(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Conversations, the last used first; `archived` true or false gives one kind only."""
    query = call_of(request).query
    given = query.get("archived")
    if given not in (None, "true", "false"):
        raise Invalid("archived is true or false.", code="archived_invalid")
    archived = None if given is None else given == "true"
    limit = integer(query, "limit", default=50, minimum=1, maximum=500) or 50

    async def fetch(views: Views, user: User) -> Fetched:
        return await fetch_conversations(
            views.reader, user.user_id, archived=archived, limit=limit, cursor=query.get("cursor")
        )

    return await answer_query(request, fetch, view="chat")


@get(
    "/conversations/{conversation_id:str}/messages",
    operation_id="listMessages",
    tags=["conversations"],
    opt={"query": PAGE, "answer": MessagesOut, "also": (304,)},
)
async def list_messages(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> Response[bytes]:
    """The newest messages, oldest first; `nextCursor` leads back through all history."""
    query = call_of(request).query
    limit = integer(query, "limit", default=50, minimum=1, maximum=500) or 50

    async def fetch(views: Views, user: User) -> Fetched:
        ref = user.keys.ref("conversation", conversation_id)
        return await fetch_messages(views.reader, user.user_id, ref, limit=limit, cursor=query.get("cursor"))

    return await answer_query(request, fetch, view="chat")


@patch(
    "/conversations/{conversation_id:str}",
    operation_id="changeConversation",
    opt={"body": ConversationIn, "answer": ConversationChanged},
    tags=["conversations"],
)
async def change_conversation(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> Response[bytes]:
    """Rename, archive or restore; what is left out stays as it is."""
    services, call, user = await caller(request)
    body = call.read(ConversationIn)
    check_body_user(body, user)
    for name in ("title", "archived"):
        if name in body.model_fields_set and getattr(body, name) is None:
            raise Invalid(f"{name} can't be cleared. Send another value, or leave it out.", code="not_clearable")
    ref = user.keys.ref("conversation", conversation_id)
    title = body.title.strip() if body.title is not None else await _title_of(services, user, ref)

    def answer(outcome: Outcome) -> Answer:
        known = outcome.after.conversations[ref]
        shape: dict[str, Json] = {
            "id": conversation_id,
            "main": known.main,
            "archived": known.archived,
            "version": known.version,
        }
        if title is not None:
            shape["title"] = title
        return Answer(body=shape, key_id=known.key_id)

    command = ChangeConversation(conversation_ref=ref, title=body.title, archived=body.archived)
    return await run(services, user, call, command, answer)


async def _title_of(services: Services, user: User, ref: str) -> str | None:
    """The title that stays: it is under a destroyable key and so not in the state, but in a view."""
    await services.views.catch_up(("chat",), user.user_id)
    return await fetch_title(services.views.reader, user.user_id, ref)


@delete(
    "/conversations/{conversation_id:str}",
    operation_id="deleteConversation",
    status_code=200,
    opt={"answer": DeletedOut},
    tags=["conversations"],
)
async def delete_conversation(request: Request[Any, Any, Any], conversation_id: FromPath[str]) -> Response[bytes]:
    """Delete a conversation for good: its text can't be read again by anybody. What it made, stays."""
    services, call, user = await caller(request)

    def answer(outcome: Outcome) -> Answer:
        return Answer(body={"id": conversation_id, "deleted": True, "version": outcome.after.version})

    command = DeleteConversation(conversation_ref=user.keys.ref("conversation", conversation_id))
    return await run(services, user, call, command, answer)
