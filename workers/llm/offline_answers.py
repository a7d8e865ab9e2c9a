"""What the offline model says when no tool was asked for: short texts made of the message and the prompt's sections.

A system message may hold sections, `# Tasks` and the like, with one line `- …` for each item. It must not invent:
what is not in a section is not said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from domain.ports import PromptMessage
from workers.understanding.intents import asked, own_words

COUNT_MAX = 5_000
STORY_WORDS = 400
STORY_WORDS_MAX = 5_000
LINES_MAX = 20  # of a section, in an answer
NOTE_LINES_MAX = 8  # of an attached note, its beginning
NOTE_CHARACTERS_MAX = 600

ABILITIES = (
    "I can keep tasks and reminders (“remind me to call John tomorrow at 5”), remember facts "
    "(“remember that my favourite airport is JFK”), make notes (“note: the door code is 1234”), keep your calendar, "
    "find flights, show your agenda, plan your day and summarize your week."
)

REMIND_OF_WHAT = (
    "I did not understand what to remind you of, so nothing was done. Please say it in one sentence, such as "
    "“remind me tomorrow at 9 to call John”."
)
NOT_UNDERSTOOD = f"I did not understand what to do, so nothing was done. {ABILITIES}"

_HEADING = re.compile(r"#{1,3}\s+(.+?)\s*#*\s*")
_GREETING = re.compile(r"(?:hi|hello|hey|good (?:morning|afternoon|evening)|greetings|salut|hola)\b", re.IGNORECASE)
_ABLE = re.compile(r"\b(?:what can you do|who are you|how can you help)\b", re.IGNORECASE)
_GRATITUDE = re.compile(r"(?:thanks|thank you|thx|cheers)\b", re.IGNORECASE)
_COUNT = re.compile(r"\bcount\s+(?:up\s+)?(?:from\s+(\d{1,4})\s+)?to\s+(\d{1,4})\b", re.IGNORECASE)
_WORDS = re.compile(r"\b(\d{1,4})[\s-]+words?\b", re.IGNORECASE)
_STORY = re.compile(r"\b(?:story|essay|tale|lorem ipsum)\b", re.IGNORECASE)
_SUMMARY = re.compile(r"\bsumm(?:ary|ari[sz]e)\b", re.IGNORECASE)
_PLAN = re.compile(r"\bplan\b", re.IGNORECASE)
_DAY = re.compile(r"\b(?:day|today|tomorrow|morning|week)\b", re.IGNORECASE)
_TASKS = re.compile(r"\b(?:tasks?|to-?dos?|reminders?|my list)\b", re.IGNORECASE)
_ON_DAYS = re.compile(
    r"\b(?:agenda|due|overdue|today|tonight|tomorrow|week(?:end)?|month|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.IGNORECASE,
)
_NEXT_EVENT = re.compile(r"\bnext (?:meeting|appointment|event)\b", re.IGNORECASE)
_EVENT_LINE = re.compile(r"[A-Z][a-z]+day (?P<start>\d{4}-\d\d-\d\d \d\d:\d\d)–")
_NOW = re.compile(r"[A-Z][a-z]+day (?P<now>\d{4}-\d\d-\d\d \d\d:\d\d) \(")
_MY = re.compile(r"\b(?:what|who|where|when)(?:['’]s|\s+is|\s+are|\s+was)\s+my\s+([^?!.]{1,100})", re.IGNORECASE)
_ATTACHED = re.compile(
    r"\b(?:this|these|that|it|notes?|attach\w*|documents?|texts?|files?|above|below|notiz\w*|dokument\w*)\b",
    re.IGNORECASE,
)
_WEEK = re.compile(r"\bweek\b", re.IGNORECASE)
_ASKS = re.compile(r"(?:what|which|who|whose|where|when|how)\b.*\?$", re.IGNORECASE | re.DOTALL)
_QUESTION_WORDS = frozenset({"what", "which", "who", "whose", "where", "when", "how"})
_LITTLE_WORDS = frozenset({"is", "are", "was", "do", "does", "did", "the", "a", "an", "s", "of", "for", "to"})
_SELF_WORDS = frozenset({"i", "me", "my", "mine", "am", "have", "has", "like", "prefer"})
_POLITE_WORDS = frozenset({"you", "there", "any", "and", "again", "please"})
_EMPTY = _QUESTION_WORDS | _LITTLE_WORDS | _SELF_WORDS | _POLITE_WORDS | {"in", "at", "on"}
# What any entry of an agenda may be called: they tell none from another.
_ANY_ENTRY = frozenset(
    {"agenda", "calendar", "schedule", "meeting", "meetings", "appointment", "appointments", "event", "events", "next"}
)
_PREFERENCES = re.compile(r"\b(?:preferences|settings|time ?zone|work(?:ing)? ?hours)\b", re.IGNORECASE)
_WHEN = re.compile(r"\b(?:when|what time|where|wann)\b", re.IGNORECASE)
_KNOWN = re.compile(r"\bwhat\s+do\s+you\s+(?:know|remember)\b|\bmy\s+memories\b", re.IGNORECASE)

_STORY_SENTENCES = (
    "Once there was a small office at the edge of a harbour.",
    "Every morning a clerk opened its green door and put the kettle on.",
    "She wrote down what people asked her to remember, and she never lost a line.",
    "A captain left the name of an airport, a baker the birthday of her son.",
    "When the wind was strong the papers flew about, but each had its number.",
    "So the clerk laid them back in order, one after another, and went on.",
    "In the evening she read aloud what was still to do, and the harbour grew quiet.",
)


def answer_to(text: str, messages: Sequence[PromptMessage]) -> str:
    """The answer to the last message, without the label that the model puts after it. What it pastes asks nothing."""
    own = own_words(text)
    is_pasting = own != text.replace("’", "'")
    text = own
    sections = sections_of(messages)
    if match := _COUNT.search(text):
        return _count(int(match.group(1) or 1), int(match.group(2)))
    if match := _WORDS.search(text):
        return _story(int(match.group(1)))
    if _STORY.search(text):
        return _story(STORY_WORDS)
    notes = _notes(messages)
    if notes and _ATTACHED.search(text):
        return _beginnings(notes)
    intent = asked(text).intent
    if intent == "summary" or (_SUMMARY.search(text) and not is_pasting):
        return _summary(sections, messages)
    if intent == "plan" or (_PLAN.search(text) and _DAY.search(text)):
        return _plan(sections, is_week=_WEEK.search(text) is not None)
    if intent == "agenda":
        return _agenda(text, sections, messages)
    if (match := _MY.search(text)) and (found := _memories_about(match.group(1), sections)):
        return "You told me:\n" + _lines(found)
    if _PREFERENCES.search(text) and (set_up := _section(sections, "preferences")):
        return "Your preferences:\n" + _lines(set_up)
    if _KNOWN.search(text):
        memories = _memories(sections)
        return "You told me:\n" + _lines(memories) if memories else "You have not asked me to remember anything yet."
    if _ASKS.match(text.strip()) and (found := _memories_with(_content(text), sections)):
        return "You told me:\n" + _lines(found)
    if notes:
        return _beginnings(notes)
    if _GREETING.match(text.strip()):
        return f"Hello! {ABILITIES}"
    if _ABLE.search(text):
        return ABILITIES
    if _GRATITUDE.match(text.strip()):
        return "You are welcome."
    return f"I cannot talk about that without a real model. {ABILITIES}"


def sections_of(messages: Sequence[PromptMessage]) -> dict[str, list[str]]:
    """The items under each heading of the system messages, by heading in lower case."""
    sections: dict[str, list[str]] = {}
    for heading, lines in _headed(messages):
        items = sections.setdefault(heading.lower(), [])
        items += [line[2:].strip() for line in lines if line.startswith("- ") and line[2:].strip()]
    return sections


def _headed(messages: Sequence[PromptMessage]) -> Iterator[tuple[str, list[str]]]:
    """The headings of the system messages, each with the lines under it."""
    for message in messages:
        heading: str | None = None
        lines: list[str] = []
        for line in message.content.splitlines() if message.role == "system" else ():
            if match := _HEADING.fullmatch(line):
                if heading is not None:
                    yield heading, lines
                heading, lines = match.group(1), []
            else:
                lines.append(line)
        if heading is not None:
            yield heading, lines


def _section(sections: Mapping[str, list[str]], *words: str) -> list[str]:
    """The items of all sections whose heading has one of the words in it."""
    return [item for heading, items in sections.items() if any(word in heading for word in words) for item in items]


def _agenda(text: str, sections: Mapping[str, list[str]], messages: Sequence[PromptMessage]) -> str:
    """Tasks where it asks for these, the entries that it names, or all of the days that the prompt has."""
    events, tasks = _section(sections, "calendar", "event"), _section(sections, "task")
    if _TASKS.search(text) and not _ON_DAYS.search(text):
        return "Open tasks:\n" + _lines(tasks) if tasks else "You have no open tasks."
    agenda = _section(sections, "agenda")
    if named := _entries_named(text, agenda, messages):
        return "In your calendar and tasks:\n" + _lines(named)
    if agenda:
        return f"{_agenda_title(sections)}:\n{_lines(agenda)}"
    if any(heading.startswith("agenda") for heading in sections):
        return "\n\n".join(
            [f"{_agenda_title(sections)}: nothing.", *(["Open tasks:\n" + _lines(tasks)] if tasks else [])]
        )
    if not events and not tasks:
        return "There is nothing on your agenda: no events and no open tasks."
    parts = []
    if events:
        parts.append("Calendar:\n" + _lines(events))
    if tasks:
        parts.append("Open tasks:\n" + _lines(tasks))
    return "\n\n".join(parts)


def _entries_named(text: str, agenda: Sequence[str], messages: Sequence[PromptMessage]) -> list[str]:
    """The entries that a question such as "when is my dentist appointment" is about; none where it names none."""
    if _NEXT_EVENT.search(text):
        now = next(
            (match["now"] for heading, lines in _headed(messages) for match in map(_NOW.match, lines) if match), ""
        )
        starts = ((entry, _EVENT_LINE.match(entry)) for entry in agenda)
        return [entry for entry, match in starts if match is not None and match["start"] >= now][:1]
    wanted = {word for word in _content(text) if word not in _ANY_ENTRY} if _WHEN.search(text) else None
    return [entry for entry in agenda if wanted and wanted <= set(_all_words(entry.casefold()))]


def _agenda_title(sections: Mapping[str, list[str]]) -> str:
    heading = next(heading for heading in sections if heading.startswith("agenda"))
    return f"Your {heading.replace('agenda of', 'agenda for')}"


def _plan(sections: Mapping[str, list[str]], *, is_week: bool = False) -> str:
    """Three priorities, five to-dos and a note, as far as there is anything to do. The known plan is one of a day."""
    known = _section(sections, "plan")
    if known and not is_week:
        return "Your plan:\n" + _lines(known)
    events, tasks = _section(sections, "calendar", "agenda", "event"), _section(sections, "task")
    if not tasks:
        note = f"Your calendar has {_number(len(events), 'event')}." if events else "Your calendar is free as well."
        return f"You have no open tasks to plan. {note}"
    parts = ["Priorities:\n" + _lines(tasks[:3])]
    if tasks[3:]:
        parts.append("To-dos:\n" + _lines(tasks[3:8]))
    left = len(tasks) - 8
    note = f"{_number(len(events), 'event')} in your calendar"
    parts.append(f"Note: {note}, {_number(left, 'more task')} for another day." if left > 0 else f"Note: {note}.")
    return "\n\n".join(parts)


def _summary(sections: Mapping[str, list[str]], messages: Sequence[PromptMessage]) -> str:
    events, tasks = _section(sections, "calendar", "agenda", "event"), _section(sections, "task")
    said = sum(1 for message in messages if message.role == "user") - 1
    counts = f"{_number(len(tasks), 'open task')}, {_number(len(events), 'event')}, {_number(said, 'earlier message')}"
    parts = [f"In short: {counts}."]
    if completed := _section(sections, "completed"):
        parts.append("Completed:\n" + _lines(completed))
    if events:
        parts.append("Calendar:\n" + _lines(events))
    if tasks:
        parts.append("Open tasks:\n" + _lines(tasks))
    if topics := _section(sections, "topics"):
        parts.append("You wrote about:\n" + _lines(topics))
    return "\n\n".join(parts)


def _memories(sections: Mapping[str, list[str]]) -> list[str]:
    """As `favourite airport: JFK`, also where the key is written `favourite_airport`."""
    lines = (memory.partition(":") for memory in _section(sections, "memor"))
    return ["".join((key.replace("_", " "), colon, value)) for key, colon, value in lines]


def _memories_about(subject: str, sections: Mapping[str, list[str]]) -> list[str]:
    """Memories that hold every word of the subject."""
    return _memories_with([word for word in _all_words(subject.casefold()) if len(word) > 2], sections)


def _memories_with(words: Sequence[str], sections: Mapping[str, list[str]]) -> list[str]:
    """Memories that hold all of these words, however the user spells them."""
    wanted = {_spelled_alike(word) for word in words}
    known = _memories(sections)
    return [memory for memory in known if wanted and wanted <= set(_all_words(_spelled_alike(memory.casefold())))]


def _content(text: str) -> list[str]:
    return [word for word in _all_words(text.casefold()) if word not in _EMPTY]


def _all_words(text: str) -> list[str]:
    return re.findall(r"\w+", text)


def _spelled_alike(text: str) -> str:
    """`favourite` and `favorite` are one word."""
    return text.replace("our", "or")


def _notes(messages: Sequence[PromptMessage]) -> list[tuple[str, list[str]]]:
    """Title and lines of each note that the user attached."""
    notes: list[tuple[str, list[str]]] = []
    for line in [line for heading, lines in _headed(messages) if heading == "Notes" for line in lines]:
        if line.startswith("- "):
            notes.append((line[2:].strip(), []))
        elif notes and line.startswith("> "):
            notes[-1][1].append(line[2:])
    return notes


def _beginnings(notes: Sequence[tuple[str, list[str]]]) -> str:
    """As they were written: it can sum nothing up, and says so."""
    parts = []
    for title, lines in notes:
        text = "\n".join(lines[:NOTE_LINES_MAX])
        shown = text[:NOTE_CHARACTERS_MAX].rstrip()
        is_whole = len(lines) <= NOTE_LINES_MAX and len(text) <= NOTE_CHARACTERS_MAX
        quoted = "\n".join(f"> {line}" for line in shown.splitlines())
        parts.append(f"Your note “{title}” {'says' if is_whole else 'begins'}:\n{quoted}{'' if is_whole else ' …'}")
    parts.append("I cannot sum it up without a real model.")
    return "\n\n".join(parts)


def _lines(items: Sequence[str]) -> str:
    lines = [f"- {item}" for item in items[:LINES_MAX]]
    if len(items) > LINES_MAX:
        lines.append(f"… and {len(items) - LINES_MAX} more")
    return "\n".join(lines)


def _number(count: int, what: str) -> str:
    return f"{count or 'no'} {what}" if count == 1 else f"{count or 'no'} {what}s"


def _count(first: int, last: int) -> str:
    last = min(last, first + COUNT_MAX - 1)
    return ", ".join(str(number) for number in range(first, last + 1)) or "There is nothing to count."


def _story(word_count: int) -> str:
    """So many words, always the same ones."""
    count = min(word_count, STORY_WORDS_MAX)
    told = " ".join(_STORY_SENTENCES).split()
    words = (told * (count // len(told) + 1))[:count]
    return " ".join(words).rstrip(".,") + "." if words else ABILITIES
