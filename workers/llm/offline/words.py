"""What the rules of the offline model share: how they are written and read, words of politeness, titles, and names that
name nothing. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from domain import limits
from workers.understanding.time_words import Pattern, pattern

T = TypeVar("T")
Rule = tuple[Pattern, Callable[[re.Match[str]], T | None]]
Said = tuple[str, dict[str, str]]  # a tool and its arguments

POLITE = (
    r"(?:(?:hey|hi|hello|ok|okay|so|and|also|then|please|actually|can you|could you|would you|will you"
    r"|i'd like you to|i would like you to|i need you to|i want you to|i need to|i want to|i'd like to|bitte"
    r"|kannst du|könntest du)[\s,!]+)*"
)
POLITENESS = pattern(POLITE)
QUOTES = "\"'“”‘’«»`"
NO_NAME = pattern(
    r"(?:my|the|this|that|it|them|these|those|all|every|each|any|everything|anything|one|first|last|new|old|done"
    r"|completed|(?:all|every|each|any|everything|anything) .*)"
)


def rule(text: str, make: Callable[[re.Match[str]], T | None], needs: str = "") -> Rule[T]:
    """For a whole sentence, asked for politely or not. `needs`: as in `pattern`."""
    return pattern(POLITE + text, needs), make


def first_made(rules: Iterable[Rule[T]], sentence: str) -> T | None:
    """By the first rule that fits the whole sentence and makes something of it."""
    for known, make in rules:
        match = known.fullmatch(sentence)
        if match is not None and (made := make(match)) is not None:
            return made
    return None


def squeeze(text: str) -> str:
    return " ".join(text.split())


def unquote(text: str) -> str:
    """Quotes are taken off in pairs: `fix the "door"` keeps its own."""
    while len(text) > 1 and text[0] in QUOTES and text[-1] in QUOTES and not set(text[1:-1]) & set(QUOTES):
        text = text[1:-1].strip()
    return text


def title_of(text: str) -> str:
    """One line, without quotes and full stops around it."""
    return unquote(unquote(squeeze(text)).rstrip(".!;, "))[: limits.TITLE_CHARACTERS_MAX].strip()


def content_words(text: str) -> list[str]:
    """Those that tell one title from another."""
    return [word for word in re.findall(r"\w+", text.casefold()) if word not in ("the", "a", "an", "my", "to")]
