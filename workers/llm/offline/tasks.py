"""What the offline model makes of a sentence about tasks and reminders, in English. Pure.

Phrases of time stay as they were said (`due_text`): what they mean is worked out by who reads the call.
"""

from __future__ import annotations

import re

from workers.llm.offline.words import NO_NAME, POLITE, Rule, Said, first_made, rule, squeeze, title_of
from workers.understanding.time_words import MOVED_BY, WHEN, pattern, split_leading_when, split_when

_TIME_CHARACTERS_MAX = 60  # of a title that may be nothing but a time

_TASK = r"(?:task|to-?do|reminder)"
_THE_TASK = rf"(?:(?:the|my|this|that) )?(?:{_TASK} (?:to |about |called |named |for |: ?)?)?"
_WHAT = r"(?P<what>\S.*)"
_SET_REMINDER = r"(?:(?:set|create|make|schedule)(?: me)? (?:an? )?reminder|(?:i )?need a reminder)(?: for me)?"
_DONT_FORGET = r"(?:don't let me forget|don't forget|remember(?= to\b))"
_NEW_TASK = rf"(?:add|create|make|new|put in)(?: me)? (?:(?:a|an|the|another|one more) )?(?:new )?{_TASK}(?: for me)?"
_DROP_ANY = r"(?:delete|remove|cancel|drop|clear|erase|stop)"
_LIST = r"(?:my|the) (?:(?:to-?do|task|shopping|grocery) )?(?:list|tasks?|to-?dos?)"
_FINISHED = r"(?:complete|completed|finish|finished|done with|done:|close)"
_DONE = r"(?:done|complete|completed|finished)"
_TELLS = re.compile(r"(?:completed|finished|done)\b", re.IGNORECASE)
_MOVED = rf"(?P<when>{MOVED_BY}|{WHEN}|\d{{1,2}}(?:[:.]\d\d)?)"
_PRIORITY_SAID = pattern(r",? (?:with )?(?:an? )?(?P<level>low|high|top|highest|urgent)(?: priority)?[.!]?$")
_DUE = pattern(r",? (?:is |that is |that's )?due(?: on| by| at)?$")
# What is to be done, where nothing is asked to be known.
_DUTY = pattern(
    rf"{POLITE}(?:(?:i |i've )?(?:need to|have to|must|got to|should|ought to) "
    r"|(?!order (?:me )?(?:an? |some )?(?:taxi|cab|uber|ride|pizza|food)\b)"
    r"(?=(?:buy|call|e-?mail|text|pay|pick up|order|finish|submit|renew|return|send (?!me\b)|clean|fix|pack"
    r"|take|water|wash|feed) ))"
    r"(?:not forget (?:to )?)?"
    r"(?P<what>(?!(?:admit|say|confess|not(?! miss\b))\b|"
    r".*\b(?:what|who|when|where|why|how|if|whether|was|were|have|had|yesterday|ago)\b)"
    r"[^?]+)"
)
_WHEN_UNKNOWN = pattern(r"(?P<when>(?:on|at|in|by|before|after|around) (?:\S+ ){1,4}?)(?:to|that|about) (?P<what>\S.*)")
_UNTIL = re.compile(r"\s(?:until|till|through|bis)\s+\S+(?:\s+\S+)?[.!]?$", re.IGNORECASE)
_ONLY_TIME = pattern(rf"(?:{WHEN})")
_QUESTION_WORD = pattern(r"(?:what|who|whom|whose|when|where|why|how|which|whether|if)\b")
# "It", whatever is said of its time: what that is, a title can't say.
_POINTS_BACK = pattern(r"(?:it|that|this|them)(?: (?:again|an? .{1,40}|.{1,40} (?:before|earlier|ahead|after)))?[.!]?")
# A time that is counted from an event, which nobody here can work out: no part of a title, and no time of ours.
_FROM_AN_EVENT = pattern(
    r"(?:(?:an?|half an?|the|\d{1,3}|[a-z]+) )?(?:minutes?|mins?|hours?|hrs?|days?|weeks?|nights?|evening|morning)"
    r" (?:before|after|ahead of) .*|.* the (?:day|night|evening|morning|week|hour) (?:before|after)"
)
_KIND_BEHIND = pattern(rf"(?<=\S) (?:{_TASK}|one)$")
_HALF_OPEN = re.compile(r"(?<![\d:.])(?:[4-9]|1[01])(?:[:.][0-5]\d)?$")


def task_wish(sentence: str) -> Said | None:
    """The tool of tasks that a sentence asks for, with its arguments."""
    return first_made(_RULES, sentence)


def duty_wish(sentence: str) -> Said | None:
    """What is only said to be to do is a task where it says when: "call mom tomorrow at 5"."""
    match = _DUTY.fullmatch(sentence)
    made = None if match is None else new_task(match["what"])
    return made if made is not None and "due_text" in made[1] else None


def bare_task(sentence: str) -> Said | None:
    """What stands in a list of things to do."""
    match = _DUTY.fullmatch(sentence)
    return None if match is None else new_task(match["what"])


def new_task(what: str, *whens: str) -> Said | None:
    """None where nobody knows what is to be done: "remind me tomorrow", "remind me of that"."""
    what, priority = _without_priority(what.rstrip(" :"))
    title, when = split_when(what)
    if not when:
        title, when = _until_unknown(what)
    if not when and not any(whens):
        when, title = split_leading_when(what)
    title = title_of(_DUE.sub("", title) if when else title)
    is_time = len(title) <= _TIME_CHARACTERS_MAX and _ONLY_TIME.fullmatch(title) is not None
    if not title or is_time or _POINTS_BACK.fullmatch(title) or _FROM_AN_EVENT.fullmatch(title):
        return None
    due = " ".join(squeeze(part) for part in (*whens, when) if part)
    said = {"title": title, "due_text": due, "priority": priority}
    return "create_task", {name: text for name, text in said.items() if text}


