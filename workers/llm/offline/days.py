"""What the offline model makes of a message about the calendar or a flight, and its plans and rankings as JSON.

Rules over words, as in intents.py; phrases of time stay as they were said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from domain import limits
from domain.values import Json
from workers.llm.offline.words import POLITE, Said, title_of, unquote
from workers.understanding.time_words import MOVED_BY, WHEN, pattern, split_times, tidy_time

PRIORITIES, TODOS = 3, 5

_MY_PLAN = r"(?:my |the |today's )(?:day )?plan(?: (?:for|of) (?:today|the day))?"
_PLAN_ADD = pattern(rf"{POLITE}(?:add|put) (?P<what>\S.*?) (?:to|on|in|into) {_MY_PLAN}[.!]?")
_PLAN_DROP = pattern(rf"{POLITE}(?:remove|delete|drop|take|cross) (?P<what>\S.*?) (?:from|off|out of) {_MY_PLAN}[.!]?")

_CALENDAR = r"(?:my |the )?(?:calendar|kalender|schedule|agenda)"
_ADD = pattern(rf"(?:add|put|enter|write) (?P<what>\S.*?) (?:to|in|into|on|onto) {_CALENDAR}(?P<more>.*)")
# "A dentist appointment" is an event whatever is said about it; a call or a lunch is one where it comes first.
_SURE = r"(?:event|meeting|appointment)"
_LIKELY = r"(?:(?:an?|the|my) call|call with|lunch|dinner|breakfast|brunch|coffee|interview|stand-?up)"
_NEW = r"(?:schedule|set up|create|make|add|book|arrange|plan|new)(?: me)?"
_BLOCK = pattern(r"block(?: off| out)? (?P<when>\S.*?) (?:for|to) (?P<what>\S.*)")
# A time off from one day to another is something of the calendar's, also for who only tells of it.
_AWAY = pattern(
    r"(?:i'm|i am|i'll be|i will be|we're|we are) (?:(?:away )?on |off on |taking |out on )?(?:an? |my )?"
    r"(?P<what>vacation|holidays?|leave|out of office|pto) (?P<when>\S.*)"
)
_SCHEDULE = pattern(
    rf"(?:{_NEW} (?P<sure>(?:[^\s,:]+ ){{0,4}}?{_SURE}\b.*)"
    rf"|{_NEW} (?P<likely>(?:(?:an?|the|my) )?{_LIKELY}\b.*)|schedule (?P<any>\S.*))"
)
# What is told of as an event, with its hour, is to be kept: "I have a dentist appointment on Friday at 3". A story is
# not, nor one that does not take place, or not then; but "Dr. No" and "the cancelled order" say nothing of that.
_TOLD = pattern(
    r"(?!.*\b(?:was|were|is|are|had|has|notes|went|(?<!ve\s)got|gets|(?-i:not|never)(?!-| (?:at|in) (?:the|my|our)\b)"
    r"|(?<!the\s)(?<!about\s)(?:cancell?ed|moved|postponed)(?!-))\b)"
    r"(?:(?:i have|i've got|we have|there's|there is) (?!no )"
    rf"(?P<sure>(?:an? |my |our )?(?:[^\s,:]+ ){{0,3}}?(?:{_SURE}|{_LIKELY})\b.*)"
    rf"|(?P<likely>(?:(?:an?|the|my) )?(?:{_SURE}|{_LIKELY}) \S.*)"
    r"|(?:i'm |i am |we're |we are )?(?P<meet>meet(?:ing)? (?!me\b)\S.*))"
)
_LASTING = pattern(
    r"(?:an? )?(?P<amount>(?:\d{1,3}|one|two|three|half an)[ -](?:minute|min|hour|hr)s?)[ -](?:long )?(?P<rest>\S.*)"
)
_ALL_DAY = re.compile(r",? ?\ball[- ]day\b:? ?", re.IGNORECASE)
_EVENT_WORD = pattern(
    r"(?:an? |the |my )?(?:new )?(?:calendar )?(?:event|entry)(?: ?:|(?: (?:called|named|titled|for))?(?= )) ?"
    r"|(?:an? |the |my )?(?:new )?(?:appointment|meeting)(?: ?: ?| (?:called|named|titled) )"
)
_ARTICLE = re.compile(r"(?:an?|the|eine?n?|den|die|das|meinen?) (?=\S)", re.IGNORECASE)
_CLOCK_LEFT = re.compile(
    r"\b\d{1,2}(?:[:.]\d\d)?\s?(?:am|pm)\b|\b\d{1,2}:\d\d\b|\b\d{1,2} ?[-–] ?\d{1,2}\b|\b(?:from|between) \d",
    re.IGNORECASE,
)
_LIST = re.compile(r"\b(?:to|on|onto) (?:my|the) (?:[\w-]+ )?list\b", re.IGNORECASE)
_CLOCK = r"\d{1,2}(?:[:.]\d\d)? ?(?:am|pm|a\.m\.|p\.m\.|o'clock)"
_EVENT = rf"(?:{_CLOCK}|\b(?:meeting|appointment|event|lunch|dinner|breakfast|stand-?up|call with)\b)"
_MOVE = pattern(
    r"(?:move|reschedule|postpone|push|shift|delay|change)(?: back)? (?:my |the )?(?P<what>.*?)(?: back)? "
    rf"(?:(?:to|until|till|for) (?P<when>{WHEN}|\d{{1,2}}(?:[:.]\d\d)?)"
    rf"|(?P<by>{MOVED_BY}))[.!]?",
    needs="move|reschedule|postpone|push|shift|delay|change",
)
_CANCEL = pattern(r"(?:cancel|delete|remove|drop|call off) (?:my |the )?(?P<what>.*?)(?: from my calendar)?[.!]?")
_ORDER = pattern(r"schedule ")
_SAME_TIME = re.compile(r" at the same (?:time|hour)\b", re.IGNORECASE)
_HAS_HOUR = re.compile(r"\d|noon|midday|\bat\b", re.IGNORECASE)
_SPOKEN_OF = pattern(rf".*{_EVENT}.*")
_TASK = re.compile(r"\b(?:tasks?|to-?dos?|reminders?)\b", re.IGNORECASE)


def event_wish(sentence: str) -> Said | None:
    """The calendar's tool that a sentence asks for, with its arguments."""
    sentence = _SAME_TIME.sub("", sentence)  # which a day alone keeps anyway
    if _TASK.search(sentence):
        return None
    if (match := _ADD.fullmatch(sentence)) is not None:
        return created(f"{match['what']}{match['more'].rstrip(' .!')}", is_sure=True)
    if _LIST.search(sentence) is None and (match := _SCHEDULE.fullmatch(sentence)) is not None:
        what = match["sure"] or match["likely"] or match["any"]
        if (wish := created(what, is_sure=bool(match["sure"] or _ORDER.match(sentence)))) is not None:
            return wish
    if (match := _BLOCK.fullmatch(sentence)) is not None:
        return created(f"{match['what'].rstrip(' .!')} {match['when']}", is_sure=False)
    if not sentence.endswith("?") and (match := _AWAY.fullmatch(sentence)) is not None:
        return created(f"{match['what']} {match['when']}", is_sure=False)
    if (match := _MOVE.fullmatch(sentence)) is not None and _SPOKEN_OF.fullmatch(match["what"]):
        return "update_event", {"event": _tidy(match["what"]), "start_text": _tidy(match["when"] or match["by"])}
    if (match := _CANCEL.fullmatch(sentence)) is not None and _SPOKEN_OF.fullmatch(match["what"]):
        return event_named("delete_event", match["what"])
    if not sentence.endswith("?") and (match := _TOLD.fullmatch(sentence)) is not None:
        wish = created(match["sure"] or match["likely"] or match["meet"], is_sure=False)
        return wish if wish is not None and _HAS_HOUR.search(wish[1]["start_text"]) else None
    return None


