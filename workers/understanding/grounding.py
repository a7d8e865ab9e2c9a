"""Whether what a model wants to do is what the user spoke of. Pure.

Notes, memories, events and tools' results are data, whatever they ask for; a model may obey them all the same. So what
is to be made has words of the user's own in it, and what is to be changed is something that they named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from commands.arguments import (
    AddNoteArguments,
    Arguments,
    CompleteTaskArguments,
    CreateEventArguments,
    CreateTaskArguments,
    DeleteEventArguments,
    DeleteNoteArguments,
    DeleteTaskArguments,
    FindFlightsArguments,
    ForgetMemoryArguments,
    PinMemoryArguments,
    ReopenTaskArguments,
    SelectFlightArguments,
    SetPlanArguments,
    SetPreferenceArguments,
    UpdateEventArguments,
    UpdateTaskArguments,
)
from domain.values import Json
from workers.understanding.german_words import TO_WITHIN
from workers.understanding.time_words import time_alone

NOT_ASKED = "That is not what you asked for, so nothing was done."

STEM_CHARACTERS = 4  # two words that begin alike may be forms of one
SHARE_MIN = 0.5  # of what is made anew

_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_EMPTY = frozenset(
    {
        *(
            "the",
            "and",
            "for",
            "with",
            "about",
            "from",
            "that",
            "this",
            "you",
            "your",
            "our",
            "his",
            "her",
            "its",
            "one",
        ),
        *(
            "one",
            "task",
            "reminder",
            "event",
            "meeting",
            "user",
            "mein",
            "meine",
            "der",
            "die",
            "das",
            "und",
            "für",
            "mit",
            "note",
            "notiz",
        ),
    }
)
_POINTS_BACK = re.compile(
    r"\b(?:it|that|this|them|those|these|him|her|again|too|also|one|ones|both|all|same|undo|das|es|ihn|sie|ihm"
    r"|draus|daraus|r(?:ü|ue)ckg(?:ä|ae)ngig)\b"
    r"|\b(?:the|die|den|der) (?:note|notiz|task|reminder|event|meeting|appointment|aufgabe|erinnerung"
    r"|termin|treffen)\W*$",
    re.IGNORECASE,
)


def points_back(words: str) -> bool:
    """Whether they speak of something that was said before: also by a time alone, as in "no, at 6"."""
    return _POINTS_BACK.search(words) is not None or bool(time_alone(words))


def is_spoken_of(arguments: Arguments, payload: Mapping[str, Json], words: str) -> bool:
    """`words` are the user's own; `payload` is what the arguments were understood as."""
    spoken = _stems(words)
    match arguments:
        case CreateTaskArguments() | CreateEventArguments():
            return _share(arguments.title, spoken) >= SHARE_MIN
        case UpdateTaskArguments() | CompleteTaskArguments() | ReopenTaskArguments() | DeleteTaskArguments():
            named = (arguments.title, str(payload.get("title", "")))
            new = arguments.new_title if isinstance(arguments, UpdateTaskArguments) else None
            return any(_share(text, spoken) > 0 for text in named) and _share(new or "", spoken) >= SHARE_MIN
        case UpdateEventArguments() | DeleteEventArguments():
            named = (arguments.event, str(payload.get("title", "")))
            return any(_share(text, spoken) > 0 for text in named)
        case PinMemoryArguments():
            return _share(arguments.value, spoken) >= SHARE_MIN
        case ForgetMemoryArguments():
            return _share(arguments.key, spoken) > 0
        case AddNoteArguments():
            return _share(arguments.text, spoken) >= SHARE_MIN
        case DeleteNoteArguments():
            return _share(arguments.note, spoken) == 1.0  # what is gone is gone: named by the user, word for word
        case SetPreferenceArguments():
            return max(_share(arguments.key, spoken), _share(arguments.value, spoken)) >= SHARE_MIN
        case SetPlanArguments():
            said = "\n".join(text or "" for text in (arguments.priorities, arguments.todos, arguments.notes))
            return _share(said, spoken) > 0
        case SelectFlightArguments() | FindFlightsArguments():
            return True  # only what was found can be selected, and it waits; places are looked at by the search


def is_named(place: str, texts: Iterable[str]) -> bool:
    """Whether a place that a search is to go to was said by the user."""
    spoken = _stems(" ".join(texts))
    return _share(place, spoken) > 0


def _share(text: str, spoken: frozenset[str]) -> float:
    """Of the words that carry meaning, how many were spoken; 1 where there are none."""
    wanted = _content(text)
    if not wanted:
        return 1.0
    return sum(1 for word in wanted if word in spoken or word[:STEM_CHARACTERS] in spoken) / len(wanted)


def _content(text: str) -> list[str]:
    words = [word.casefold() for word in _WORD.findall(_CAMEL.sub(" ", text))]
    return [word for word in words if len(word) > 2 and word not in _EMPTY]


def _stems(text: str) -> frozenset[str]:
    """The words, and the beginnings of those that are long enough to have forms."""
    words = {word.casefold() for word in _WORD.findall(_CAMEL.sub(" ", text))}
    words |= {TO_WITHIN.sub(r"\1", word) for word in words}
    return frozenset(words | {word[:STEM_CHARACTERS] for word in words if len(word) >= STEM_CHARACTERS})
