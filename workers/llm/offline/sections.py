"""The sections of a prompt as the offline model reads them: headings, items, notes, and words to find them by. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from domain.ports import PromptMessage

LINES_MAX = 20  # of a section, in an answer

_HEADING = re.compile(r"#{1,3}\s+(.+?)\s*#*\s*")
_NOW = re.compile(r"(?P<now>(?P<day>[A-Z][a-z]+day \d{4}-\d\d-\d\d) (?P<hour>\d\d:\d\d)) \((?P<zone>.+)\)")
_KEPT = re.compile(r"What fits it of the user's notes \((\d+)\)\.")
_QUESTION_WORDS = frozenset({"what", "which", "who", "whose", "where", "when", "how"})
_LITTLE_WORDS = frozenset({"is", "are", "was", "do", "does", "did", "the", "a", "an", "s", "of", "for", "to"})
_SELF_WORDS = frozenset({"i", "me", "my", "mine", "am", "have", "has", "like", "prefer", "called", "named", "again"})
_POLITE_WORDS = frozenset({"you", "there", "any", "and", "please", "in", "at", "on"})
_GERMAN_WORDS = frozenset(
    {
        *("was", "wer", "wo", "wann", "wie", "welche", "welcher", "welches", "ist", "sind", "war", "heißt", "heisst"),
        *("mein", "meine", "meinen", "ich", "mir", "der", "die", "das", "den", "ein", "eine", "habe", "hat", "noch"),
    }
)
_EMPTY = _QUESTION_WORDS | _LITTLE_WORDS | _SELF_WORDS | _POLITE_WORDS | _GERMAN_WORDS


def sections_of(messages: Sequence[PromptMessage]) -> dict[str, list[str]]:
    """The items under each heading of the system messages, by heading in lower case."""
    sections: dict[str, list[str]] = {}
    for heading, lines in headed(messages):
        items = sections.setdefault(heading.lower(), [])
        items += [line[2:].strip() for line in lines if line.startswith("- ") and line[2:].strip()]
    return sections


def headed(messages: Sequence[PromptMessage]) -> Iterator[tuple[str, list[str]]]:
    """The headings of the system messages, each with the lines under it."""
    for message in messages:
        heading: str | None = None
        lines: list[str] = []
        for line in message.content.splitlines() if message.role == "system" else ():
            if match := _HEADING.fullmatch(line):
                if heading is not None:
                    yield heading, lines
                heading, lines = match.group(1), []
            else:
                lines.append(line)
        if heading is not None:
            yield heading, lines


def section(sections: Mapping[str, list[str]], *words: str) -> list[str]:
    """The items of all sections whose heading has one of the words in it."""
    return [item for heading, items in sections.items() if any(word in heading for word in words) for item in items]


def notes_under(heading: str, messages: Sequence[PromptMessage]) -> list[tuple[str, list[str]]]:
    """Title and lines of each note."""
    notes: list[tuple[str, list[str]]] = []
    for line in [line for known, lines in headed(messages) if known == heading for line in lines]:
        if line.startswith("- "):
            notes.append((line[2:].strip(), []))
        elif notes and line.startswith("> "):
            notes[-1][1].append(line[2:])
    return notes


def notes_kept(messages: Sequence[PromptMessage]) -> int | None:
    """How many were looked through; None where the message does not ask about notes."""
    rules = (line for heading, lines in headed(messages) if heading == "Notes found" for line in lines[:1])
    return next((int(match[1]) for match in map(_KEPT.fullmatch, rules) if match is not None), None)


def now_in(messages: Sequence[PromptMessage]) -> re.Match[str] | None:
    """The user's time: `now` in whole, `day`, `hour`, `zone`."""
    lines = (line for heading, lines in headed(messages) if heading == "Now" for line in lines)
    return next((match for match in map(_NOW.fullmatch, lines) if match is not None), None)


def lines_of(items: Sequence[str]) -> str:
    lines = [f"- {item}" for item in items[:LINES_MAX]]
    if len(items) > LINES_MAX:
        lines.append(f"… and {len(items) - LINES_MAX} more")
    return "\n".join(lines)


def number_of(count: int, what: str) -> str:
    return f"{count or 'no'} {what}" if count == 1 else f"{count or 'no'} {what}s"


def content_of(text: str) -> list[str]:
    return [word for word in all_words(text.casefold()) if word not in _EMPTY]


def all_words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def spelled_alike(text: str) -> str:
    """`favourite` and `favorite` are one word."""
    return text.replace("our", "or")
