"""What "it" is: follow-ups such as "make it 6 instead", "cancel that" and "undo", read with what was asked for before.

Pure. Only the last thing that the user's own messages asked for can be meant, and only shortly after.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from commands.phrases.often import too_often
from domain import limits
from workers.llm.offline.intents import Wish, wishes_of
from workers.llm.offline.tasks import priority_of
from workers.llm.offline.words import POLITE, squeeze, title_of
from workers.understanding.german_words import GERMAN_MOVED_BY, german
from workers.understanding.time_words import FOLLOW_UP_CHARACTERS_MAX, MOVED_BY, WHEN, pattern, time_alone

TURNS_LOOKED_AT_MAX = 6
TURNS_BETWEEN_MAX = 2  # that asked for nothing, after which nobody knows any more what "it" is

_IT = (
    r"(?:it|that|this|that one|this one|the (?:task|reminder|event|meeting|appointment|note)|that note"
    r"|es|das|ihn|sie|dies|die (?:aufgabe|erinnerung|notiz)|de[nr] termin|das treffen)"
)
_SMALL = rf"(?:no,? |oh,? |sorry,? |wait,? |nein,? |doch,? |ach,? )*{POLITE}"
_AT = r"\d{1,2}(?:[:.]\d\d)?"
_END = r"(?:,? (?:instead|rather|then|please|bitte|lieber|stattdessen))*[.!]?"
_MOVES = (
    pattern(
        rf"{_SMALL}(?:make|change|move|set|put|push|shift|reschedule|postpone|delay|snooze|schedule) {_IT}(?: back)?"
        rf" (?:(?:to|for|at|until|till|on) )?(?P<when>{WHEN}|{_AT}|{MOVED_BY}){_END}",
        needs="make|change|move|set|put|push|shift|schedule|postpone|delay|snooze",
    ),
    pattern(
        german(rf"{_SMALL}(?:mache?|ändere?) (?:{_IT} )?(?:daraus |draus )?(?:lieber )?(?P<when>{WHEN}|{_AT})")
        + rf"(?: draus| daraus)?{_END}",
        needs=r"\bmach|änder|aender",
    ),
    pattern(
        german(
            rf"{_SMALL}(?:verschiebe?|verlege?|setze?|ändere?) {_IT} (?:bitte )?"
            rf"(?:(?P<by>{GERMAN_MOVED_BY})|(?:auf|bis|nach)(?: de[nm])? (?P<when>{WHEN}|{_AT})|(?P<alone>{WHEN}))"
        )
        + _END,
        needs="verschieb|verleg|setz|änder|aender",
    ),
)
_DROP = pattern(
    rf"{_SMALL}(?:(?:delete|remove|cancel|drop|erase|scratch|call off|forget)(?: about)? {_IT}"
    rf"|call {_IT} off"
    rf"|(?:don't|do not) (?:remember|keep|save|store|memori[sz]e) {_IT}"
    + german(rf"|(?:lösche?|streiche?|entferne?|vergiss) {_IT}(?: wieder)?|merke? dir {_IT} nicht")
    + rf"|sage? {_IT} ab){_END}"
)
_DONE = pattern(
    rf"{_SMALL}(?:(?:mark|set|check|tick|cross) {_IT} (?:off|(?:as )?(?:done|complete|completed|finished))"
    rf"|(?:complete|finish|check off|tick off) {_IT}|(?:it|that)(?:'s| is) (?:now )?done"
    rf"|i (?:already )?did (?:it|that)|{_IT} ist (?:schon |jetzt )?(?:erledigt|fertig|gemacht)"
    rf"|hake? {_IT} ab|markiere? {_IT} als erledigt){_END}"
)
_REOPEN = pattern(
    rf"{_SMALL}(?:re-?open {_IT}|(?:mark|set) {_IT} (?:as )?(?:not |un-?)(?:done|complete|finished)"
    + german(rf"|öffne {_IT} wieder|{_IT} ist (?:doch )?(?:noch )?nicht (?:erledigt|fertig)")
    + rf"){_END}"
)
_RENAME = pattern(
    rf"{_SMALL}(?:rename {_IT} (?:to|as|into) |call {_IT} (?!a day\W*$)|nenne? {_IT} (?:lieber |bitte )?)(?P<new>\S.*)"
)
_URGENT = pattern(
    rf"{_SMALL}(?:make|set|mark) {_IT} (?:as |to )?(?:an? )?(?P<level>low|normal|high|top|urgent)(?: priority)?{_END}"
)
_REMIND = pattern(rf"{_SMALL}remind me (?:of|about) {_IT} (?P<when>{WHEN}){_END}", needs="remind")
# What is said of an answer is no other value: "no, that's wrong".
_CORRECT = pattern(
    rf"{_SMALL}(?:it|that)(?:'s| is) "
    r"(?!(?-i:not|(?:all|what) i)\b|(?-i:all|correct|false|fine|good|great|incorrect|nice|ok|okay|perfect|right|true"
    r"|wrong)(?: now| then| too| again)?(?:,.*|\W*)$)(?P<value>\S.*)"
)
_UNDO = pattern(
    rf"{_SMALL}(?:(?:undo|revert|take back)(?: {_IT})?"
    + german(rf"|(?:mache? )?(?:{_IT} )?(?:bitte )?(?:wieder )?rückgängig(?: machen)?")
    + rf"){_END}"
)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What was asked for last, and by how many turns ago that was."""

    wish: Wish
    age: int = 0

    @property
    def name(self) -> str:
        said = self.wish.arguments
        named = (said.get(each) for each in ("new_title", "title", "event", "key", "text", "note"))
        return next((name for name in named if name), "")

    @property
    def kind(self) -> str:
        """`task`, `event`, `memory`, `note`, `preference`, and so on."""
        return self.wish.tool.rpartition("_")[2]

    @property
    def is_pending(self) -> bool:
        """Whether it could not be made yet, for want of a time that is one."""
        said = self.wish.arguments
        if self.wish.tool == "create_event":
            return "start_text" not in said
        return self.wish.tool == "create_task" and too_often(said.get("due_text", "")) is not None


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
        wish = _follow_up(squeeze(text), subject)
        if wish is not None:
            return [wish]
    return wishes_of(text, tasks)


