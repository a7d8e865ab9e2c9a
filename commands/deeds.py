"""What the model asks for, checked: from the arguments of a tool call to a deed. Pure.

The model is not trusted: arguments are decoded strictly, ids and dates are looked up and worked out here, and whatever
does not hold leads to an honest sentence and to no deed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, assert_never
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from commands.actions import Deed
from commands.json_text import readings
from commands.memory import ForgetMemory, PinMemory
from commands.phrases import When, resolve_phrase, writes_month_first
from commands.preferences import SetPreference
from commands.tasks import CompleteTask, CreateTask, DeleteTask, UpdateTask
from domain import limits
from domain.brain import Brain
from domain.ports import ToolCall
from domain.text import clean, one_line
from domain.values import Json, MemoryType, Priority, Task

ARGUMENTS_CHARACTERS_MAX = 40_000
_INVALID_VALUE = re.compile(r" '.*'(?= - at )", re.DOTALL)  # somebody's text, in a message of msgspec's

_Title = Annotated[str, Meta(min_length=1, max_length=limits.TITLE_CHARACTERS_MAX)]
_Phrase = Annotated[str, Meta(max_length=200)]
_Notes = Annotated[str, Meta(max_length=limits.TASK_NOTES_CHARACTERS_MAX - 300)]
_MemoryKey = Annotated[str, Meta(min_length=1, max_length=limits.MEMORY_KEY_CHARACTERS_MAX)]
_Value = Annotated[str, Meta(min_length=1, max_length=limits.MEMORY_VALUE_CHARACTERS_MAX)]
_PreferenceKey = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z0-9_.:-]{0,63}$")]


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


class DeleteTaskArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: _Title


class PinMemoryArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: _MemoryKey
    value: _Value
    type: MemoryType = "fact"


class ForgetMemoryArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: _MemoryKey


class SetPreferenceArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: _PreferenceKey
    value: Annotated[str, Meta(min_length=1, max_length=1_000)]


Arguments = (
    CreateTaskArguments
    | UpdateTaskArguments
    | CompleteTaskArguments
    | DeleteTaskArguments
    | PinMemoryArguments
    | ForgetMemoryArguments
    | SetPreferenceArguments
)

ARGUMENTS: Mapping[str, type[Arguments]] = {
    "create_task": CreateTaskArguments,
    "update_task": UpdateTaskArguments,
    "complete_task": CompleteTaskArguments,
    "delete_task": DeleteTaskArguments,
    "pin_memory": PinMemoryArguments,
    "forget_memory": ForgetMemoryArguments,
    "set_preference": SetPreferenceArguments,
}

_TITLES = {
    "create_task": "create a task",
    "update_task": "change a task",
    "complete_task": "complete a task",
    "delete_task": "delete a task",
    "pin_memory": "remember something",
    "forget_memory": "forget something",
    "set_preference": "set a preference",
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """`payload` is what the card shows: the arguments as they were understood."""

    kind: str
    payload: Mapping[str, Json]
    deed: Deed


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a call is read against. `now` is the user's local time; `preference_ref` hashes a preference's key.

    `whens` has phrases of time that a slower reader has understood already; `is_month_first` is about dates like 3/12.
    """

    brain: Brain
    message_id: str
    now: datetime
    preference_ref: Callable[[str], str]
    is_month_first: bool = True
    whens: Mapping[str, When] = field(default_factory=dict)

    @classmethod
    def at(
        cls,
        now_ms: int,
        brain: Brain,
        message_id: str,
        preference_ref: Callable[[str], str],
        language: str | None = None,
    ) -> Setting:
        """`now_ms` is what the user's "today" is read from; `language` is a tag, the message's."""
        now = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(brain.timezone)).replace(tzinfo=None)
        is_month_first = writes_month_first(language, brain.preference("locale"), brain.preference("language"))
        return cls(
            brain=brain, message_id=message_id, now=now, preference_ref=preference_ref, is_month_first=is_month_first
        )


# --- from a call to a deed ------------------------------------------------------------------------------------


def read_call(call: ToolCall, setting: Setting) -> Proposal:
    """Raises `NotUnderstood`."""
    arguments = read_arguments(call)
    payload, deed = _deed_of(arguments, setting)
    return Proposal(kind=call.name, payload=payload, deed=deed)


def due_phrase(call: ToolCall) -> str | None:
    """The phrase of time in a call, as `Setting.whens` knows it; None where there is none."""
    with suppress(NotUnderstood):
        arguments = read_arguments(call)
        if isinstance(arguments, CreateTaskArguments | UpdateTaskArguments):
            return one_line(arguments.due_text or "") or None
    return None


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


# --- deeds ----------------------------------------------------------------------------------------------------


