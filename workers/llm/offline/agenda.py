"""What the offline model says of days: agenda, plan and summary, made of the prompt's sections alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from domain.ports import PromptMessage
from workers.llm.offline.sections import all_words, content_of, lines_of, now_in, number_of, section
from workers.understanding.german_words import german

Sections = Mapping[str, list[str]]

_TASKS = re.compile(
    r"\b(?:tasks?|to-?dos?|reminders?|my list|left|still open|aufgaben?|erinnerungen|noch (?:offen|zu tun))\b",
    re.IGNORECASE,
)
_ON_DAYS = re.compile(
    r"\b(?:agenda|due|overdue|today|tonight|tomorrow|week(?:end)?|month|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    + german(r"|heute|morgen|übermorgen|fällig|woche(?:nende)?|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch)\b"),
    re.IGNORECASE,
)
_OVERDUE = re.compile(german(r"\b(?:overdue|überfällig\w*)\b"), re.IGNORECASE)
_NEXT_EVENT = re.compile(
    r"\bnext (?:meeting|appointment|event)\b" + german(r"|\bnächste[rs]? (?:termin|treffen|meeting|besprechung)\b"),
    re.IGNORECASE,
)
_EVENT_LINE = re.compile(r"[A-Z][a-z]+day (?P<start>\d{4}-\d\d-\d\d \d\d:\d\d)–")
_WHEN = re.compile(r"\b(?:when|what time|where|wann|wo)\b", re.IGNORECASE)
_WHEN_IS_MINE = re.compile(
    r"\b(?:when(?:'s| is| are)|wann (?:ist|sind)) (?:my|the|our|mein\w*|de[rn]|die|das)\b"
    r"|\bwhen (?:do|am|will|should) (?:i|we)\b(?! have time\b)|\bwhat time (?:is|are|does|do)\b",
    re.IGNORECASE,
)
# What any entry of an agenda may be called: they tell none from another.
_ANY_ENTRY = frozenset(
    {
        *("agenda", "calendar", "schedule", "meeting", "meetings", "appointment", "appointments", "event", "events"),
        *("next", "time", "start", "starts", "begin", "termin", "termine", "kalender", "treffen"),
    }
)


def agenda(text: str, sections: Sections, messages: Sequence[PromptMessage]) -> str:
    """Tasks where it asks for these, the entries that it names, or all of the days that the prompt has."""
    entries, tasks = section(sections, "agenda"), section(sections, "task")
    if _OVERDUE.search(text):
        late = [entry for entry in entries if entry.startswith("Overdue:")]
        return lines_of(late) if late else "Nothing is overdue."
    if _TASKS.search(text) and not _ON_DAYS.search(text):
        return (
            f"You have {number_of(len(tasks), 'open task')}:\n{lines_of(tasks)}" if tasks else "You have no open tasks."
        )
    if named := _entries_named(text, entries, messages):
        return "In your calendar and tasks:\n" + lines_of(named)
    if (next_one := _NEXT_EVENT.search(text)) or (_WHEN_IS_MINE.search(text) and _names_of(text)):
        what = "no appointment" if next_one else f"nothing called “{' '.join(_names_of(text))}”"
        return f"I find {what} in the calendar and the tasks of the days ahead of you."
    if entries:
        return f"{_agenda_title(sections)}:\n{lines_of(entries)}"
    if any(heading.startswith("agenda") for heading in sections):
        return "\n\n".join(
            [f"{_agenda_title(sections)}: nothing.", *(["Open tasks:\n" + lines_of(tasks)] if tasks else [])]
        )
    return _without_agenda(section(sections, "calendar", "event"), tasks)


def _without_agenda(events: Sequence[str], tasks: Sequence[str]) -> str:
    if not events and not tasks:
        return "There is nothing on your agenda: no events and no open tasks."
    parts = []
    if events:
        parts.append("Calendar:\n" + lines_of(events))
    if tasks:
        parts.append("Open tasks:\n" + lines_of(tasks))
    return "\n\n".join(parts)


def _entries_named(text: str, entries: Sequence[str], messages: Sequence[PromptMessage]) -> list[str]:
    """The entries that a question such as "when is my dentist appointment" is about; none where it names none."""
    if _NEXT_EVENT.search(text):
        now = now_in(messages)
        starts = ((entry, _EVENT_LINE.match(entry)) for entry in entries)
        ahead = "" if now is None else f"{now['day'].split()[1]} {now['hour']}"
        return [entry for entry, match in starts if match is not None and match["start"] >= ahead][:1]
    wanted = _names_of(text) if _WHEN.search(text) else []
    known = ((entry, all_words(entry.casefold())) for entry in entries)
    return [entry for entry, words in known if wanted and all(_is_among(word, words) for word in wanted)]


def _names_of(text: str) -> list[str]:
    return [word for word in content_of(text) if word not in _ANY_ENTRY]


def _is_among(word: str, words: Sequence[str]) -> bool:
    """Also as a part of a compound: "Zahnarzt" of "Zahnarzttermin", and the other way round."""
    return any(word == each or (min(len(word), len(each)) > 4 and (word in each or each in word)) for each in words)


def _agenda_title(sections: Sections) -> str:
    heading = next(heading for heading in sections if heading.startswith("agenda"))
    return f"Your {heading.replace('agenda of', 'agenda for')}"


def plan(sections: Sections, *, is_week: bool = False) -> str:
    """Three priorities, five to-dos and a note, as far as there is anything to do. The known plan is one of a day."""
    known = section(sections, "plan")
    if known and not is_week:
        return "Your plan:\n" + lines_of(known)
    events, tasks = section(sections, "calendar", "agenda", "event"), section(sections, "task")
    if not tasks:
        note = f"Your calendar has {number_of(len(events), 'event')}." if events else "Your calendar is free as well."
        return f"You have no open tasks to plan. {note}"
    parts = ["Priorities:\n" + lines_of(tasks[:3])]
    if tasks[3:]:
        parts.append("To-dos:\n" + lines_of(tasks[3:8]))
    left = len(tasks) - 8
    note = f"{number_of(len(events), 'event')} in your calendar"
    parts.append(f"Note: {note}, {number_of(left, 'more task')} for another day." if left > 0 else f"Note: {note}.")
    return "\n\n".join(parts)


def summary(sections: Sections, messages: Sequence[PromptMessage]) -> str:
    events, tasks = section(sections, "calendar", "agenda", "event"), section(sections, "task")
    completed = section(sections, "completed")
    said = sum(1 for message in messages if message.role == "user") - 1
    counts = [number_of(len(tasks), "open task"), number_of(len(events), "event"), number_of(said, "earlier message")]
    if "now" in sections:
        counts.insert(0, number_of(len(completed), "completed task"))
    parts = [f"In short: {', '.join(counts)}."]
    if completed:
        parts.append("Completed:\n" + lines_of(completed))
    if events:
        parts.append("Calendar:\n" + lines_of(events))
    if tasks:
        parts.append("Open tasks:\n" + lines_of(tasks))
    if topics := section(sections, "topics"):
        parts.append("You wrote about:\n" + lines_of(topics))
    return "\n\n".join(parts)