def created(what: str, *, is_sure: bool) -> Said | None:
    """`is_sure`: it is an event, also where nobody said when. Where a time is left in the title, it was not understood,
    and there is no wish: a wrong entry is worse than none."""
    lasting = _LASTING.fullmatch(what)
    title, start, end = split_times(_ALL_DAY.sub(" ", what if lasting is None else lasting["rest"]).strip())
    end = end if lasting is None else f"for {lasting['amount'].replace('-', ' ')}"
    # What is only called an event has that for its name.
    title = _tidy(_EVENT_WORD.sub("", title, count=1)) or _tidy(title)
    title = unquote(_tidy(_ARTICLE.sub("", title, count=1)) if _ARTICLE.match(title) else title)
    if not title or not (start or is_sure) or _CLOCK_LEFT.search(title):
        return None
    said = {
        "title": title[: limits.TITLE_CHARACTERS_MAX].strip(),
        "start_text": tidy_time(start),
        "end_text": tidy_time(end),
    }
    return "create_event", {name: text for name, text in said.items() if text}


def event_named(tool: str, what: str) -> Said | None:
    event = _tidy(what)
    return (tool, {"event": event}) if event else None


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(' ,.!?"“”')


def titled(task: str) -> str:
    """The title in a line of a task: what stands in brackets behind it is ours."""
    return re.sub(r" \([^()]*\)$", "", task)


def plan_wish(sentence: str, sections: Mapping[str, Sequence[str]]) -> Said | None:
    """A to-do more or less on the plan of the day, as the whole list that it leaves."""
    plan = next((items for heading, items in sections.items() if heading.startswith("plan of ")), ())
    todos = [item.removeprefix("to-do: ") for item in plan if item.startswith("to-do: ")]
    if (match := _PLAN_ADD.fullmatch(sentence)) is not None:
        todos = list(dict.fromkeys([*todos, title_of(match["what"])]))
    elif (match := _PLAN_DROP.fullmatch(sentence)) is not None:
        left = [todo for todo in todos if todo.casefold() != title_of(match["what"]).casefold()]
        if len(left) == len(todos):
            return None
        todos = left
    else:
        return None
    return "set_plan", {"todos": "\n".join(todos)}


def plan_json(sections: Mapping[str, Sequence[str]], label: str) -> dict[str, Json]:
    """Three priorities, five to-dos and a note, from the open tasks as they stand and the day's events."""
    tasks = list(sections.get("tasks", ()))
    titles = [titled(task) for task in tasks]
    urgent = [title for title, task in zip(titles, tasks, strict=True) if "high priority" in task]
    ordered = list(dict.fromkeys([*urgent, *titles]))
    events = sections.get("calendar", ())
    held = f"{len(events)} appointment{'' if len(events) == 1 else 's'}" if events else "A day without appointments"
    return {
        "priorities": ordered[:PRIORITIES],
        "todos": ordered[PRIORITIES : PRIORITIES + TODOS],
        "notes": [f"{held}: one thing at a time. {label}"],
    }