def _deed_of(arguments: Arguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    match arguments:
        case CreateTaskArguments():
            return _create_task(arguments, setting)
        case UpdateTaskArguments():
            return _update_task(arguments, setting)
        case CompleteTaskArguments():
            task_id, task = find_task(arguments.title, setting.brain)
            return {"taskId": task_id, "title": task.title}, CompleteTask(task_id=task_id)
        case DeleteTaskArguments():
            task_id, task = find_task(arguments.title, setting.brain, with_done=True)
            return {"taskId": task_id, "title": task.title}, DeleteTask(task_id=task_id)
        case PinMemoryArguments():
            return _pin_memory(arguments, setting)
        case ForgetMemoryArguments():
            memory_id, key = _find_memory(arguments.key, setting.brain)
            return {"memoryId": memory_id, "key": key}, ForgetMemory(memory_id=memory_id)
        case SetPreferenceArguments():
            value = clean(arguments.value)
            ref = setting.preference_ref(arguments.key)
            deed = SetPreference(key=arguments.key, preference_ref=ref, value=value)
            return {"key": arguments.key, "value": value}, deed
        case _:
            assert_never(arguments)


def _create_task(arguments: CreateTaskArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    title = _title(arguments.title)
    payload: dict[str, Json] = {"title": title}
    notes = clean(arguments.notes or "").strip()
    phrase = one_line(arguments.due_text or "")
    when = _when(phrase, setting) if phrase else None
    if when is not None:
        payload["due"] = when.due
        if when.recurrence is not None:
            payload["recurrence"] = when.recurrence
        if when.note is not None:
            payload["dueNote"] = when.note
    elif phrase:
        # What was said stays with the task: nothing may be lost because we did not understand it.
        payload["dueText"] = phrase
        notes = f"When: {phrase}\n{notes}".strip()
    if notes:
        payload["notes"] = notes
    if arguments.priority is not None:
        payload["priority"] = arguments.priority
    task = Task(
        title=title,
        due=when.due if when else None,
        recurrence=when.recurrence if when else None,
        notes=notes or None,
        priority=arguments.priority or "normal",
    )
    return payload, CreateTask(task=task, created_from=setting.message_id)


def _update_task(arguments: UpdateTaskArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    task_id, task = find_task(arguments.title, setting.brain)
    patch: dict[str, Json] = {}
    phrase = one_line(arguments.due_text or "")
    when = _when(phrase, setting) if phrase else None
    if phrase:
        if when is None:
            raise NotUnderstood(f"I do not understand the time “{phrase}”, so “{task.title}” stays as it is.")
        patch["due"] = when.due
        if when.recurrence is not None:
            patch["recurrence"] = when.recurrence  # moved once, a recurring task goes on as before
        if task.timezone not in (None, setting.brain.timezone):
            patch["timezone"] = setting.brain.timezone  # the user speaks of their own clock, wherever the task was made
    if arguments.new_title is not None:
        patch["title"] = _title(arguments.new_title)
    if arguments.notes is not None:
        patch["notes"] = clean(arguments.notes).strip() or None
    if arguments.priority is not None:
        patch["priority"] = arguments.priority
    if not patch:
        raise NotUnderstood(f"I do not know what to change about “{task.title}”, so it stays as it is.")
    payload: dict[str, Json] = {"taskId": task_id, "title": task.title, "changes": dict(patch)}
    if when is not None and when.note is not None:
        payload["dueNote"] = when.note
    return payload, UpdateTask(task_id=task_id, patch=patch)


def _when(phrase: str, setting: Setting) -> When | None:
    known = setting.whens.get(phrase)
    zone = setting.brain.timezone
    return known or resolve_phrase(phrase, setting.now, zone, is_month_first=setting.is_month_first)


def _pin_memory(arguments: PinMemoryArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    key, value, kind = memory_key(arguments.key), clean(arguments.value).strip(), arguments.type
    for state in setting.brain.memories.values():
        if state.memory.key == key:
            kind = state.memory.type  # what is known under this key is replaced, whatever the model calls it now
    if not key or not value:
        raise NotUnderstood("I tried to remember something, but nothing was left to remember.")
    deed = PinMemory(type=kind, key=key, value=value, message_id=setting.message_id)
    return {"type": kind, "key": key, "value": value}, deed


def _title(text: str) -> str:
    title = one_line(text)
    if not title:
        raise NotUnderstood("The task has no title, so nothing was done.")
    return title


def memory_key(text: str) -> str:
    """`Favourite airport` → `favourite_airport`: the form that keys have elsewhere, so that one replaces the other."""
    return re.sub(r"[^\w.:-]+", "_", clean(text).strip().casefold()).strip("_")


def find_task(title: str, brain: Brain, *, with_done: bool = False) -> tuple[str, Task]:
    """The task that is meant: by id, by title, or by a part of one if that fits only one. Raises `NotUnderstood`."""
    wanted = one_line(title).casefold()
    tasks = {task_id: state.task for task_id, state in brain.tasks.items() if with_done or state.task.status == "open"}
    if title in tasks:
        return title, tasks[title]
    titles = {task_id: one_line(task.title).casefold() for task_id, task in tasks.items()}
    same = [task_id for task_id, known in titles.items() if known == wanted]
    # Of several with one title the open one that is due first is meant.
    same.sort(key=lambda task_id: (tasks[task_id].status == "done", tasks[task_id].due_at_ms or (1 << 62)))
    near = [task_id for task_id, known in titles.items() if wanted and (wanted in known or known in wanted)]
    if same or len(near) == 1:
        found = (same or near)[0]
        return found, tasks[found]
    if near:
        raise NotUnderstood(f"More than one task fits “{one_line(title)}”. Please say its whole title.")
    raise NotUnderstood(f"I found no task “{one_line(title)}”, so nothing was changed.")


def _find_memory(key: str, brain: Brain) -> tuple[str, str]:
    wanted = memory_key(key)
    keys = {memory_id: state.memory.key for memory_id, state in brain.memories.items()}
    same = [memory_id for memory_id, known in keys.items() if memory_key(known) == wanted]
    near = [memory_id for memory_id, known in keys.items() if wanted and wanted in memory_key(known)]
    if same or len(near) == 1:
        found = (same or near)[0]
        return found, keys[found]
    if near:
        raise NotUnderstood(f"More than one memory fits “{one_line(key)}”. Please say which one.")
    raise NotUnderstood(f"I remember nothing about “{one_line(key)}”, so there is nothing to forget.")
