"""What the offline model makes of a message: which tool the user's own words ask for, with which arguments.

Rules over English sentences, no state. Phrases of time stay as they were said (`due_text`): see `time_words`. It
must not look at anything but the message.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec

from domain import limits
from domain.ports import ToolCall, ToolSpec
from workers.llm.offline_days import event_wish
from workers.llm.offline_german import german_reminder
from workers.llm.offline_memories import memory_wish
from workers.llm.offline_preferences import preference_wish
from workers.llm.offline_words import (
    NO_NAME,
    POLITE,
    POLITENESS,
    Rule,
    content_words,
    first_made,
    rule,
    squeeze,
    title_of,
)
from workers.understanding.flight_words import flight_arguments
from workers.understanding.intents import NOTE_ORDER, own_words, wants_action
from workers.understanding.time_words import MOVED_BY, WHEN, pattern, split_leading_when, split_when

WISHES_MAX = limits.ACTIONS_PER_MESSAGE_MAX
_THANKS_CHARACTERS_MAX = 60
_AHEAD = 200  # characters of what follows, looked at for what it asks
_ENDS_LOOKED_AT_MAX = 50  # full stops and clauses that may or may not end something
_TIME_CHARACTERS_MAX = 60  # of a title that may be nothing but a time
_BLANKS = re.compile(r"[^\S\n]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """One tool call that the user asked for."""

    tool: str
    arguments: dict[str, str]


_THANKS = pattern(r"[\s,.!]*(?:\b(?:thanks|thank you|thx|please|cheers)\b[\s,.!]*)+$")
_SENTENCE_ENDS = re.compile(r"\n+|(?<=[.!?])\s+(?=[A-Z])")
_ENDS_A_SENTENCE = re.compile(r"(?:[a-z]{3}|\d|[ap]m)[.!?]$")
_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s+")
_CLAUSE_ENDS = re.compile(
    r"(?:,\s*)?\s(?:and|then|und)\s+(?:also\s+|then\s+|please\s+)*|,\s+(?=(?:add|put|remind|schedule)\b)", re.IGNORECASE
)
_REQUEST = pattern(r"[\w\s,!]{0,40}?\b(?:can|could|would|will) you ")
_QUESTION_WORD = pattern(r"(?:what|who|whom|whose|when|where|why|how|which|whether|if)\b")
_AND = re.compile(r",? and |, ", re.IGNORECASE)
_TO = pattern(r"(?:to|about|of) ")
_REMIND_ME = pattern(rf"{POLITE}remind (?:me|us)\b")
_LIST_BEGINS = pattern(
    rf"{POLITE}(?:(?:add|create|make|put) )?(?:(?:these|the following|my|some|new) )*"
    r"(?:things to do|to-?dos?|tasks?|reminders?)"
    r"(?: (?:to|on) (?:my|the) (?:[\w-]+ )?list)?(?: for me)? ?:"
)


def wishes_of(message: str, tasks: Collection[str] | None = None) -> list[Wish]:
    """At most `WISHES_MAX`, in the order in which they were said. What is pasted asks for nothing, but may be a note.

    `tasks` are the titles of the open ones, where they are known: "delete X" asks for something where X is one of them,
    and what is moved and is none of them is an event.
    """
    text = _BLANKS.sub(" ", message)
    if not any(_NOTE.fullmatch(text[start:end].strip()) for start, end, _ in _sentences(text)):
        own = own_words(text)
        text = text if own == text.replace("’", "'") else own
    wishes: list[Wish] = []
    before = 0
    is_noting = is_listing = False
    for start, end, following in _sentences(text):
        sentence = text[start:end].strip()
        item = _ITEM.match(sentence)
        sentence = sentence if item is None else sentence[item.end() :]
        note = _NOTE.fullmatch(sentence)
        if note is not None and not note["text"]:
            # What begins on a line of its own is the note, all of it.
            return [*wishes, *_noted(text[following:])][:WISHES_MAX]
        bare = _bare(sentence)
        found = _noted(note["text"]) if note is not None else _wishes_of(bare, tasks)
        if is_listing and item is not None and not found:
            found = _tasks(bare)
        if is_noting and not found and bare:
            found = _noted(wishes.pop().arguments["text"] + text[before:end])  # a note goes on until something is asked
        wishes += found
        is_noting = bool(wishes) and wishes[-1].tool == "add_note"
        is_listing = _LIST_BEGINS.fullmatch(bare) is not None or (is_listing and item is not None)
        before = end
    return wishes[:WISHES_MAX]


def _sentences(text: str) -> Iterator[tuple[int, int, int]]:
    """Where each begins, where it ends, and where the next one begins. A full stop ends one where it stands behind a
    whole word, or where something is asked for behind it."""
    start = looked_at = 0
    for gap in _SENTENCE_ENDS.finditer(text):
        is_end = "\n" in gap[0] or _ENDS_A_SENTENCE.search(text[max(0, gap.start() - 4) : gap.start()]) is not None
        if not is_end and looked_at < _ENDS_LOOKED_AT_MAX:
            looked_at += 1
            is_end = bool(wants_action(text[gap.end() : gap.end() + _AHEAD]))
        if is_end:
            yield start, gap.start(), gap.end()
            start = gap.end()
    yield start, len(text), len(text)


def _noted(text: str) -> list[Wish]:
    return [Wish("add_note", {"text": text.strip()})] if text.strip() else []


def _tasks(text: str) -> list[Wish]:
    wish = _task(text)
    return [] if wish is None else [wish]


def _wishes_of(sentence: str, tasks: Collection[str] | None) -> list[Wish]:
    """Those of its clauses, where each of them asks for something by itself; else that of the sentence."""
    for gap in islice(_CLAUSE_ENDS.finditer(sentence), _ENDS_LOOKED_AT_MAX):
        first, rest = sentence[: gap.start()], sentence[gap.end() :]
        if _REMIND_ME.match(first) and _TO.match(rest):
            rest = f"remind me {rest}"  # "… to call Sarah today and to buy flowers tomorrow"
        wish = _whole_wish(first, tasks) if wants_action(rest[:_AHEAD]) else None
        # "Remind me to pack and cancel the hotel" is one reminder; one that has its time is over.
        if wish is not None and (wish.tool != "create_task" or "due_text" in wish.arguments or _REMIND_ME.match(rest)):
            return [wish, *_wishes_of(rest, tasks)]
    whole = _whole_wish(sentence, tasks)
    return [] if whole is None else _each_of(whole, tasks)


def _whole_wish(sentence: str, tasks: Collection[str] | None) -> Wish | None:
    wish = _wish_of(sentence)
    if wish is not None and wish.tool == "update_task" and _is_no_task(wish.arguments["title"], tasks):
        # What is no task is an event: "move the dentist to Monday".
        changed = {"title": "event", "due_text": "start_text", "new_title": "new_title"}
        if wish.arguments.keys() <= changed.keys():
            return Wish("update_event", {changed[name]: text for name, text in wish.arguments.items()})
    return wish or _dropped(sentence, tasks)


def _is_no_task(title: str, tasks: Collection[str] | None) -> bool:
    """Whether it fits none of the open ones; who does not know them cannot say."""
    wanted = set(content_words(title))
    known = [set(content_words(each)) for each in tasks or ()]
    return tasks is not None and not any(wanted <= each or wanted >= each for each in known)


def _each_of(wish: Wish, tasks: Collection[str] | None) -> list[Wish]:
    """ "Mark milk and bread as done": one wish for each, where each is a task."""
    titles = _AND.split(wish.arguments.get("title", ""))
    if wish.tool not in ("complete_task", "delete_task") or len(titles) > WISHES_MAX:
        return [wish]
    named = [known for title in titles for known in tasks or () if content_words(known) == content_words(title)]
    return [Wish(wish.tool, {"title": known}) for known in named] if len(named) == len(titles) > 1 else [wish]


def calls_for(wishes: Sequence[Wish], tools: Sequence[ToolSpec]) -> list[ToolCall]:
    """The wishes that `tools` can grant, as calls, with the arguments that their schemas name."""
    offered = {tool.name: tool.parameters.get("properties") for tool in tools}
    calls: list[ToolCall] = []
    for wish in wishes:
        if wish.tool not in offered:
            continue
        named = offered[wish.tool]
        arguments = {k: v for k, v in wish.arguments.items() if not isinstance(named, dict) or k in named}
        calls.append(ToolCall(f"call_{len(calls)}", wish.tool, msgspec.json.encode(arguments).decode()))
    return calls


def _bare(sentence: str) -> str:
    """Without thanks, and without the question mark of "could you …?"."""
    match = _THANKS.search(sentence, max(0, len(sentence) - _THANKS_CHARACTERS_MAX))
    bare = sentence[: match.start()] if match else sentence
    return bare.rstrip("?! ") if _REQUEST.match(bare) else bare


def _wish_of(sentence: str) -> Wish | None:
    asks = wants_action(sentence)
    bare = POLITENESS.sub("", sentence, count=1)
    if "select_flight" in asks:
        return Wish("select_flight", {"which": squeeze(bare).rstrip(".!?")})
    if "find_flights" in asks:
        return Wish("find_flights", flight_arguments(sentence))
    if (said := event_wish(bare) or preference_wish(sentence)) is not None:
        return Wish(*said)
    if (german := german_reminder(bare)) is not None:
        return _task(german[0], german[1])
    if (made := first_made(_RULES, sentence)) is not None:
        return made
    if (said := memory_wish(sentence)) is not None:
        return Wish(*said)
    if (
        (match := _DUTY.fullmatch(sentence)) is not None
        and (wish := _task(match["what"]))
        and "due_text" in wish.arguments
    ):
        return wish
    when, rest = split_leading_when(sentence)
    if when and (wish := _wish_of(rest)) and wish.tool == "create_task":
        return _task(wish.arguments["title"], when, wish.arguments.get("due_text", ""))
    return None


def _remind(match: re.Match[str]) -> Wish | None:
    what = match.group("what")
    if _QUESTION_WORD.match(what):
        return None  # "Remind me what I said about …" asks a question.
    if not match.group("when") and (other := _WHEN_UNKNOWN.fullmatch(what)) is not None:
        return _task(other["what"], other["when"])  # "on Christmas": who reads it says what it is
    return _task(what, match.group("when") or "")


def _add(match: re.Match[str]) -> Wish | None:
    return _task(match.group("what"), match.groupdict().get("when") or "")


def _task(what: str, *whens: str) -> Wish | None:
    what, priority = _without_priority(what.rstrip(" :"))
    title, when = split_when(what)
    title = title_of(_DUE.sub("", title) if when else title)
    if not title or (len(title) <= _TIME_CHARACTERS_MAX and _ONLY_TIME.fullmatch(title)):
        return None  # Nobody knows of what "remind me tomorrow" is to remind.
    due = " ".join(squeeze(part) for part in (*whens, when) if part)
    said = {"title": title, "due_text": due, "priority": priority}
    return Wish("create_task", {name: text for name, text in said.items() if text})


def _without_priority(what: str) -> tuple[str, str]:
    """What is to be done, and how urgent that is ("" where nothing was said)."""
    match = _PRIORITY_SAID.search(what)
    if match is None:
        return what, ""
    return what[: match.start()], _priority(match["level"])


def _priority(level: str) -> str:
    return "high" if level.casefold() in ("high", "top", "highest", "urgent") else level.casefold()


def _urgent(match: re.Match[str]) -> Wish | None:
    wish = _about_task("update_task", match.group("what"))
    return wish and Wish(wish.tool, {**wish.arguments, "priority": _priority(match.group("level"))})


def _complete(match: re.Match[str]) -> Wish | None:
    return _about_task("complete_task", match.group("what"))


def _delete(match: re.Match[str]) -> Wish | None:
    return _about_task("delete_task", match.group("what"))


def _reopen(match: re.Match[str]) -> Wish | None:
    return _about_task("reopen_task", match.group("what"))


def _about_task(tool: str, what: str) -> Wish | None:
    """None where it is said of no task in particular: what is meant by "all" is not guessed."""
    title = title_of(what)
    return Wish(tool, {"title": title}) if title and not NO_NAME.fullmatch(title) else None


def _dropped(sentence: str, tasks: Collection[str] | None) -> Wish | None:
    """ "Delete water plants", where that is a task, whatever its articles. What else is cancelled is an event."""
    match = _BARE_DROP.fullmatch(sentence)
    if match is None:
        return None
    title = title_of(match["what"])
    wanted = content_words(title)
    named = [known for known in tasks or () if wanted and content_words(known) == wanted]
    if named:
        return Wish("delete_task", {"title": named[0]})
    is_event = match["cancel"] is not None and tasks is not None and not NO_NAME.fullmatch(title)
    return Wish("delete_event", {"event": title}) if is_event else None


def _move(match: re.Match[str]) -> Wish | None:
    title, when = title_of(match.group("what")), squeeze(match.group("when"))
    return Wish("update_task", {"title": title, "due_text": when}) if title else None


def _rename(match: re.Match[str]) -> Wish | None:
    title, new = title_of(match.group("what")), title_of(match.group("new"))
    if not title or not new:
        return None
    return Wish("update_task", {"title": title, "new_title": new})


_TASK = r"(?:task|to-?do|reminder)"
_THE_TASK = rf"(?:(?:the|my|this|that) )?(?:{_TASK} (?:to |about |called |named |for |: ?)?)?"
_WHAT = r"(?P<what>\S.*)"
_SET_REMINDER = r"(?:(?:set|create|make|schedule)(?: me)? (?:an? )?reminder|(?:i )?need a reminder)(?: for me)?"
_DONT_FORGET = r"(?:don't let me forget|don't forget|remember(?= to\b))"
_NEW_TASK = rf"(?:add|create|make|new|put in)(?: me)? (?:(?:a|an|the|another|one more) )?(?:new )?{_TASK}(?: for me)?"
_NOTE = pattern(
    rf"{POLITE}{NOTE_ORDER}(?: ?[:,–-]| (?:that|saying|about|of|to|dass)\b)?"
    r"(?:(?: of)? (?:this|the following) ?:(?=$))?(?:^| ?)(?P<text>.*)"
)
_DROP = r"(?:delete|remove|drop|clear|erase)"
_DROP_ANY = r"(?:delete|remove|cancel|drop|clear|erase)"
_BARE_DROP = pattern(rf"{POLITE}(?:(?P<cancel>cancel|call off)|{_DROP}) (?P<what>\S.*)")
_LIST = r"(?:my|the) (?:(?:to-?do|task|shopping|grocery) )?(?:list|tasks?|to-?dos?)"
_FINISHED = r"(?:complete|completed|finish|finished|done with|done:|close)"
_DONE = r"(?:done|complete|completed|finished)"
_MOVED = rf"(?P<when>{MOVED_BY}|{WHEN}|\d{{1,2}}(?:[:.]\d\d)?)"
_PRIORITY_SAID = pattern(r",? (?:with )?(?:an? )?(?P<level>low|high|top|highest|urgent)(?: priority)?[.!]?$")
_DUE = pattern(r",? (?:is |that is |that's )?due(?: on| by| at)?$")
# What is to be done, where nothing is asked to be known.
_DUTY = pattern(
    rf"{POLITE}(?:(?:i |i've )?(?:need to|have to|must|got to|should|ought to) "
    r"|(?=(?:buy|call|e-?mail|text|pay|pick up|order|finish|submit|renew|return|send (?!me\b)|clean|fix|pack) ))"
    r"(?P<what>(?!(?:admit|say|confess)\b|.*\b(?:what|who|when|where|why|how|if|whether|was|were|have|had|yesterday|ago)\b)"
    r"[^?]+)"
)
_WHEN_UNKNOWN = pattern(r"(?P<when>(?:on|at|in|by|before|after|around) (?:\S+ ){1,4}?)(?:to|that|about) (?P<what>\S.*)")
_ONLY_TIME = pattern(rf"(?:{WHEN})")


_RULES: tuple[Rule[Wish], ...] = (
    rule(
        rf"(?:{_SET_REMINDER}|remind me|remind us|nudge me|ping me|{_DONT_FORGET}(?!,? (?:that )?i\b))"
        rf"(?:,? (?:for )?(?P<when>{WHEN}))?[,:]? (?:(?:to|about|of|for|that) )?{_WHAT}",
        _remind,
    ),
    rule(rf"(?:to-?do|task)(?: ?[:–-]| -) ?{_WHAT}", _add),
    rule(rf"(?:add|put) (?P<what>\S.*?) (?:to|on|onto) {_LIST}(?:,? (?:for )?(?P<when>{WHEN}))?[.!]?", _add),
    rule(rf"(?:add|put) (?:to|on|onto) {_LIST} ?: ?{_WHAT}", _add),
    rule(rf"{_NEW_TASK}(?: (?:to|for|called|named|saying|about|that says))? ?:? ?{_WHAT}", _add),
    rule(rf"(?:mark|set) {_THE_TASK}(?P<what>\S.*?) (?:as )?(?:not |un-?){_DONE}[.!]?", _reopen),
    rule(rf"re-?open {_THE_TASK}(?P<what>\S.*?)(?: {_TASK})?[.!]?", _reopen),
    rule(rf"(?:mark|set) {_THE_TASK}(?P<what>\S.*?) (?:as )?{_DONE}[.!]?", _complete),
    rule(rf"(?:tick|check|cross) off {_THE_TASK}{_WHAT}", _complete),
    rule(rf"(?:tick|check|cross) {_THE_TASK}(?P<what>\S.*?) off(?: {_LIST})?[.!]?", _complete),
    rule(rf"(?:(?:i'm|i am|i've|i have|i)(?: just)? )?{_FINISHED} {_THE_TASK}{_WHAT}", _complete),
    rule(rf"{_THE_TASK}(?P<what>\S.{{0,200}}?) is (?:now )?{_DONE}[.!]?", _complete),
    rule(rf"(?:{_DROP_ANY}|take) {_THE_TASK}(?P<what>\S.*?) (?:from|off|out of) {_LIST}[.!]?", _delete),
    rule(rf"{_DROP_ANY} (?:(?:the|my) )?{_TASK} (?:(?:to|about|called|named|for) )?{_WHAT}", _delete),
    rule(rf"{_DROP_ANY} (?:(?:the|my) )?(?P<what>\S.*?) {_TASK}[.!]?", _delete),
    rule(
        rf"(?:set|make|mark|change) (?:the priority of )?{_THE_TASK}(?P<what>\S.*?) (?:as |to )?(?:an? )?"
        r"(?P<level>low|normal|high|top|urgent)(?: priority)?[.!]?",
        _urgent,
    ),
    rule(rf"rename {_THE_TASK}(?P<what>\S.*?) (?:to|as|into) (?P<new>\S.*)", _rename),
    rule(rf"change the (?:title|name) of {_THE_TASK}(?P<what>\S.*?) (?:to|into) (?P<new>\S.*)", _rename),
    rule(
        rf"(?:change|move|set) the (?:due date|deadline|date|time) (?:of|for) {_THE_TASK}(?P<what>\S.*?) (?:to|for) "
        rf"{_MOVED}[.!]?",
        _move,
    ),
    rule(rf"(?:make|set) {_THE_TASK}(?P<what>\S.*?) due {_MOVED}[.!]?", _move),
    rule(
        rf"(?:move|reschedule|postpone|push|shift|delay|snooze|change)(?: back)? {_THE_TASK}(?P<what>\S.*?) "
        rf"(?:back )?(?:to |until |till |for )?{_MOVED}[.!]?",
        _move,
    ),
)