def _until_unknown(what: str) -> tuple[str, str]:
    """ "Every Friday until Christmas" is a time all the same, whose end who reads it may know or not."""
    match = _UNTIL.search(what, max(0, len(what) - _TIME_CHARACTERS_MAX))
    title, when = (what, "") if match is None else split_when(what[: match.start()])
    return (what, "") if match is None or not when else (title, f"{when}{match[0].rstrip('.!')}")


def name_in(what: str) -> str:
    """The title by which a task is named: "the invoice reminder" is the one of the invoice."""
    title = title_of(what)
    return title_of(_KIND_BEHIND.sub("", title))


def _remind(match: re.Match[str]) -> Said | None:
    what = match.group("what")
    if _QUESTION_WORD.match(what):
        return None  # "Remind me what I said about …" asks a question.
    if not match.group("when") and (other := _WHEN_UNKNOWN.fullmatch(what)) is not None:
        return new_task(other["what"], other["when"])  # "on Christmas": who reads it says what it is
    return new_task(what, match.group("when") or "")


def _add(match: re.Match[str]) -> Said | None:
    return new_task(match.group("what"), match.groupdict().get("when") or "")


def _wake(match: re.Match[str]) -> Said:
    """Who is to be woken at six means the morning."""
    when = squeeze(match.group("when"))
    return "create_task", {"title": "wake up", "due_text": f"{when} am" if _HALF_OPEN.search(when) else when}


def _timer(match: re.Match[str]) -> Said:
    what = title_of(match.group("what") or match.group("kind"))
    when = match.group("when")
    return "create_task", {"title": what, "due_text": squeeze(when) if when else f"in {squeeze(match['amount'])}"}


def _without_priority(what: str) -> tuple[str, str]:
    """What is to be done, and how urgent that is ("" where nothing was said)."""
    match = _PRIORITY_SAID.search(what)
    if match is None:
        return what, ""
    return what[: match.start()], priority_of(match["level"])


def priority_of(level: str) -> str:
    return "high" if level.casefold() in ("high", "top", "highest", "urgent") else level.casefold()


def _urgent(match: re.Match[str]) -> Said | None:
    wish = about_task("update_task", match.group("what"))
    return wish and (wish[0], {**wish[1], "priority": priority_of(match.group("level"))})


def _complete(match: re.Match[str]) -> Said | None:
    if match.string.endswith("?") and _TELLS.match(match.string) is not None:
        return None  # "Finished the report?" asks
    return about_task("complete_task", match.group("what"))


def _delete(match: re.Match[str]) -> Said | None:
    return about_task("delete_task", match.group("what"))


def _reopen(match: re.Match[str]) -> Said | None:
    return about_task("reopen_task", match.group("what"))


def about_task(tool: str, what: str) -> Said | None:
    """None where it is said of no task in particular: what is meant by "all" is not guessed."""
    title = name_in(what)
    return (tool, {"title": title}) if title and not NO_NAME.fullmatch(title) else None


def _move(match: re.Match[str]) -> Said | None:
    title, when = name_in(match.group("what")), squeeze(match.group("when"))
    return ("update_task", {"title": title, "due_text": when}) if title and not NO_NAME.fullmatch(title) else None


def _rename(match: re.Match[str]) -> Said | None:
    title, new = name_in(match.group("what")), title_of(match.group("new"))
    return ("update_task", {"title": title, "new_title": new}) if title and new else None


_RULES: tuple[Rule[Said], ...] = (
    rule(
        rf"(?:{_SET_REMINDER}|remind me|remind us|nudge me|ping me|{_DONT_FORGET}(?!,? (?:that )?i\b))"
        rf"(?:,? (?:for )?(?P<when>{WHEN}))?[,:]? (?:(?:to|about|of|for|that) )?{_WHAT}",
        _remind,
        needs="remind|nudge|ping|forget|remember",
    ),
    rule(rf"wake (?:me|us)(?: up)? (?P<when>{WHEN})[.!]?", _wake, needs="wake"),
    rule(
        rf"(?:set|start) (?:an? |my )?(?P<kind>timer|alarm)(?: (?:for|to|at|of) )?(?:(?P<when>(?:at )?{WHEN})"
        rf"|(?P<amount>\d{{1,3}} ?(?:minutes?|mins?|hours?|hrs?)))(?: (?:for|to) (?P<what>\S.*?))?[.!]?",
        _timer,
        needs="timer|alarm",
    ),
    rule(rf"stop (?:reminding|pinging|nudging) (?:me|us) (?:to |about |of )?{_WHAT}", _delete),
    rule(rf"(?:to-?do|task)(?: ?[:–-]| -) ?{_WHAT}", _add),
    rule(
        rf"(?:add|put) (?P<what>\S.*?) (?:to|on|onto) {_LIST}(?:,? (?:for )?(?P<when>{WHEN}))?[.!]?",
        _add,
        needs="add|put",
    ),
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
        needs="due date|deadline|date|time",
    ),
    rule(rf"(?:make|set) {_THE_TASK}(?P<what>\S.*?) due {_MOVED}[.!]?", _move, needs="due"),
    rule(
        rf"(?:move|reschedule|postpone|push|shift|delay|snooze|change)(?: back)? {_THE_TASK}(?P<what>\S.*?) "
        rf"(?:back )?(?:to |until |till |for )?{_MOVED}[.!]?",
        _move,
        needs="move|reschedule|postpone|push|shift|delay|snooze|change",
    ),
)
