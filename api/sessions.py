"""Sessions over HTTP: a client's place to listen, and tickets for clients that cannot send headers."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import FromPath

from api.messages import stream_url
from api.queries import answer_query
from api.schemas.answers import SessionClosedOut, SessionOpenedOut, SessionsOut, TicketOut
from api.schemas.requests import EmptyBody
from api.services import User, caller, check_body_user, json_response, run
from api.views import Views
from commands.handle import Answer, Outcome
from commands.sessions import CloseSession, OpenSession
from domain.events import SessionOpened
from projections.reading import Fetched
from projections.state_queries import fetch_sessions


@post(
    "/sessions",
    operation_id="openSession",
    status_code=201,
    opt={"body": EmptyBody, "answer": SessionOpenedOut},
    tags=["sessions"],
)
async def open_session(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Open a session. Its stream carries everything of the user, from any session of theirs."""
    services, call, user = await caller(request)
    check_body_user(call.read(EmptyBody), user)

    def answer(outcome: Outcome) -> Answer:
        opened = next(fact.event for fact in outcome.facts if isinstance(fact.event, SessionOpened))
        version = outcome.after.version
        url = stream_url(opened.session_id, services.generation, version)
        return Answer(body={"sessionId": opened.session_id, "streamUrl": url, "version": version}, status=201)

    return await run(services, user, call, OpenSession(), answer)


@get(
    "/sessions",
    operation_id="listSessions",
    tags=["sessions"],
    opt={"query": ("min_version",), "answer": SessionsOut, "also": (304,)},
)
async def list_sessions(request: Request[Any, Any, Any]) -> Response[bytes]:
    """All sessions with when they were last seen; a dropped client's is inactive and can be resumed."""

    async def fetch(views: Views, user: User) -> Fetched:
        fetched = await fetch_sessions(views.reader, user.user_id)
        sessions = await views.with_presence(user.user_id, fetched.body["sessions"])
        return Fetched(fetched.mark, {**fetched.body, "sessions": sessions})

    return await answer_query(request, fetch)


@delete(
    "/sessions/{session_id:str}",
    operation_id="closeSession",
    status_code=200,
    opt={"answer": SessionClosedOut},
    tags=["sessions"],
)
async def close_session(request: Request[Any, Any, Any], session_id: FromPath[str]) -> Response[bytes]:
    """Close a session. Its streams end."""
    services, call, user = await caller(request)

    def answer(outcome: Outcome) -> Answer:
        return Answer(body={"sessionId": session_id, "deleted": True, "version": outcome.after.version})

    return await run(services, user, call, CloseSession(session_id=session_id), answer)


@post(
    "/stream/ticket",
    operation_id="issueStreamTicket",
    status_code=201,
    opt={"body": EmptyBody, "answer": TicketOut},
    tags=["stream"],
)
async def issue_ticket(request: Request[Any, Any, Any]) -> Response[bytes]:
    """A ticket for one stream or WebSocket (`?ticket=`), good once and for 30 seconds."""
    services, call, user = await caller(request)
    check_body_user(call.read(EmptyBody), user)
    ticket = await services.tickets.issue(call.user(), user.user_id)
    version = await services.log.head(user.user_id)
    shape = {"ticket": ticket, "expiresIn": services.settings.ticket_seconds, "version": version}
    return json_response(msgspec.json.encode(shape), 201, version)
