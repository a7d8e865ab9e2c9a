"""What "it" is: follow-ups such as "make it 6 instead", "cancel that" and "undo", read with what was asked for before.

Pure. Only the last thing that the user's own messages asked for can be meant, and only shortly after.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from workers.llm.offline_intents import Wish, wishes_of
from workers.llm.offline_words import POLITE, title_of
from workers.understanding.time_words import FOLLOW_UP_CHARACTERS_MAX, MOVED_BY, WHEN, pattern, time_alone

TURNS_LOOKED_AT_MAX = 6
TURNS_BETWEEN_MAX = 2  # that asked for nothing, after which nobody knows any more what "it" is

_IT = r"(?:it|that|this|that one|this one|the (?:task|reminder|event|meeting|appointment))"
_SMALL = rf"(?:no,? |oh,? |sorry,? |wait,? )*{POLITE}"
_MOVE = pattern(
    rf"{_SMALL}(?:make|change|move|set|put|push|shift|reschedule|postpone|delay|snooze|schedule) {_IT}(?: back)?"
    rf" (?:(?:to|for|at|until|till|on) )?(?P<when>{WHEN}|\d{{1,2}}(?:[:.]\d\d)?|{MOVED_BY})"
    r"(?:,? (?:instead|rather|then|please))*[.!]?"
)
_DROP = pattern(rf"{_SMALL}(?:delete|remove|cancel|drop|erase|scratch|call off|forget)(?: about)? {_IT}[.!]?")
_DONE = pattern(
    rf"{_SMALL}(?:(?:mark|set|check|tick|cross) {_IT} (?:off|(?:as )?(?:done|complete|completed|finished))"
    rf"|(?:complete|finish|check off|tick off) {_IT}|(?:it|that)(?:'s| is) (?:now )?done"
    r"|i (?:already )?did (?:it|that))[.!]?"
)
_REOPEN = pattern(
    rf"{_SMALL}(?:re-?open {_IT}|(?:mark|set) {_IT} (?:as )?(?:not |un-?)(?:done|complete|finished))[.!]?"
)
_RENAME = pattern(rf"{_SMALL}(?:rename {_IT} (?:to|as|into) |call {_IT} )(?P<new>\S.*)")
_CORRECT = pattern(rf"{_SMALL}(?:it|that)(?:'s| is) (?P<value>\S.*)")
_UNDO = pattern(rf"{_SMALL}(?:undo|revert|take back)(?: {_IT})?[.!]?")


@dataclass(frozen=True, slots=True)
class _Subject:
    """What was asked for last, and by how many turns ago that was."""

    wish: Wish
    age: int = 0

    @property
    def name(self) -> str:
        said = self.wish.arguments
        return said.get("new_title") or said.get("title") or said.get("event") or said.get("key") or ""

    @property
    def is_event(self) -> bool:
        return self.wish.tool.endswith("_event")

    @property
    def is_memory(self) -> bool:
        return self.wish.tool.endswith("_memory")


def wishes_in(turns: Sequence[str], tasks: Collection[str] | None) -> list[Wish]:
    """What the last of the user's messages asks for. `turns`: those before it too, oldest first; `tasks` as in
    `wishes_of`."""
    *earlier, message = turns
    subject: _Subject | None = None
    for text in earlier[-TURNS_LOOKED_AT_MAX:]:
        wishes = _wishes(text, subject, tasks)
        if wishes:
            subject = _Subject(wishes[-1])
        elif subject is not None:
            subject = _Subject(subject.wish, subject.age + 1) if subject.age < TURNS_BETWEEN_MAX else None
    return _wishes(message, subject, tasks)


def _wishes(text: str, subject: _Subject | None, tasks: Collection[str] | None) -> list[Wish]:
    if subject is not None and subject.name and len(text) <= FOLLOW_UP_CHARACTERS_MAX:
        wish = _follow_up(" ".join(text.split()), subject)
        if wish is not None:
            return [wish]
    return wishes_of(text, tasks)


def _follow_up(text: str, subject: _Subject) -> Wish | None:
    if _UNDO.fullmatch(text) is not None:
        return _undone(subject)
    if subject.is_memory:
        return _of_memory(text, subject)
    if not subject.wish.tool.endswith(("_task", "_event")):
        return None
    # A time alone answers what was said just now, and nothing that lies further back.
    when = time_alone(text) if subject.age == 0 else ""
    if (match := _MOVE.fullmatch(text)) is not None:
        when = match["when"]
    if when:
        return _moved(f"at {when}" if when[:1].isdigit() and when.replace(":", "").isdigit() else when, subject)
    if _DROP.fullmatch(text) is not None:
        return _called("delete", subject)
    if (match := _RENAME.fullmatch(text)) is not None:
        return _called("update", subject, new_title=title_of(match["new"]))
    if subject.is_event:
        return None
    if _DONE.fullmatch(text) is not None:
        return _called("complete", subject)
    return _called("reopen", subject) if _REOPEN.fullmatch(text) is not None else None


def _moved(when: str, subject: _Subject) -> Wish:
    if subject.wish.tool == "create_event" and "start_text" not in subject.wish.arguments:
        return Wish("create_event", {**subject.wish.arguments, "start_text": when})  # it waits for just that
    return _called("update", subject, **{"start_text" if subject.is_event else "due_text": when})


def _called(what: str, subject: _Subject, **more: str) -> Wish:
    kind, name = ("event", "event") if subject.is_event else ("task", "title")
    return Wish(f"{what}_{kind}", {name: subject.name, **more})


def _of_memory(text: str, subject: _Subject) -> Wish | None:
    if _DROP.fullmatch(text) is not None:
        return Wish("forget_memory", {"key": subject.name})
    match = _CORRECT.fullmatch(text)
    if match is None or subject.wish.tool != "pin_memory" or subject.age > 0:
        return None
    return Wish("pin_memory", {**subject.wish.arguments, "value": match["value"].strip(" .!")})


def _undone(subject: _Subject) -> Wish | None:
    """None for what can't be taken back by one call."""
    back = {"create_task": "delete", "create_event": "delete", "complete_task": "reopen", "reopen_task": "complete"}
    if subject.wish.tool == "pin_memory":
        return Wish("forget_memory", {"key": subject.name})
    return _called(back[subject.wish.tool], subject) if subject.wish.tool in back else None
