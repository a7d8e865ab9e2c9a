"""What the model asks for, checked: from the arguments of a tool call to a deed. Pure.

Ids and dates are looked up and worked out here, and whatever does not hold leads to an honest sentence and to no deed.
Events, notes, plans and flights have files of their own: calendar_deeds.py, note_deeds.py, plan_deeds.py,
travel_deeds.py.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import assert_never

from commands.actions import Deed
from commands.arguments import (
    AddNoteArguments,
    Arguments,
    CompleteTaskArguments,
    CreateEventArguments,
    CreateTaskArguments,
    DeleteEventArguments,
    DeleteNoteArguments,
    DeleteTaskArguments,
    FindFlightsArguments,
    ForgetMemoryArguments,
    NotUnderstood,
    PinMemoryArguments,
    ReopenTaskArguments,
    SelectFlightArguments,
    SetPlanArguments,
    SetPreferenceArguments,
    UpdateEventArguments,
    UpdateTaskArguments,
    due_phrases,
    read_arguments,
)
from commands.calendar_deeds import create_event, delete_event, update_event
from commands.memory import ForgetMemory, PinMemory
from commands.moving import moved
from commands.note_deeds import add_note, delete_note
from commands.phrases.often import too_often
from commands.phrases.resolve import When, names_only_a_time
from commands.plan_deeds import change_plan
from commands.preference_values import value_of_text
from commands.preferences import SetPreference
from commands.setting import Proposal, Setting
from commands.tasks import CompleteTask, CreateTask, DeleteTask, ReopenTask, UpdateTask
from commands.travel_deeds import select_flight
from domain.brain import Brain
from domain.local_times import local_minute
from domain.ports import ToolCall
from domain.text import clean, one_line
from domain.text_search import has_words, telling_words
from domain.values import Json, Task, TaskStatus

_LITTLE_WORDS = frozenset({"my", "the", "a", "an", "is", "are", "that", "i", "to", "of", "in", "at", "for"})

NO_SEARCH_HERE = "Flights can only be searched for in a chat, so nothing was done."


def read_call(call: ToolCall, setting: Setting) -> Proposal:
    """Raises `NotUnderstood`."""
    arguments = read_arguments(call)
    payload, deed = _deed_of(arguments, setting)
    # What goes on to an outside service is put forward, and waits for the user's word.
    return Proposal(kind=call.name, payload=payload, deed=deed, waits=isinstance(arguments, SelectFlightArguments))


def phrases_of(call: ToolCall) -> tuple[str, ...]:
    """The phrases of time in a call, as `Setting.whens` knows them; none where it cannot be read."""
    with suppress(NotUnderstood):
        return due_phrases(read_arguments(call))
    return ()


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
            task_id, task = find_task(arguments.title, setting.brain, among=("open", "done"))
            return {"taskId": task_id, "title": task.title}, DeleteTask(task_id=task_id)
        case ReopenTaskArguments():
            task_id, task = find_task(arguments.title, setting.brain, among=("done",))
            return {"taskId": task_id, "title": task.title}, ReopenTask(task_id=task_id)
        case PinMemoryArguments():
            return _pin_memory(arguments, setting)
        case ForgetMemoryArguments():
            memory_id, key = _find_memory(arguments.key, setting.brain)
            return {"memoryId": memory_id, "key": key}, ForgetMemory(memory_id=memory_id)
        case AddNoteArguments():
            return add_note(arguments, setting)
        case DeleteNoteArguments():
            return delete_note(arguments, setting)
        case SetPreferenceArguments():
            value = value_of_text(arguments.key, clean(arguments.value), setting.brain.preference(arguments.key))
            ref = setting.ref("preference", arguments.key)
            deed = SetPreference(key=arguments.key, preference_ref=ref, value=value)
            return {"key": arguments.key, "value": value}, deed
        case SetPlanArguments():
            return change_plan(arguments, setting)
        case CreateEventArguments():
            return create_event(arguments, setting)
        case UpdateEventArguments():
            return update_event(arguments, setting)
        case DeleteEventArguments():
            return delete_event(arguments, setting)
        case SelectFlightArguments():
            return select_flight(arguments, setting)
        case FindFlightsArguments():
            raise NotUnderstood(NO_SEARCH_HERE)
        case _:
            assert_never(arguments)


def _create_task(arguments: CreateTaskArguments, setting: Setting) -> tuple[dict[str, Json], Deed]:
    title = _title(arguments.title)
    payload: dict[str, Json] = {"title": title}
    notes = clean(arguments.notes or "").strip()
    phrase = one_line(arguments.due_text or "")
    when = setting.when(phrase) if phrase else None
    if when is None and (instead := too_often(phrase)) is not None:
        raise NotUnderstood(f"One reminder comes at most once a day, so “{phrase}” was not set up. {instead}")
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
    when = _moved_due(phrase, task, setting) if phrase else None
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


def _moved_due(phrase: str, task: Task, setting: Setting) -> When | None:
    """From where it stands on the user's clock, where that is ahead: nobody moves a task to an hour that is over."""
    if task.due is None or task.due_at_ms is None:
        return setting.when(phrase)
    due = task.due if "T" not in task.due else local_minute(task.due_at_ms, setting.brain.timezone)
    when = moved(phrase, due, setting)
    if when is not None and names_only_a_time(phrase) and when.due < setting.now.isoformat():
        return setting.when(phrase) or when
    return when


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


