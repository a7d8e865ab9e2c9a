"""What the offline model makes of a message: which tool the user's own words ask for, with which arguments.

Rules over English sentences, no state. Phrases of time stay as they were said (`due_text`): see `time_words`. It
must not look at anything but the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import msgspec

from domain import limits
from domain.ports import ToolCall, ToolSpec
from workers.llm.offline_days import event_wish
from workers.llm.offline_german import german_reminder
from workers.understanding.flight_words import flight_arguments
from workers.understanding.intents import NOTE_ORDER, wants_action
from workers.understanding.time_words import WHEN, Pattern, pattern, split_leading_when, split_when

WISHES_MAX = limits.ACTIONS_PER_MESSAGE_MAX
_THANKS_CHARACTERS_MAX = 60
SUMMARY_HOUR, NOON = 8, 12
_BLANKS = re.compile(r"[^\S\n]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """One tool call that the user asked for."""

    tool: str
    arguments: dict[str, str]


_THANKS = pattern(r"[\s,.!]*(?:\b(?:thanks|thank you|thx|please|cheers)\b[\s,.!]*)+$")
_SENTENCE_ENDS = re.compile(r"\n+|(?:(?<=[a-z]{3}[.!?])|(?<=\d[.!?])|(?<=[ap]m[.!?]))\s+(?=[A-Z])")
_QUOTES = "\"'“”‘’«»`"
_QUESTION_WORD = pattern(r"(?:what|who|whom|whose|when|where|why|how|which|whether|if)\b")


def wishes_of(message: str, tasks: Collection[str] = ()) -> list[Wish]:
    """At most `WISHES_MAX`, in the order in which they were said. `tasks` are the titles of the open ones: "delete X"
    asks for something where X is one of them."""
    text = _BLANKS.sub(" ", message)
    wishes: list[Wish] = []
    place = before = 0
    is_noting = False
    for end, following in [
        *((gap.start(), gap.end()) for gap in _SENTENCE_ENDS.finditer(text)),
        (len(text), len(text)),
    ]:
        sentence = text[place:end].strip()
        note = _NOTE.fullmatch(sentence)
        if note is not None and not note["text"]:
            # What begins on a line of its own is the note, all of it.
            return [*wishes, *_noted(text[following:])][:WISHES_MAX]
        bare = _without_thanks(sentence)
        found = _noted(note["text"]) if note is not None else _wishes_of(bare, tasks)
        if is_noting and not found and bare:
            found = _noted(wishes.pop().arguments["text"] + text[before:end])  # a note goes on until something is asked
        wishes += found
        is_noting = bool(wishes) and wishes[-1].tool == "add_note"
        place, before = following, end
    return wishes[:WISHES_MAX]


def _noted(text: str) -> list[Wish]:
    return [Wish("add_note", {"text": text.strip()})] if text.strip() else []


def _wishes_of(sentence: str, tasks: Collection[str]) -> list[Wish]:
    wish = _wish_of(sentence) or _dropped(sentence, tasks)
    return [] if wish is None else [wish]


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


def _without_thanks(sentence: str) -> str:
    match = _THANKS.search(sentence, max(0, len(sentence) - _THANKS_CHARACTERS_MAX))
    return sentence[: match.start()] if match else sentence


def _wish_of(sentence: str) -> Wish | None:
    asks = wants_action(sentence)
    bare = _POLITENESS.sub("", sentence, count=1)
    if "select_flight" in asks:
        return Wish("select_flight", {"which": _squeeze(bare).rstrip(".!?")})
    if "find_flights" in asks:
        return Wish("find_flights", flight_arguments(sentence))
    if (event := event_wish(bare)) is not None:
        return Wish(*event)
    if (german := german_reminder(bare)) is not None:
        return _task(german[0], german[1])
    for rule, make in _RULES:
        match = rule.fullmatch(sentence)
        if match is not None:
            wish = make(match)
            if wish is not None:
                return wish
    when, rest = split_leading_when(sentence)
    if when and (wish := _wish_of(rest)) and wish.tool == "create_task":
        return _task(wish.arguments["title"], when, wish.arguments.get("due_text", ""))
    return None


def _remind(match: re.Match[str]) -> Wish | None:
    what = match.group("what")
    if _QUESTION_WORD.match(what):
        return None  # "Remind me what I said about …" asks a question.
    return _task(what, match.group("when") or "")


def _add(match: re.Match[str]) -> Wish | None:
    return _task(match.group("what"))


def _task(what: str, *whens: str) -> Wish | None:
    title, when = split_when(what)
    title = _title(title)
    if not title:
        return None
    due = " ".join(_squeeze(part) for part in (*whens, when) if part)
    return Wish("create_task", {"title": title, "due_text": due} if due else {"title": title})


def _complete(match: re.Match[str]) -> Wish | None:
    return _about_task("complete_task", match.group("what"))


def _delete(match: re.Match[str]) -> Wish | None:
    return _about_task("delete_task", match.group("what"))


def _reopen(match: re.Match[str]) -> Wish | None:
    return _about_task("reopen_task", match.group("what"))


def _about_task(tool: str, what: str) -> Wish | None:
    """None where it is said of no task in particular: what is meant by "all" is not guessed."""
    title = _title(what)
    return Wish(tool, {"title": title}) if title and not _NO_NAME.fullmatch(title) else None


def _dropped(sentence: str, tasks: Collection[str]) -> Wish | None:
    """ "Delete water plants", where that is a task, whatever its articles."""
    match = _BARE_DROP.fullmatch(sentence)
    if match is None:
        return None
    wanted = _words(match.group("what"))
    named = [title for title in tasks if wanted and _words(title) == wanted]
    return Wish("delete_task", {"title": named[0]}) if named else None


def _words(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text.casefold()) if word not in ("the", "a", "an", "my", "to")]


def _move(match: re.Match[str]) -> Wish | None:
    title, when = _title(match.group("what")), _squeeze(match.group("when"))
    return Wish("update_task", {"title": title, "due_text": when}) if title else None


def _rename(match: re.Match[str]) -> Wish | None:
    title, new = _title(match.group("what")), _title(match.group("new"))
    if not title or not new:
        return None
    return Wish("update_task", {"title": title, "new_title": new})


def _remember(match: re.Match[str]) -> Wish | None:
    fact = match.group("fact").strip().rstrip(".!").strip()
    kind, key, value = _fact(fact)
    if not key or not value:
        return None
    return Wish("pin_memory", {"type": kind, "key": key, "value": value})


def _fact(fact: str) -> tuple[str, str, str]:
    """Its kind, key and value. What is forgotten is named as it was remembered."""
    kind, key, value = "fact", " ".join(fact.split()[:6]), fact
    if (known := _IS.fullmatch(fact)) or (known := _SITUATION.fullmatch(fact)):
        key, value = known.group("key"), known.group("value")
    elif taste := _TASTE.fullmatch(fact):
        kind, key = "preference", taste.group("key")
    if _FAVOURITE.search(key):
        kind = "preference"
    key = _unquote(key.strip())[: limits.MEMORY_KEY_CHARACTERS_MAX].strip()
    return kind, key, _unquote(value.strip())[: limits.MEMORY_VALUE_CHARACTERS_MAX].strip()


def _forget(match: re.Match[str]) -> Wish | None:
    said = match.group("fact").strip(_QUOTES + " .!?")
    if _NO_NAME.fullmatch(said):
        return None
    key = _fact(said)[1] if match.group("that") or _IS.fullmatch(said) else _MINE.sub("", said)
    key = key[: limits.MEMORY_KEY_CHARACTERS_MAX].strip()
    return Wish("forget_memory", {"key": key}) if key else None


def _timezone(match: re.Match[str]) -> Wish:
    return _preference("timezone", match.group("value"))


def _work_hours(match: re.Match[str]) -> Wish:
    return _preference("workHours", match.group("value"))


def _preference(key: str, value: str) -> Wish:
    return Wish("set_preference", {"key": key, "value": value.strip(_QUOTES + " .!")})


def _switch(match: re.Match[str]) -> Wish:
    """What it is switched to: on or off, of reminders, of the daily summary, or of both."""
    is_on = (match.group("on") or match.group("later") or match.group("able")).casefold() in ("on", "enable")
    what = (match.group("what") or match.group("which") or match.group("named")).casefold()
    if what.startswith("daily"):
        return _notify(f"{SUMMARY_HOUR:02d}:00" if is_on else None)
    changes: dict[str, str | None] = {"reminders": "message" if is_on else "none"}
    if what.startswith("notif") and not is_on:
        changes["dailySummary"] = None
    return _preference("notifications", msgspec.json.encode(changes).decode())


def _daily_summary(match: re.Match[str]) -> Wish | None:
    """An hour without a half of the day is the morning's: that is when a day begins."""
    hour, minute = int(match.group("hour") or SUMMARY_HOUR), match.group("minute") or "00"
    if (match.group("half") or "").startswith("p") and hour < NOON:
        hour += NOON
    return _notify(f"{hour:02d}:{minute}") if hour < 2 * NOON else None


