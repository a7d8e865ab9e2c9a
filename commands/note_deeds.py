"""Notes by chat: what a call about one comes to. Pure.

Texts of notes are no part of the state: whoever reads the call gives those that may be meant. What is deleted is gone
for good, so only a note that is the only one to fit is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from commands.actions import Deed
from commands.arguments import AddNoteArguments, DeleteNoteArguments, NotUnderstood
from commands.notes import AddNote, DeleteNote
from commands.phrases.words import words
from commands.setting import KeptNote, Setting
from domain.text import clean, one_line
from domain.text_search import has_words, telling_words
from domain.values import Json

NO_NOTES_HERE = "Notes can only be deleted in a chat, so nothing was done."
ONE_AT_A_TIME = (
    "I delete notes one at a time, so nothing was deleted. Say which one, such as “delete the note about …”."
)

SHOWN_MAX = 3  # of the notes that fit alike
SHOWN_CHARACTERS_MAX = 60
BEGINNING_CHARACTERS_MIN = 200  # of a text that is cut: as much of it names a note

_ALL = re.compile(r"(?:all|every|each|alle|jede)\b", re.IGNORECASE)
# In the spelling that `telling_words` gives them.
_NOTE_WORDS = words("note notes notiz notizen please bitte last latest newest letzte letzten")


def add_note(arguments: AddNoteArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    text, title = clean(arguments.text).strip(), one_line(arguments.title or "") or None
    if not text:
        raise NotUnderstood("The note has no text, so nothing was kept.")
    # The same text of the same message is the same note, whoever says it again.
    note_id = setting.ref("note of message", f"{setting.message_id} {text}")
    payload: dict[str, Json] = {"text": text} if title is None else {"title": title, "text": text}
    return payload, AddNote(note_id=note_id, note_ref=setting.ref("note", note_id), text=text, title=title)


def delete_note(arguments: DeleteNoteArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    """The payload names it in the words of the call: of a text that is to be gone no copy is made."""
    if setting.notes is None:
        raise NotUnderstood(NO_NOTES_HERE)
    found = find_note(arguments.note, setting.notes)
    payload: dict[str, Json] = {"noteId": found.note_id, "note": one_line(arguments.note), "keptOn": found.kept_on}
    return payload, DeleteNote(note_id=found.note_id, note_ref=found.note_ref)


def find_note(said: str, notes: Sequence[KeptNote]) -> KeptNote:
    """The note that is meant: by its id, its title, its text, or words of it that fit only one. `notes` are newest
    first. Raises `NotUnderstood`."""
    wanted = one_line(said).strip(" .!?\"“”„'")
    same = [note for note in notes if note.note_id == wanted or _is_called(note, wanted.casefold())]
    if same:
        return same[0]
    if _ALL.match(wanted):
        raise NotUnderstood(ONE_AT_A_TIME)
    telling = [word for word in telling_words(wanted) if word not in _NOTE_WORDS]
    fitting = [note for note in notes if has_words(f"{note.title or ''}\n{note.text}", telling)]
    if not fitting:
        about = f" about “{wanted}”" if telling else ""
        raise NotUnderstood(f"I found no note{about}, so nothing was deleted.")
    if len(fitting) > 1:
        shown = ", ".join(f"“{_beginning(note)}”" for note in fitting[:SHOWN_MAX])
        more = f" and {len(fitting) - SHOWN_MAX} more" if len(fitting) > SHOWN_MAX else ""
        raise NotUnderstood(
            f"More than one note fits, so nothing was deleted: {shown}{more}. Please say more of the one that you mean."
        )
    return fitting[0]


def _is_called(note: KeptNote, wanted: str) -> bool:
    text = one_line(note.text).strip(" .!?\"“”„'").casefold()
    is_beginning = len(wanted) >= BEGINNING_CHARACTERS_MIN and text.startswith(wanted)
    return wanted in (text, one_line(note.title or "").casefold()) or is_beginning


def _beginning(note: KeptNote) -> str:
    text = one_line(note.title or note.text)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX].rstrip()} …"
