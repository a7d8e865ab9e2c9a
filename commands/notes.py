"""Notes: text snippets and pasted documents, each under a key of its own so that deleting one is final."""

from __future__ import annotations

from dataclasses import dataclass

from commands.context import CommandContext
from domain import limits
from domain.brain import Brain
from domain.errors import Conflict, Invalid, NotFound
from domain.events import BrainEvent, NoteAdded, NoteDeleted, NoteName, NoteText


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNote:
    """`note_id` is the client's or made by the caller; `note_ref` its keyed hash."""

    note_id: str
    note_ref: str
    text: str
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteNote:
    note_id: str
    note_ref: str


def add_note(command: AddNote, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    if not command.text.strip():
        raise Invalid("The note has no text.", code="text_empty")
    if len(command.text.encode()) > limits.NOTE_BYTES_MAX:
        raise Invalid(f"A note has at most {limits.NOTE_BYTES_MAX} bytes of UTF-8.", code="text_too_long")
    if command.note_ref in brain.notes:
        raise Conflict("A note with this id exists. Delete it first, or use another id.", code="note_exists")
    if len(brain.notes) >= limits.NOTES_MAX:
        raise Conflict(f"At most {limits.NOTES_MAX} notes. Delete one first.", code="notes_full")
    content = NoteText(note_id=command.note_id, text=command.text, title=command.title)
    return [NoteAdded(note_ref=command.note_ref, key_id=context.new_key_id(), content=content)]


def delete_note(command: DeleteNote, brain: Brain, context: CommandContext) -> list[BrainEvent]:
    known = brain.notes.get(command.note_ref)
    if known is None:
        raise NotFound("There is no such note.", code="note_unknown")
    name = NoteName(note_id=command.note_id)
    return [NoteDeleted(note_ref=command.note_ref, key_id=known.key_id, content=name)]
