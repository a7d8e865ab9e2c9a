"""What the model's tools take, decoded strictly: the arguments of each tool, and what is said where they do not fit.

The model is not trusted. Must not look at the state: what arguments come to is for deeds.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from commands.json_text import readings
from domain import limits
from domain.ports import ToolCall
from domain.text import one_line
from domain.values import MemoryType, Priority

ARGUMENTS_CHARACTERS_MAX = 40_000
NOTE_CHARACTERS_MAX = 10_000  # a message, which it is taken from, has fewer
PLAN_TEXT_CHARACTERS_MAX = 10_000  # of one list of a plan, an entry a line
_INVALID_VALUE = re.compile(r" '.*'(?= - at )", re.DOTALL)  # somebody's text, in a message of msgspec's

_Title = Annotated[str, Meta(min_length=1, max_length=limits.TITLE_CHARACTERS_MAX)]
_Phrase = Annotated[str, Meta(max_length=200)]
_Notes = Annotated[str, Meta(max_length=limits.TASK_NOTES_CHARACTERS_MAX - 300)]
_MemoryKey = Annotated[str, Meta(min_length=1, max_length=limits.MEMORY_KEY_CHARACTERS_MAX)]
_Value = Annotated[str, Meta(min_length=1, max_length=limits.MEMORY_VALUE_CHARACTERS_MAX)]
_PreferenceKey = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]{0,63}$")]
_Entries = Annotated[str, Meta(max_length=PLAN_TEXT_CHARACTERS_MAX)]
_Place = Annotated[str, Meta(max_length=100)]


class CreateTaskArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: _Title
    due_text: _Phrase | None = None
    notes: _Notes | None = None
    priority: Priority | None = None


class UpdateTaskArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: _Title
    new_title: _Title | None = None
    due_text: _Phrase | None = None
    notes: _Notes | None = None
    priority: Priority | None = None


class CompleteTaskArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: _Title


class ReopenTaskArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: _Title


class DeleteTaskArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: _Title


class PinMemoryArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: _MemoryKey
    value: _Value
    type: MemoryType = "fact"


class ForgetMemoryArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: _MemoryKey


class AddNoteArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: Annotated[str, Meta(min_length=1, max_length=NOTE_CHARACTERS_MAX)]
    title: Annotated[str, Meta(max_length=limits.TITLE_CHARACTERS_MAX)] | None = None


class DeleteNoteArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    note: _Title


class SetPreferenceArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: _PreferenceKey
    value: Annotated[str, Meta(min_length=1, max_length=1_000)]


class SetPlanArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries one on each line; a list that is left out stays as it is."""

    date_text: _Phrase | None = None
    priorities: _Entries | None = None
    todos: _Entries | None = None
    notes: _Entries | None = None


class CreateEventArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: _Title
    start_text: _Phrase = ""  # who says no time is asked for it
    end_text: _Phrase | None = None
    location: _Title | None = None
    notes: _Notes | None = None


class UpdateEventArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event: _Title
    start_text: _Phrase | None = None
    new_title: _Title | None = None
    location: _Title | None = None


class DeleteEventArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    event: _Title


class FindFlightsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    destination: _Place | None = None
    origin: _Place | None = None
    departure_text: _Phrase | None = None
    return_text: _Phrase | None = None
    passengers: Annotated[str, Meta(pattern=r"^\s*[1-9]?\s*$")] | None = None
    cabin: Literal["economy", "premium_economy", "business", "first", ""] | None = None
    stops_max: Annotated[str, Meta(pattern=r"^\s*[0-3]?\s*$")] | None = None
    order: Literal["cheapest", "earliest", "latest", "fastest", ""] | None = None


class SelectFlightArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    which: _Title


Arguments = (
    CreateTaskArguments
    | UpdateTaskArguments
    | CompleteTaskArguments
    | ReopenTaskArguments
    | DeleteTaskArguments
    | PinMemoryArguments
    | ForgetMemoryArguments
    | AddNoteArguments
    | DeleteNoteArguments
    | SetPreferenceArguments
    | SetPlanArguments
    | CreateEventArguments
    | UpdateEventArguments
    | DeleteEventArguments
    | FindFlightsArguments
    | SelectFlightArguments
)

ARGUMENTS: Mapping[str, type[Arguments]] = {
    "create_task": CreateTaskArguments,
    "update_task": UpdateTaskArguments,
    "complete_task": CompleteTaskArguments,
    "reopen_task": ReopenTaskArguments,
    "delete_task": DeleteTaskArguments,
    "pin_memory": PinMemoryArguments,
    "forget_memory": ForgetMemoryArguments,
    "add_note": AddNoteArguments,
    "delete_note": DeleteNoteArguments,
    "set_preference": SetPreferenceArguments,
    "set_plan": SetPlanArguments,
    "create_event": CreateEventArguments,
    "update_event": UpdateEventArguments,
    "delete_event": DeleteEventArguments,
    "find_flights": FindFlightsArguments,
    "select_flight": SelectFlightArguments,
}

_TITLES = {
    "create_task": "create a task",
    "update_task": "change a task",
    "complete_task": "complete a task",
    "reopen_task": "open a task again",
    "delete_task": "delete a task",
    "pin_memory": "remember something",
    "forget_memory": "forget something",
    "add_note": "make a note",
    "delete_note": "delete a note",
    "set_preference": "set a preference",
    "set_plan": "change a plan",
    "create_event": "add an event to your calendar",
    "update_event": "change an event in your calendar",
    "delete_event": "remove an event from your calendar",
    "find_flights": "search for flights",
    "select_flight": "select a flight",
}


class NotUnderstood(Exception):
    """The call leads to nothing. `sentence` tells the user, and is all that they need to know."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class BadArguments(NotUnderstood):
    """The arguments are not what the tool takes. `problem` says what is wrong with them, to the model."""

    def __init__(self, sentence: str, problem: str) -> None:
        super().__init__(sentence)
        self.problem = problem


def read_arguments(call: ToolCall) -> Arguments:
    """Strictly, but for what models wrap around JSON. Raises `NotUnderstood`."""
    kind = ARGUMENTS.get(call.name)
    if kind is None:
        raise NotUnderstood("I wanted to use a tool that does not exist, so nothing was done.")
    problem = ""
    for text in readings(call.arguments[:ARGUMENTS_CHARACTERS_MAX]):
        try:
            return msgspec.json.decode(text or "{}", type=kind)
        except msgspec.ValidationError as error:
            problem = problem or _INVALID_VALUE.sub("", str(error))
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            continue
    sentence = f"I tried to {_TITLES[call.name]}, but got the details wrong, so nothing was done."
    raise BadArguments(sentence, problem or "That is not a JSON object.")


def due_phrases(arguments: Arguments) -> tuple[str, ...]:
    """The phrases of time in a call, each on one line."""
    said: tuple[str | None, ...] = ()
    match arguments:
        case CreateTaskArguments() | UpdateTaskArguments():
            said = (arguments.due_text,)
        case SetPlanArguments():
            said = (arguments.date_text,)
        case CreateEventArguments():
            said = (arguments.start_text, arguments.end_text)
        case UpdateEventArguments():
            said = (arguments.start_text,)
        case FindFlightsArguments():
            said = (arguments.departure_text, arguments.return_text)
        case _:
            pass
    return tuple(phrase for text in said if (phrase := one_line(text or "")))
