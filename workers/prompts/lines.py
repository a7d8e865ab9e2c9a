"""Facts and objects as the lines that a prompt has of them. Pure; each line begins with "- " or "> "."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from commands.phrases.recurrence_words import in_words
from commands.phrases.words import WEEKDAYS
from domain.brain import Brain
from domain.events import (
    ActionCreated,
    Fact,
    MessageReceived,
    NoteAdded,
    ReplyCompleted,
    ReplyFailed,
    ReplyStopped,
)
from domain.text import clean, one_line
from domain.values import REDACTED, Json, Memory, Plan, Task
from workers.privacy.redaction import cut
from workers.understanding.days import local_now

PREFERENCES_MAX = 20
PREFERENCE_CHARACTERS_MAX = 300
CUT = " …"
FOUND_NOTE_CHARACTERS_MAX = 1_000
EARLIER_QUESTION_CHARACTERS_MAX = 100
EARLIER_ANSWER_CHARACTERS_MAX = 80

_encode = msgspec.json.Encoder().encode


def section(title: str, lines: Sequence[str], rule: str | None = None) -> list[str]:
    """None where there is nothing to say."""
    if not lines:
        return []
    return ["\n".join([f"# {title}", *([] if rule is None else [rule]), *lines])]


def items(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def now_lines(brain: Brain, now_ms: int) -> str:
    now = local_now(now_ms, brain.timezone)
    return f"# Now\n{WEEKDAYS[now.weekday()].capitalize()} {now:%Y-%m-%d %H:%M} ({brain.timezone})"


def preference_lines(brain: Brain) -> list[str]:
    shown = ((one_line(state.key), json_line(state.value)) for state in brain.preferences.values())
    short = sorted((key, value) for key, value in shown if len(key) + len(value) <= PREFERENCE_CHARACTERS_MAX)
    return [f"- {key}: {value}" for key, value in short[:PREFERENCES_MAX]]


def memory_line(memory: Memory) -> str:
    return f"- {one_line(memory.key)}: {one_line(memory.value)}"


def task_line(task: Task, user_zone: str) -> str:
    """`- Call John (due 2025-11-21 17:00)`, with whatever else there is to know in a word."""
    parts = []
    if task.due is not None:
        zone = "" if task.timezone in (None, user_zone) else f" {task.timezone}"
        parts.append(f"due {task.due.replace('T', ' ')}{zone}")
    if task.recurrence is not None:
        parts.append(f"repeats {in_words(one_line(task.recurrence))}")
    if task.priority != "normal":
        parts.append(f"{task.priority} priority")
    if task.status == "done":
        parts.append("done")
    return f"- {one_line(task.title)}" + (f" ({', '.join(parts)})" if parts else "")


def plan_lines(plan: Plan) -> list[str]:
    named = (("priority", plan.priorities), ("to-do", plan.todos), ("note", plan.notes))
    return [f"- {name}: {one_line(entry)}" for name, entries in named for entry in entries]


def note_lines(fact: Fact, characters_max: int) -> list[str]:
    event = fact.event
    if not isinstance(event, NoteAdded) or event.content is REDACTED:
        return []
    title = one_line(event.content.title or event.content.note_id)
    return [f"- {title}", *(f"> {line}" for line in _cut(clean(event.content.text), characters_max).splitlines())]


def found_note_lines(fact: Fact, zone: str) -> list[str]:
    """The beginning of a note that was looked for; one without a title is called by the day on which it was kept."""
    event = fact.event
    if not isinstance(event, NoteAdded) or event.content is REDACTED:
        return []
    title = one_line(event.content.title or f"Note of {local_now(fact.meta.at_ms, zone).date().isoformat()}")
    text = _cut(clean(event.content.text), FOUND_NOTE_CHARACTERS_MAX)
    return [f"- {title}", *(f"> {line}" for line in text.splitlines())]


def action_lines(fact: Fact) -> list[str]:
    event = fact.event
    if not isinstance(event, ActionCreated) or event.content is REDACTED:
        return []
    return [f"- {event.kind} {json_line(dict(event.content.payload))}: {event.status}"]


def topic_line(fact: Fact) -> str:
    """What the user wrote, cut short."""
    return "- " + _short(text_of(fact, EARLIER_QUESTION_CHARACTERS_MAX * 4), EARLIER_QUESTION_CHARACTERS_MAX)


def earlier_line(turn: Sequence[Fact], zone: str) -> str:
    """A turn that is not told any more: `- 2025-11-19 the user: … / you: …`, its beginning and no more."""
    day = local_now(turn[0].meta.at_ms, zone).date().isoformat()
    said = []
    for fact in turn:
        is_user = isinstance(fact.event, MessageReceived)
        most = EARLIER_QUESTION_CHARACTERS_MAX if is_user else EARLIER_ANSWER_CHARACTERS_MAX
        said.append(f"{'the user' if is_user else 'you'}: {_short(text_of(fact, most * 4), most)}")
    return f"- {day} {' / '.join(said)}"


def text_of(fact: Fact, characters_max: int) -> str:
    event = fact.event
    match event:
        case MessageReceived() | ReplyCompleted() | ReplyFailed() | ReplyStopped():
            text = None if event.content is REDACTED else event.content.text
            return _cut(clean(text or ""), characters_max)
        case _:
            raise AssertionError(f"{type(event).__name__} is no message")


def json_line(value: Json) -> str:
    """Line breaks go before they are escaped: the "n" of an escape would pass for a part of the word behind it."""
    return one_line(_encode(_on_one_line(value)).decode())


def _on_one_line(value: Json) -> Json:
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, Mapping):
        return {one_line(key): _on_one_line(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [_on_one_line(each) for each in value]
    return value


def _short(text: str, characters_max: int) -> str:
    return _cut(one_line(text), characters_max)


def _cut(text: str, characters_max: int) -> str:
    return text if len(text) <= characters_max else cut(text, characters_max) + CUT
