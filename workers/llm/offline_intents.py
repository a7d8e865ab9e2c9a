"""What the offline model makes of a message: which tool the user's own words ask for, with which arguments.

Rules over English sentences, no state. Phrases of time stay as they were said (`due_text`): see `time_words`. It
must not look at anything but the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from domain import limits
from domain.ports import ToolCall, ToolSpec
from workers.llm.offline_days import event_wish
from workers.understanding.flight_words import flight_arguments
from workers.understanding.intents import wants_action
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


def wishes_of(message: str) -> list[Wish]:
    """At most `WISHES_MAX`, in the order in which they were said."""
    wishes: list[Wish] = []
    for sentence in _SENTENCE_ENDS.split(_BLANKS.sub(" ", message)):
        wish = _wish_of(_without_thanks(sentence.strip()))
        if wish is not None:
            wishes.append(wish)
    return wishes[:WISHES_MAX]


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


def _about_task(tool: str, what: str) -> Wish | None:
    title = _title(what)
    return Wish(tool, {"title": title}) if title else None


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
    if not fact:
        return None
    kind, key, value = "fact", " ".join(fact.split()[:6]), fact
    if (known := _IS.fullmatch(fact)) or (known := _SITUATION.fullmatch(fact)):
        key, value = known.group("key"), known.group("value")
    elif taste := _TASTE.fullmatch(fact):
        kind, key = "preference", taste.group("key")
    if _FAVOURITE.search(key):
        kind = "preference"
    key = _unquote(key.strip())[: limits.MEMORY_KEY_CHARACTERS_MAX].strip()
    value = _unquote(value.strip())[: limits.MEMORY_VALUE_CHARACTERS_MAX].strip()
    if not key or not value:
        return None
    return Wish("pin_memory", {"type": kind, "key": key, "value": value})


def _forget(match: re.Match[str]) -> Wish | None:
    key = match.group("key").strip(_QUOTES + " .!?")[: limits.MEMORY_KEY_CHARACTERS_MAX]
    return Wish("forget_memory", {"key": key}) if key else None


def _timezone(match: re.Match[str]) -> Wish:
    value = match.group("value").strip(_QUOTES + " .!")
    return Wish("set_preference", {"key": "timezone", "value": value})


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
_FAVOURITE = pattern(r"favou?rite|preferred|preference")

_POLITE = (
    r"(?:(?:hey|hi|hello|ok|okay|so|and|also|then|please|can you|could you|would you|will you|i'd like you to"
    r"|i would like you to|i need you to|i want you to)[\s,!]+)*"
)
_POLITENESS = pattern(_POLITE)
_TASK = r"(?:task|to-?do|reminder)"
_THE_TASK = rf"(?:(?:the|my|this|that) )?(?:{_TASK} (?:to |about |called |named |for |: ?)?)?"
_WHAT = r"(?P<what>\S.*)"
_SET_REMINDER = r"(?:set|create|make)(?: me)? (?:an? )?reminder"
_DONT_FORGET = r"don't let me forget|don't forget|remember(?= to\b)"
_NEW_TASK = rf"(?:add|create|make|new|put in)(?: me)? (?:(?:a|an|the|another|one more) )?(?:new )?{_TASK}(?: for me)?"
_LIST = r"(?:my|the) (?:(?:to-?do|task|shopping|grocery) )?(?:list|tasks?|to-?dos?)"
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
    _rule(rf"(?:mark|set) {_THE_TASK}(?P<what>\S.*?) (?:as )?(?:done|complete|completed|finished)[.!]?", _complete),
    _rule(rf"(?:tick|check|cross) off {_THE_TASK}{_WHAT}", _complete),
    _rule(rf"(?:(?:i'm|i am|i've|i have|i)(?: just)? )?{_FINISHED} {_THE_TASK}{_WHAT}", _complete),
    _rule(
        rf"(?:delete|remove|cancel|drop) (?:(?:the|my) )?{_TASK} (?:(?:to|about|called|named|for) )?{_WHAT}", _delete
    ),
    _rule(r"forget (?:about |that )?(?:what i said about )?my (?P<key>\S.*)", _forget),
    _rule(rf"rename {_THE_TASK}(?P<what>\S.*?) (?:to|as|into) (?P<new>\S.*)", _rename),
    _rule(
        rf"(?:move|reschedule|postpone|push|shift|delay) {_THE_TASK}(?P<what>\S.*?) (?:to |until |till |for )?"
        rf"(?P<when>{WHEN})[.!]?",
        _move,
    ),
    _rule(r"(?:set|change) my time ?zone to (?P<value>\S.*)", _timezone),
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