def _follow_up(text: str, subject: _Subject) -> Wish | None:
    if _UNDO.fullmatch(text) is not None:
        return _undone(subject)
    match subject.kind:
        case "memory":
            return _of_memory(text, subject)
        case "note":
            return _undone(subject) if _DROP.fullmatch(text) is not None else None
        case "task" | "event":
            return _of_thing(text, subject)
        case _:
            return None


def _of_thing(text: str, subject: _Subject) -> Wish | None:
    """Of a task or an event."""
    when = _moved_to(text, subject)
    if when:
        return _moved(f"at {when}" if when[:1].isdigit() and when.replace(":", "").isdigit() else when, subject)
    if _DROP.fullmatch(text) is not None:
        return _called("delete", subject)
    if (match := _RENAME.fullmatch(text)) is not None:
        return _called("update", subject, new_title=title_of(match["new"]))
    if (match := _REMIND.fullmatch(text)) is not None:
        return Wish("create_task", {"title": subject.name, "due_text": squeeze(match["when"])})
    if subject.kind == "event":
        return None
    if (match := _URGENT.fullmatch(text)) is not None:
        return _called("update", subject, priority=priority_of(match["level"]))
    if _DONE.fullmatch(text) is not None:
        return _called("complete", subject)
    return _called("reopen", subject) if _REOPEN.fullmatch(text) is not None else None


def _moved_to(text: str, subject: _Subject) -> str:
    """A time alone answers what was said just now, and nothing that lies further back."""
    for known in _MOVES:
        match = known.fullmatch(text)
        if match is not None:
            return squeeze(next(said for name, said in match.groupdict().items() if said))
    return time_alone(text) if subject.age == 0 else ""


def _moved(when: str, subject: _Subject) -> Wish:
    if subject.is_pending:
        said = subject.wish.arguments
        if subject.kind == "event":
            return Wish("create_event", {**said, "start_text": when})
        return Wish("create_task", {**said, "due_text": when if _repeats(when) else f"every day {when}"})
    return _called("update", subject, **{"start_text" if subject.kind == "event" else "due_text": when})


_REPEATS = pattern(
    german(r".*\b(?:every|each|daily|weekly|monthly|on the|jede[nrsm]?|täglich|wöchentlich|\w+days|\w+tags)\b.*")
)


def _repeats(when: str) -> bool:
    return _REPEATS.fullmatch(when) is not None


def _called(what: str, subject: _Subject, **more: str) -> Wish:
    return Wish(f"{what}_{subject.kind}", {"event" if subject.kind == "event" else "title": subject.name, **more})


def _of_memory(text: str, subject: _Subject) -> Wish | None:
    if _DROP.fullmatch(text) is not None:
        return Wish("forget_memory", {"key": subject.name})
    match = _CORRECT.fullmatch(text)
    if match is None or subject.wish.tool != "pin_memory" or subject.age > 0:
        return None
    return Wish("pin_memory", {**subject.wish.arguments, "value": match["value"].strip(" .!")})


def _undone(subject: _Subject) -> Wish | None:
    """None for what can't be taken back by one call."""
    match subject.wish.tool:
        case "pin_memory":
            return Wish("forget_memory", {"key": subject.name})
        case "add_note":
            return Wish("delete_note", {"note": squeeze(subject.name)[: limits.TITLE_CHARACTERS_MAX].strip()})
        case "create_task" | "create_event":
            return None if subject.is_pending else _called("delete", subject)
        case "complete_task":
            return _called("reopen", subject)
        case "reopen_task":
            return _called("complete", subject)
        case _:
            return None
