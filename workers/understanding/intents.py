"""What a message is about, by the user's own words: its intent, and which tools the turn that answers it may use.

Rules over words, and no model: what a note, an event, a memory or a pasted text says can widen nothing. A standing
wish that runs by itself gets no tools. Must not look at what tools return. The words are in asking.py, about.py and
their German siblings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from domain.ports import ToolSpec
from domain.values import Origin
from workers.tool_specs import TOOLS
from workers.understanding.about import AGENDA, PLAN, PLAN_CHANGE, SUMMARY
from workers.understanding.asking import (
    ASKS,
    EVENTS,
    FOLLOW_UP,
    GONE,
    MEMORIES,
    NOTE_ORDER,
    NOTES,
    NOTES_GONE,
    POLITE,
    ROOM,
    TASKS,
)
from workers.understanding.asking_german import (
    ASKS_GERMAN,
    FOLLOW_UP_GERMAN,
    GONE_GERMAN,
    QUESTION_GERMAN,
    ROOM_GERMAN,
)
from workers.understanding.notes import NotesAsked, notes_asked
from workers.understanding.own_words import own_words
from workers.understanding.time_words import time_alone

Intent = Literal["chat", "agenda", "plan", "summary", "flights", "task", "memory", "calendar", "preference"]

SENTENCES_MAX = 200  # of one message, looked at
QUESTION_CHARACTERS_MAX = 1_000  # who asks for an agenda, a plan or a summary says so at once

# A model may take for an event what our rules take for a task: what is done to it is what was asked for.
_ALIKE = (
    frozenset({"create_task", "create_event"}),
    frozenset({"update_task", "update_event"}),
    frozenset({"delete_task", "delete_event", "complete_task"}),
)
_SPOKEN_OF_BEFORE = TASKS | EVENTS | MEMORIES | NOTES_GONE

_ASKS = (*ASKS, *ASKS_GERMAN)
_ROOM = (*ROOM, *ROOM_GERMAN)
# "22. Dezember" and "am 3. um 5" are one sentence.
_ORDINAL = r"(?!(?<=\d\.)\s+(?:[a-zäöü]|Jan|Feb|Mär|Mrz|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez))"
_SENTENCES = re.compile(rf"(?:^|[\n;]++)\s*+(?:[-*•]|\d{{1,2}}[.)])\s+|[\n;]+|(?<=[.!?]){_ORDINAL}\s+")
_CLAUSES = re.compile(
    r",? (?:and|then|und) (?:also |then |please )*(?=(?:add|put|create|set|remind|remember|move|cancel|delete|book|find"
    r"|mark|forget|rename|schedule|note|erinnere?|trage?|setze?|merke?|verschiebe?|l(?:ö|oe)sche?|notiere?)\b)",
    re.IGNORECASE,
)
_GREETINGS = r"(?:(?:hey|hi|hello|ok|okay|so|and|please|und|hallo|also)[\s,!–-]+)*"
_QUESTION = re.compile(
    _GREETINGS + r"(?:what|who|whom|whose|when|where|why|how|which|do|does|did|is|are|was|were|have|has|should"
    rf"|{QUESTION_GERMAN})\b.*\?$",
    re.IGNORECASE | re.DOTALL,
)
_NOTE = re.compile(POLITE + NOTE_ORDER, re.IGNORECASE)
_NOTE_GONE = re.compile(POLITE + f"(?:{GONE}|{GONE_GERMAN})", re.IGNORECASE)
_ASKS_FLIGHTS = re.compile(
    POLITE + r"(?:(?:what|which|are there)\b.{0,30}?\bflights\b|how (?:much|expensive)\b.{0,40}?\bflights?\b"
    r"|(?:was kostet|gibt es|welche)\b.{0,40}?\bfl(?:ug|(?:ü|ue)ge)\b)",
    re.IGNORECASE,
)
_ABOUT: tuple[tuple[re.Pattern[str], Intent], ...] = ((SUMMARY, "summary"), (PLAN, "plan"), (AGENDA, "agenda"))
_FAMILIES: tuple[tuple[frozenset[str], Intent], ...] = (
    (TASKS, "task"),
    (EVENTS, "calendar"),
    (MEMORIES | NOTES | NOTES_GONE, "memory"),
    (frozenset({"set_preference"}), "preference"),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """`kinds` are the tools that the words leave room for; `wanted` those that they plainly ask for, where a second
    look is worth its price. `words` are the user's own, without what they quote; `notes` what they ask about notes."""

    intent: Intent
    kinds: frozenset[str]
    wanted: frozenset[str]
    words: str
    notes: NotesAsked | None = None

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        return tuple(tool for tool in TOOLS if tool.name in self.kinds)


