"""Notes over HTTP: text snippets and pasted documents that a message can name in `contextIds`."""

from __future__ import annotations

import hashlib
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.params import FromPath

from api.queries import answer_query
from api.schemas.answers import DeletedOut, NoteOut, NotesOut
from api.schemas.requests import NoteIn
from api.services import User, caller, check_body_user, run
from commands.handle import Answer, Outcome
from commands.notes import AddNote, DeleteNote
from domain.events import NoteAdded
from domain.shapes import note_json
from domain.values import REDACTED
from infra.ids import new_id
from projections.state_queries import fetch_notes


@post("/notes", operation_id="addNote", status_code=201, opt={"body": NoteIn, "answer": NoteOut}, tags=["notes"])
async def add_note(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Keep a note, under the client's id or a new one."""
    services, call, user = await caller(request)
    body = call.read(NoteIn)
    check_body_user(body, user)
    note_id = body.id or _new_note_id(user, call.idempotency_key)
    command = AddNote(note_id=note_id, note_ref=user.keys.ref("note", note_id), text=body.text, title=body.title)

    def answer(outcome: Outcome) -> Answer:
        fact = next(fact for fact in outcome.facts if isinstance(fact.event, NoteAdded))
        event = fact.event
        assert isinstance(event, NoteAdded)
        assert event.content is not REDACTED
        shape = note_json(
            note_id,
            title=event.content.title,
            text=event.content.text,
            created_at_ms=fact.meta.at_ms,
            version=fact.meta.end_version,
        )
        return Answer(body=shape, status=201, key_id=event.key_id)

    return await run(services, user, call, command, answer)


def _new_note_id(user: User, key: str | None) -> str:
    """Sent again with the same key, a note must get the same id; without one it gets an id that no other has."""
    source = new_id() if key is None else f"{user.user_id}\n{key}"
    return f"n_{hashlib.sha256(source.encode()).hexdigest()[:32]}"


@get(
    "/notes",
    operation_id="listNotes",
    tags=["notes"],
    opt={"query": ("min_version",), "answer": NotesOut, "also": (304,)},
)
async def list_notes(request: Request[Any, Any, Any]) -> Response[bytes]:
    """All notes with their text, oldest first."""
    return await answer_query(request, lambda views, user: fetch_notes(views.reader, user.user_id))


@delete("/notes/{note_id:str}", operation_id="deleteNote", status_code=200, opt={"answer": DeletedOut}, tags=["notes"])
async def delete_note(request: Request[Any, Any, Any], note_id: FromPath[str]) -> Response[bytes]:
    """Delete a note for good: its text can't be read again by anybody."""
    services, call, user = await caller(request)

    def answer(outcome: Outcome) -> Answer:
        return Answer(body={"id": note_id, "deleted": True, "version": outcome.after.version})

    command = DeleteNote(note_id=note_id, note_ref=user.keys.ref("note", note_id))
    return await run(services, user, call, command, answer)
