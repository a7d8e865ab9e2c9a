"""What the offline model makes of a message about the calendar or a flight, and its plans and rankings as JSON.

Rules over words, as in offline_intents.py; phrases of time stay as they were said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from domain.values import Json
from workers.understanding.time_words import WHEN, pattern, split_when

PRIORITIES, TODOS = 3, 5

_CALENDAR = r"(?:my |the )?(?:calendar|kalender|schedule|agenda)"
_ADD = pattern(rf"(?:add|put|enter|write) (?P<what>\S.*?) (?:to|in|into|on|onto) {_CALENDAR}(?P<more>.*)")
_SCHEDULE = pattern(
    r"(?:schedule|set up|create|make|add|book)(?: me)? (?P<what>(?:(?:an?|the|my) )?(?:(?:new )?(?:event|meeting"
    r"|appointment|call|lunch|dinner|breakfast|coffee)\b).*)"
)
_EVENT_WORD = pattern(r"(?:an? |the |my )?(?:new )?event (?:called |named |for |: ?)?")
_ARTICLE = re.compile(r"(?:an?|the) ", re.IGNORECASE)
_CLOCK = r"\d{1,2}(?:[:.]\d\d)? ?(?:am|pm|a\.m\.|p\.m\.|o'clock)"
_EVENT = rf"(?:{_CLOCK}|\b(?:meeting|appointment|event|lunch|dinner|breakfast|stand-?up|call with)\b)"
_MOVE = pattern(
    r"(?:move|reschedule|postpone|push|shift|delay|change) (?:my |the )?(?P<what>.*?) (?:to|until|till|for) "
    rf"(?P<when>{WHEN}|\d{{1,2}}(?:[:.]\d\d)?)[.!]?"
)
_CANCEL = pattern(r"(?:cancel|delete|remove|drop|call off) (?:my |the )?(?P<what>.*?)(?: from my calendar)?[.!]?")
_SPOKEN_OF = pattern(rf".*{_EVENT}.*")
_TASK = re.compile(r"\b(?:tasks?|to-?dos?|reminders?)\b", re.IGNORECASE)


def event_wish(sentence: str) -> tuple[str, dict[str, str]] | None:
    """The calendar's tool that a sentence asks for, with its arguments."""
    if _TASK.search(sentence):
        return None
    if (match := _ADD.fullmatch(sentence)) is not None:
        return _create(f"{match['what']}{match['more'].rstrip(' .!')}")
    if (match := _SCHEDULE.fullmatch(sentence)) is not None:
        return _create(_EVENT_WORD.sub("", match["what"], count=1))
    if (match := _MOVE.fullmatch(sentence)) is not None and _SPOKEN_OF.fullmatch(match["what"]):
        return "update_event", {"event": _tidy(match["what"]), "start_text": _tidy(match["when"])}
    if (match := _CANCEL.fullmatch(sentence)) is not None and _SPOKEN_OF.fullmatch(match["what"]):
        return "delete_event", {"event": _tidy(match["what"])}
    return None


def _create(what: str) -> tuple[str, dict[str, str]] | None:
    title, when = split_when(what)
    title = _ARTICLE.sub("", _tidy(title), count=1) if _ARTICLE.match(_tidy(title)) else _tidy(title)
    if not title or not when:
        return None
    return "create_event", {"title": title, "start_text": _tidy(when)}


def _tidy(text: str) -> str:
    return " ".join(text.split()).strip(' ,.!?"“”')


def plan_json(sections: Mapping[str, Sequence[str]], label: str) -> dict[str, Json]:
    """Three priorities, five to-dos and a note, from the open tasks as they stand and the day's events."""
    tasks = list(sections.get("tasks", ()))
    titles = [re.sub(r" \([^()]*\)$", "", task) for task in tasks]
    urgent = [title for title, task in zip(titles, tasks, strict=True) if "high priority" in task]
    ordered = list(dict.fromkeys([*urgent, *titles]))
    events = sections.get("calendar", ())
    held = (
        f"{len(events)} appointment{'' if len(events) == 1 else 's'} today" if events else "A day without appointments"
    )
    return {
        "priorities": ordered[:PRIORITIES],
        "todos": ordered[PRIORITIES : PRIORITIES + TODOS],
        "notes": [f"{held}: one thing at a time. {label}"],
    }