def asked(text: str, *, origin: Origin = "user", hint: str | None = None) -> Asked:
    """`hint` is what a client says the intent is: it decides between what the words leave open, and no more."""
    words = own_words(text)
    if origin != "user":
        return Asked("summary" if SUMMARY.search(words) else "agenda", frozenset(), frozenset(), words)
    wanted = wants_action(words)
    kinds = _room_in(words)
    fitting = _intents(words, wanted, kinds)
    chosen = next((intent for intent in fitting if intent == hint), fitting[0])
    notes = notes_asked(words) if chosen == "chat" and not wanted else None
    return Asked(chosen, frozenset(kinds), wanted, words, notes)


def _room_in(words: str) -> set[str]:
    """What is plainly asked for, and what is done alike; in a clause that asks for nothing plainly, what it speaks
    of."""
    kinds: set[str] = set()
    clauses = [part for sentence in _SENTENCES.split(words)[:SENTENCES_MAX] for part in _CLAUSES.split(sentence)]
    for clause in (part.strip() for part in clauses):
        plain = wants_action(clause)
        if plain:
            kinds |= plain.union(*(alike for alike in _ALIKE if alike & plain))
        if (not plain or plain == {"forget_memory"}) and _is_follow_up(clause):
            kinds |= _SPOKEN_OF_BEFORE  # also "forget that": of what was asked for last, whatever it was
        if not plain and _QUESTION.match(clause) is None:
            kinds = kinds.union(*(room for pattern, room in _ROOM if pattern.search(clause) is not None))
    return kinds


def _is_follow_up(clause: str) -> bool:
    """Whether it changes what was spoken of before, whatever that was."""
    if _QUESTION.match(clause) is not None:
        return False
    return any(known.search(clause) is not None for known in (FOLLOW_UP, FOLLOW_UP_GERMAN)) or bool(time_alone(clause))


def _intents(words: str, wanted: frozenset[str], kinds: set[str]) -> Sequence[Intent]:
    """Those that the words fit, the likeliest first; at least one."""
    fitting: list[Intent] = []
    if wanted & {"find_flights", "select_flight"}:
        fitting.append("flights")
    if not wanted - {"set_plan", "find_flights"}:
        for pattern, intent in _ABOUT:
            is_change = intent == "plan" and PLAN_CHANGE.search(words[:QUESTION_CHARACTERS_MAX]) is not None
            if not is_change and pattern.search(words[:QUESTION_CHARACTERS_MAX]) is not None:
                fitting.append(intent)
    for family, meant in _FAMILIES:
        if wanted & family:
            fitting.append(meant)
    for family, meant in _FAMILIES:
        if kinds & family and meant not in fitting:
            fitting.append("chat")
            fitting.append(meant)
    return fitting or ("chat",)


def wants_action(text: str) -> frozenset[str]:
    """The kinds of action that the words of `text` plainly ask for; none where it is talk or a question.

    It only says where a second look is worth its price: what is done, and whether, is never decided from it.
    """
    kinds: set[str] = set()
    parts = _SENTENCES.split(text.replace("’", "'"))[:SENTENCES_MAX]
    for sentence in (clause.strip() for part in parts for clause in _CLAUSES.split(part)):
        if _QUESTION.match(sentence) is not None and not _ASKS_FLIGHTS.match(sentence):
            continue
        about_notes = NOTES if _NOTE.match(sentence) else NOTES_GONE if _NOTE_GONE.match(sentence) else None
        if about_notes is not None:
            kinds |= about_notes
            continue
        for pattern, wanted in _ASKS:
            if not wanted <= kinds and pattern.match(sentence) is not None:
                kinds |= wanted
    if kinds & (TASKS | MEMORIES | NOTES):
        kinds.discard("find_flights")
    return frozenset(kinds)