def _no_summary(match: re.Match[str]) -> Wish:
    return _notify(None)


def _notify(hour: str | None) -> Wish:
    value = msgspec.json.encode({"dailySummary": hour}).decode()
    return Wish("set_preference", {"key": "notifications", "value": value})


def _title(text: str) -> str:
    """One line, without quotes and full stops around it."""
    return _unquote(_unquote(_squeeze(text)).rstrip(".!;, "))[: limits.TITLE_CHARACTERS_MAX].strip()


def _unquote(text: str) -> str:
    """Quotes are taken off in pairs: `fix the "door"` keeps its own."""
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES and not set(text[1:-1]) & set(_QUOTES):
        text = text[1:-1].strip()
    return text


def _squeeze(text: str) -> str:
    return " ".join(text.split())


_IS = pattern(r"(?:my |the )?(?P<key>\S.{0,120}?)(?: (?:is|are|=)|:) (?P<value>\S.*)")
_SITUATION = pattern(r"i (?P<key>live in|live at|work at|work for|work as|was born in|was born on) (?P<value>\S.*)")
_TASTE = pattern(
    r"i (?:really |always |never |usually )?(?:like|love|prefer|enjoy|hate|dislike|avoid|don't like) (?P<key>\S.*)"
)
_MINE = pattern(r"(?:my|the) ")
_NO_NAME = pattern(
    r"(?:my|the|this|that|it|them|these|those|all|every|each|any|everything|anything|one|first|last|new|old|done"
    r"|completed|(?:all|every|each|any) .*)"
)
_FAVOURITE = pattern(r"favou?rite|preferred|preference")

