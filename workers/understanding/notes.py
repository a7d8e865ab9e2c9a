"""What a message asks about the user's notes, and which of them fit it. Pure.

A question about notes is the user's own; what the notes say in return is data. Must not delete anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from commands.phrases.words import words
from commands.setting import KeptNote
from domain.events import Fact, NoteAdded, NoteText
from domain.local_times import local_moment
from domain.text_search import telling_words, words_found
from domain.values import REDACTED

TOLD_MAX = 20
QUESTION_CHARACTERS_MAX = 300
WORDS_MAX = 10  # of a question, that notes are looked through for

_NOTES = r"\b(?:notes?|notiz(?:en)?)\b"
_ASKS = re.compile(
    rf"\b(?:show|list|read|give|tell|see|display|open|find|search|check|zeige?|lies|such|finde?)\b.{{0,40}}?{_NOTES}"
    rf"|\b(?:what|which|any|do|does|did|where|how many|was|welche|habe?|wo|wie viele)\b.{{0,60}}?{_NOTES}.*\?"
    rf"|^(?:(?:all|alle) )?(?:my|meine) {_NOTES}|^{_NOTES}[ ]+(?:about|on|zu|zum|zur|(?:ü|ue)ber)\b"
    r"|\bwhat (?:did|have) i (?:note|write|jot|wrote|noted|written|jotted)\b"
    r"|\bwas (?:habe?|hatte) ich (?:mir )?.{0,60}?\b(?:notiert|aufgeschrieben)\b",
    re.IGNORECASE | re.DOTALL,
)
# They look for a note, and stand in none of those that are meant. Folded, as `telling_words` gives them.
_ASKING_WORDS = words(
    "note notes noted notiz notizen notiert show list read give tell see display open find search check write wrote "
    "written jot jotted down say says all many much can could please today yesterday ago last latest newest recent "
    "zeig zeige lies such suche find finde alle viele steht stehen aufgeschrieben geschrieben bitte gestern heute "
    "letzte letzten"
)
_QUESTION = re.compile(
    r"(?:(?:hey|hi|ok|okay|so|and|und)[\s,]+)*(?:what|where|when|who|which|how|was|wo|wann|wer|wie|welche\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NotesAsked:
    """`words` tell which ones, none: all. `is_plain`: the message speaks of notes; else it is a question that one of
    them may answer."""

    words: tuple[str, ...]
    is_plain: bool


def notes_asked(text: str) -> NotesAsked | None:
    """What the user's own words ask about notes; None where they ask for nothing that a note may say."""
    text = " ".join(text.split())[:QUESTION_CHARACTERS_MAX]
    telling = tuple(word for word in telling_words(text) if word not in _ASKING_WORDS)[:WORDS_MAX]
    if _ASKS.search(text) is not None:
        return NotesAsked(telling, is_plain=True)
    return NotesAsked(telling, is_plain=False) if telling and _QUESTION.match(text) is not None else None


def kept_notes(facts: Iterable[Fact], zone: str) -> list[KeptNote]:
    """Newest first, without those that were deleted meanwhile."""
    notes = []
    for fact in sorted(facts, key=lambda each: -each.version):
        content = note_text(fact)
        if content is not None and isinstance(fact.event, NoteAdded):
            day = local_moment(fact.meta.at_ms, zone).date().isoformat()
            notes.append(
                KeptNote(
                    note_ref=fact.event.note_ref,
                    note_id=content.note_id,
                    text=content.text,
                    title=content.title,
                    kept_on=day,
                )
            )
    return notes


def fitting_notes(facts: Sequence[Fact], asked: NotesAsked) -> list[Fact]:
    """Those that have all of the words, newest first; of a plain question those that have any, where none has all."""
    newest = sorted((fact for fact in facts if note_text(fact) is not None), key=lambda fact: -fact.version)
    found = [(fact, words_found(_text(fact), asked.words)) for fact in newest]
    fitting = [fact for fact, count in found if count == len(asked.words)]
    if not fitting and asked.is_plain:
        fitting = [fact for fact, count in found if count]
    return fitting[:TOLD_MAX]


def note_text(fact: Fact) -> NoteText | None:
    """What the note says; None of one that was deleted, and of what is no note."""
    event = fact.event
    return event.content if isinstance(event, NoteAdded) and event.content is not REDACTED else None


def _text(fact: Fact) -> str:
    content = note_text(fact)
    return "" if content is None else f"{content.title or ''}\n{content.text}"
