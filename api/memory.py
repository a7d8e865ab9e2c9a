"""Pinned memories over HTTP."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath

from api.queries import answer_query
from api.schemas.answers import DeletedOut, MemoriesOut, MemoryOut
from api.schemas.requests import PinIn
from api.services import caller, check_body_user, run
from commands.handle import Answer, Outcome
from commands.memory import ForgetMemory, PinMemory
from domain.shapes import memory_json
from projections.state_queries import fetch_memories


@post(
    "/memory/pin",
    operation_id="pinMemory",
    status_code=201,
    opt={"body": PinIn, "answer": MemoryOut, "also": (200,)},
    tags=["memory"],
)
async def pin_memory(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Pin a fact. The same type and key replaces (200), keeping what it replaced."""
    services, call, user = await caller(request)
    body = call.read(PinIn)
    check_body_user(body, user)

    def answer(outcome: Outcome) -> Answer:
        for memory_id, known in outcome.after.memories.items():
            if (known.memory.type, known.memory.key) == (body.type, body.key):
                shape = memory_json(memory_id, known.memory, pinned_at_ms=known.pinned_at_ms, version=known.version)
                return Answer(body=shape, status=200 if memory_id in outcome.before.memories else 201)
        raise AssertionError("a pinned memory is not in the state")

    return await run(services, user, call, PinMemory(type=body.type, key=body.key, value=body.value), answer)


@get(
    "/memory",
    operation_id="listMemories",
    tags=["memory"],
    opt={"query": ("min_version",), "answer": MemoriesOut, "also": (304,)},
)
async def list_memories(request: Request[Any, Any, Any]) -> Response[bytes]:
    """All pinned memories, oldest first."""
    return await answer_query(request, lambda views, user: fetch_memories(views.reader, user.user_id))


@delete(
    "/memory/{memory_id:str}",
    operation_id="forgetMemory",
    status_code=200,
    opt={"answer": DeletedOut},
    tags=["memory"],
)
async def forget_memory(request: Request[Any, Any, Any], memory_id: FromPath[str]) -> Response[bytes]:
    """Forget a memory."""
    services, call, user = await caller(request)

    def answer(outcome: Outcome) -> Answer:
        return Answer(body={"id": memory_id, "deleted": True, "version": outcome.after.version})

    return await run(services, user, call, ForgetMemory(memory_id=memory_id), answer)