_POLITE = (
    r"(?:(?:hey|hi|hello|ok|okay|so|and|also|then|please|can you|could you|would you|will you|i'd like you to"
    r"|i would like you to|i need you to|i want you to|bitte|kannst du|könntest du)[\s,!]+)*"
)
_POLITENESS = pattern(_POLITE)
_TASK = r"(?:task|to-?do|reminder)"
_THE_TASK = rf"(?:(?:the|my|this|that) )?(?:{_TASK} (?:to |about |called |named |for |: ?)?)?"
_WHAT = r"(?P<what>\S.*)"
_SET_REMINDER = r"(?:set|create|make)(?: me)? (?:an? )?reminder"
_DONT_FORGET = r"don't let me forget|don't forget|remember(?= to\b)"
_NEW_TASK = rf"(?:add|create|make|new|put in)(?: me)? (?:(?:a|an|the|another|one more) )?(?:new )?{_TASK}(?: for me)?"
_NOTE = pattern(rf"{_POLITE}{NOTE_ORDER}(?: ?[:,–-]| (?:that|saying|about|of|to|dass)\b)?(?:^| ?)(?P<text>.*)")
_DROP = r"(?:delete|remove|cancel|drop|clear|erase)"
_BARE_DROP = pattern(rf"{_POLITE}{_DROP} (?P<what>\S.*)")
_LIST = r"(?:my|the) (?:(?:to-?do|task|shopping|grocery) )?(?:list|tasks?|to-?dos?)"
_NOTICES = r"(?:all )?(?:my |the )?(?P<what>notifications?|reminders?|daily (?:summar\w+|briefings?))"
_FINISHED = r"(?:complete|completed|finish|finished|done with|done:|close)"


def _rule(
    text: str, make: Callable[[re.Match[str]], Wish | None]
) -> tuple[Pattern, Callable[[re.Match[str]], Wish | None]]:
    return pattern(_POLITE + text), make


