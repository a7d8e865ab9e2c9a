"""What the offline model makes of notes: which one is to be deleted, and what the prompt's notes say. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from domain import limits
from workers.llm.offline.words import POLITE, QUOTES, Said
from workers.understanding.german_words import german
from workers.understanding.time_words import pattern

LINES_MAX = 8  # of a note, its beginning
CHARACTERS_MAX = 600

Notes = Sequence[tuple[str, list[str]]]  # title and lines of each

_DROP = r"(?:delete|remove|erase|drop|discard|trash|throw away|get rid of)"
_ABOUT = r"(?:about|on|of|with|called|titled|named|that says|saying|for|regarding|where|that)"
_DROP_GERMAN = german(r"(?:lösche?n?|entferne?|streiche?)")
_ABOUT_GERMAN = german(r"(?:über|zu|zum|zur|mit|von|vom|namens|dass|wo)")
_DELETE = (
    pattern(rf"{POLITE}{_DROP} (?:(?:the|my|that|this) )?notes? (?:{_ABOUT} )?(?P<what>\S.*)"),
    pattern(rf"{POLITE}{_DROP} (?:(?:the|my|that|this) )?(?P<what>\S.*?) notes?[.!]?"),
    pattern(rf"{POLITE}{_DROP} (?P<what>(?:the|my|that|this) note)[.!]?"),
    pattern(rf"{POLITE}{_DROP_GERMAN} (?:die|meine|diese) notiz (?:{_ABOUT_GERMAN} )?(?P<what>\S.*)"),
    pattern(rf"{POLITE}{_DROP_GERMAN} (?P<what>(?:die|meine|diese|alle|alle meine) notiz(?:en)?)[.!]?"),
)
_ARTICLE = re.compile(r"^(?:the|a|an|my|our|de[rnm]|die|das|einen?|meinen?|meine) (?=\S)", re.IGNORECASE)


def note_wish(sentence: str) -> Said | None:
    """The note that a sentence wants gone, in its words."""
    for known in _DELETE:
        match = known.fullmatch(sentence)
        if match is not None:
            what = _ARTICLE.sub("", match["what"].strip(QUOTES + " .!?„"), count=1)
            return "delete_note", {"note": what.strip(QUOTES + "„")[: limits.TITLE_CHARACTERS_MAX].strip()}
    return None


def attached_notes(notes: Notes) -> str:
    """As they were written: it can sum nothing up, and says so."""
    parts = [f"Your note “{title}” {_says(lines)}" for title, lines in notes]
    return "\n\n".join([*parts, "I cannot sum it up without a real model."])


def found_notes(notes: Notes, kept: int, *, is_all: bool = False) -> str:
    """`kept`: how many there are, of which `notes` fit what was asked for. `is_all`: all of them were."""
    if not notes:
        return "You have no notes yet." if not kept else f"I found nothing about that in your notes ({kept})."
    shown = "\n\n".join(f"{title} {_says(lines)}" for title, lines in notes)
    more = f"\n\nYou have {kept} notes: ask for one by what it is about." if is_all and kept > len(notes) else ""
    return f"{'From your note' if len(notes) == 1 else 'From your notes'}:\n\n{shown}{more}"


def _says(lines: Sequence[str]) -> str:
    text = "\n".join(lines[:LINES_MAX])
    shown = text[:CHARACTERS_MAX].rstrip()
    is_whole = len(lines) <= LINES_MAX and len(text) <= CHARACTERS_MAX
    quoted = "\n".join(f"> {line}" for line in shown.splitlines())
    return f"{'says' if is_whole else 'begins'}:\n{quoted}{'' if is_whole else ' …'}"
