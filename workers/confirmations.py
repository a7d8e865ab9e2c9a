"""The sentences that are ours and not the model's: what was done, and why an answer is missing. Pure.

A confirmation is made from committed facts alone, so that it cannot say more than what happened.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from commands.due import is_repeated, with_weekday
from commands.phrases.recurrence_words import in_words
from commands.preference_values import summary_hour, wants_reminders
from domain.events import (
    ActionCreated,
    BrainEvent,
    CalendarEventAdded,
    CalendarEventChanged,
    CalendarEventRemoved,
    Fact,
    FlightsFound,
    MemoryForgotten,
    MemoryPinned,
    NoteAdded,
    NoteDeleted,
    PlanSet,
    PreferenceSet,
    TaskCompleted,
    TaskCreated,
    TaskDeleted,
    TaskReopened,
    TaskUpdated,
    TripDetected,
    TripForgotten,
    WishScheduled,
)
from domain.limits import ACTIONS_PER_MESSAGE_MAX
from domain.text import one_line
from domain.values import REDACTED, Json, Redacted, Task
from workers.day_words import event_text, flights_text, plan_text, put_forward, removed_text, short, trip_text

TOO_MANY_ACTIONS = f"I stop here: at most {ACTIONS_PER_MESSAGE_MAX} things can be done for one message."
NOT_OFFERED = "I may not do that here, so nothing was done."
BUDGET_SPENT = "Your budget of language model tokens for today is spent. It starts again at midnight UTC."

_SORRY = {
    "timeout": "Sorry, the language model took too long to answer. Please try again in a moment.",
    "rate_limited": "Sorry, the language model is very busy. Please try again in a moment.",
    "quota": "Sorry, the language model's allowance for today is used up. Please try again tomorrow.",
    "refused": "Sorry, the language model refused to answer this.",
    "context_too_long": "Sorry, this is too long for the language model. Please send less at once.",
    "attempts_exhausted": "Sorry, I was interrupted again and again while answering. Please try again.",
}
_SORRY_ELSE = "Sorry, I could not get an answer from the language model. Please try again in a moment."


# What the phrase of time was, beside what was made of it: see `commands.phrases.resolve.When`.
_DUE_NOTES: Mapping[Json, str] = {
    "past": " That is in the past already.",
    "repeated": " Clocks go back then: this is the end of the hour that comes twice.",
}


def sorry(code: str) -> str:
    """What takes the place of an answer that failed with `code`."""
    return _SORRY.get(code, _SORRY_ELSE)


def confirmation(facts: Sequence[Fact]) -> str:
    """What one action came to. `facts` are those of its command: the deed's, and the action's at the end."""
    action = facts[-1].event
    if not isinstance(action, ActionCreated):
        raise AssertionError("the facts of an action end with the action")
    content = action.content
    if action.status == "refused":
        reason = None if content is REDACTED else content.reason
        return f"I could not do that: {reason}" if reason else "I could not do that."
    payload: Mapping[str, Json] = {} if content is REDACTED else content.payload
    if action.status == "proposed":
        return put_forward(payload)
    deeds = [fact.event for fact in facts[:-1]]
    if not deeds:
        return "Nothing had to change: it is so already."
    return " ".join(text for deed in deeds if (text := _sentence(action.kind, deed, payload)))


def _sentence(kind: str, deed: BrainEvent, payload: Mapping[str, Json]) -> str:
    match deed:
        case TaskCreated():
            return _task_sentence("", deed.content, payload)
        case TaskUpdated():
            # A recurring task that is completed moves to its next due date.
            return _task_sentence("completed" if kind == "complete_task" else "updated", deed.content, payload)
        case TaskReopened():
            return _task_sentence("reopened", deed.content, payload)
        case TaskCompleted():
            return _done("completed", None if deed.content is REDACTED else deed.content.title)
        case TaskDeleted():
            return _done("deleted", payload.get("title"))
        case MemoryPinned():
            if deed.content is REDACTED:
                return "Done."
            return _done("I will remember", f"{deed.content.key.replace('_', ' ')}: {deed.content.value}")
        case MemoryForgotten():
            return _done("I have forgotten", str(payload.get("key", "")).replace("_", " "))
        case NoteAdded():
            if deed.content is REDACTED:
                return "Done."
            return _done("noted", f"“{short(deed.content.text)}”")
        case NoteDeleted():
            return _done("deleted the note", f"“{short(str(payload.get('note', '')))}”, for good")
        case PreferenceSet():
            if deed.content is REDACTED:
                return "Done."
            return _preference_sentence(deed.content.key, deed.content.value)
        case PlanSet():
            day = deed.content
            return "Done." if day is REDACTED else plan_text(day.date, day.plan)
        case CalendarEventAdded() | CalendarEventChanged():
            return event_text(deed, payload)
        case CalendarEventRemoved():
            return removed_text(payload)
        case TripDetected():
            return trip_text(deed)
        case FlightsFound():
            return flights_text(deed, payload)
        case TripForgotten() | WishScheduled():
            return ""
        case _:
            raise AssertionError(f"no action leads to {type(deed).__name__}")


def _preference_sentence(key: str, value: Json) -> str:
    if key == "travel" and isinstance(value, Mapping):
        return _done("travel is now", "; ".join(f"{name}: {_plain(each)}" for name, each in value.items()))
    if key != "notifications" or not isinstance(value, Mapping):
        return _done("", f"{key} is now {_plain(value)}")
    hour = summary_hour(value)
    summary = f"Your daily summary comes at {hour}" if hour else "You get no daily summary"
    reminders = "reminders come as messages" if wants_reminders(value) else "reminders come without messages"
    return f"{summary}, and {reminders}."


def _plain(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _done(what: str, shown: str | None) -> str:
    return " ".join(["Done:", *(part for part in (what, short(shown or "")) if part)]) + "."


def _task_sentence(what: str, task: Task | Redacted, payload: Mapping[str, Json]) -> str:
    """The due is repeated as it was resolved; where it is not what was asked for, that is said."""
    if task is REDACTED:
        return "Done."
    due = "" if task.due is None else f" — {'next ' if what == 'completed' else ''}due {with_weekday(task.due)}"
    if task.recurrence is not None:
        due += f", {in_words(one_line(task.recurrence))}"
    text = _done(what, short(task.title) + due)
    asked = (payload.get("changes") or payload).get("due")
    if asked is not None and asked != task.due:
        text += f" {asked.replace('T', ' ')} does not exist in {task.timezone}: clocks go forward then."
    elif asked is not None and task.timezone is not None and is_repeated(asked, task.timezone):
        text += f" That time comes twice in {task.timezone}, as clocks go back: I mean the first."
    text += _DUE_NOTES.get(payload.get("dueNote"), "")
    if "dueText" in payload:
        text += f" I do not understand the time “{short(payload['dueText'])}”: it is in the notes."
    return text