def find_task(title: str, brain: Brain, *, among: tuple[TaskStatus, ...] = ("open",)) -> tuple[str, Task]:
    """The task that is meant: by id, by title, or by a part of one if that fits only one. Raises `NotUnderstood`."""
    wanted = one_line(title).casefold()
    tasks = {task_id: state.task for task_id, state in brain.tasks.items() if state.task.status in among}
    if title in tasks:
        return title, tasks[title]
    titles = {task_id: one_line(task.title).casefold() for task_id, task in tasks.items()}
    same = [task_id for task_id, known in titles.items() if known == wanted]
    # Of several with one title the open one that is due first is meant.
    same.sort(key=lambda task_id: (tasks[task_id].status == "done", tasks[task_id].due_at_ms or (1 << 62)))
    near = [task_id for task_id, known in titles.items() if _has(known, wanted) or _has(wanted, known)]
    near = near or [task_id for task_id, known in titles.items() if _has_words(known, wanted)]
    if same or len(near) == 1:
        found = (same or near)[0]
        return found, tasks[found]
    if near:
        raise NotUnderstood(f"More than one task fits “{one_line(title)}”. Please say its whole title.")
    what = "done task" if "open" not in among else "task"
    raise NotUnderstood(f"I found no {what} “{one_line(title)}”, so nothing was changed.")


def _has(text: str, part: str) -> bool:
    """Whether whole words of `text` are `part`: a task “call” is not meant by “all”."""
    return bool(part) and re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text) is not None


def _has_words(text: str, wanted: str) -> bool:
    """Whether it has all the words that tell anything, in whatever order: "the plumber call" is "call the plumber"."""
    words = telling_words(wanted)
    return bool(words) and has_words(text, words)


def _find_memory(key: str, brain: Brain) -> tuple[str, str]:
    """The memory that is meant: by its key, a part of it, or words of its key and value. Raises `NotUnderstood`."""
    wanted = memory_key(key)
    keys = {memory_id: state.memory.key for memory_id, state in brain.memories.items()}
    same = [memory_id for memory_id, known in keys.items() if memory_key(known) == wanted]
    near = [memory_id for memory_id, known in keys.items() if wanted and wanted in memory_key(known)]
    if not near:
        words = _words(key)
        memories = ((memory_id, state.memory) for memory_id, state in brain.memories.items())
        near = [memory_id for memory_id, m in memories if words and words <= _words(f"{m.key} {m.value}")]
    if same or len(near) == 1:
        found = (same or near)[0]
        return found, keys[found]
    if near:
        raise NotUnderstood(f"More than one memory fits “{one_line(key)}”. Please say which one.")
    raise NotUnderstood(f"I remember nothing about “{one_line(key)}”, so there is nothing to forget.")


def _words(text: str) -> frozenset[str]:
    return frozenset(memory_key(text).replace("_", " ").split()) - _LITTLE_WORDS