# The first that fits a whole sentence is taken.
_RULES = (
    _rule(
        rf"(?:{_SET_REMINDER}|remind me|remind us|{_DONT_FORGET})(?:,? (?:for )?(?P<when>{WHEN}))?[,:]?"
        rf" (?:(?:to|about|of|for|that) )?{_WHAT}",
        _remind,
    ),
    _rule(rf"(?:to-?do|task)(?: ?[:–-]| -) ?{_WHAT}", _add),
    _rule(rf"(?:add|put) (?P<what>\S.*?) (?:to|on|onto) {_LIST}[.!]?", _add),
    _rule(rf"{_NEW_TASK}(?: (?:to|for|called|named|saying|about|that says))? ?:? ?{_WHAT}", _add),
    _rule(
        r"(?:remember|note|keep in mind|bear in mind|memori[sz]e)(?: for me)?(?:[:,]| that\b|(?= (?:my|i)\b)) ?"
        r"(?P<fact>\S.*)",
        _remember,
    ),
    _rule(
        rf"(?:mark|set) {_THE_TASK}(?P<what>\S.*?) (?:as )?(?:not |un-?)(?:done|complete|completed|finished)[.!]?",
        _reopen,
    ),
    _rule(rf"re-?open {_THE_TASK}(?P<what>\S.*?)(?: {_TASK})?[.!]?", _reopen),
    _rule(rf"(?:mark|set) {_THE_TASK}(?P<what>\S.*?) (?:as )?(?:done|complete|completed|finished)[.!]?", _complete),
    _rule(rf"(?:tick|check|cross) off {_THE_TASK}{_WHAT}", _complete),
    _rule(rf"(?:(?:i'm|i am|i've|i have|i)(?: just)? )?{_FINISHED} {_THE_TASK}{_WHAT}", _complete),
    _rule(rf"(?:{_DROP}|take) {_THE_TASK}(?P<what>\S.*?) (?:from|off|out of) {_LIST}[.!]?", _delete),
    _rule(rf"{_DROP} (?:(?:the|my) )?{_TASK} (?:(?:to|about|called|named|for) )?{_WHAT}", _delete),
    _rule(rf"{_DROP} (?:(?:the|my) )?(?P<what>\S.*?) {_TASK}[.!]?", _delete),
    _rule(
        r"(?:forget (?!to\b)|(?:delete|remove) (?:(?:the|my|your) )?memory )(?:(?:about|of) )?(?P<that>that )?"
        r"(?:(?:what|everything) i (?:said|told you) about )?(?P<fact>\S.*)",
        _forget,
    ),
    _rule(rf"rename {_THE_TASK}(?P<what>\S.*?) (?:to|as|into) (?P<new>\S.*)", _rename),
    _rule(
        rf"(?:move|reschedule|postpone|push|shift|delay) {_THE_TASK}(?P<what>\S.*?) (?:to |until |till |for )?"
        rf"(?P<when>{WHEN})[.!]?",
        _move,
    ),
    _rule(r"(?:(?:set|change|switch|update) )?my time ?zone (?:to|is)(?: now)? (?P<value>\S.*)", _timezone),
    _rule(
        r"(?:(?:set|change|update) (?:my |the )?|my )work(?:ing)? ?hours(?: (?:to|are|is))?(?: now)?:? (?P<value>\S.*)",
        _work_hours,
    ),
    _rule(
        rf"(?:(?:turn|switch) (?P<on>on|off) {_NOTICES}|(?:turn|switch) {_NOTICES.replace('<what>', '<which>')}"
        rf" (?P<later>on|off)|(?P<able>enable|disable|mute) {_NOTICES.replace('<what>', '<named>')})[.!]?",
        _switch,
    ),
    _rule(
        r"(?:send|give|write) me (?:an? |my |the )?daily (?:summary|briefing)(?: every (?:day|morning))?"
        r"(?: at (?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d))? ?(?P<half>[ap]\.?m\.?)?)?"
        r"(?: every (?:day|morning))?[.!]?",
        _daily_summary,
    ),
    _rule(
        r"(?:stop|no more|end)(?: sending| with)?(?: me)?(?: my| the)? daily (?:summar\w+|briefings?)[.!]?", _no_summary
    ),
)
