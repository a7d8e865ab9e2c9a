"""One call of a tool as the calls that it takes: what is to be at several hours is as many tasks or events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import msgspec

from commands.arguments import Arguments, CreateEventArguments, CreateTaskArguments, NotUnderstood, read_arguments
from commands.phrases.often import each_hour
from domain.ports import ToolCall
from domain.text import one_line


def calls_for_each_hour(call: ToolCall) -> Sequence[ToolCall]:
    """The call itself, unless it names more than one hour of a day."""
    with suppress(NotUnderstood):
        several = _several(read_arguments(call))
        if len(several) > 1:
            return tuple(
                replace(call, call_id=f"{call.call_id}_{n}", arguments=msgspec.json.encode(each).decode())
                for n, each in enumerate(several, start=1)
            )
    return (call,)


def _several(arguments: Arguments) -> Sequence[Arguments]:
    match arguments:
        case CreateTaskArguments():
            phrases = each_hour(one_line(arguments.due_text or ""))
            return [msgspec.structs.replace(arguments, due_text=phrase) for phrase in phrases]
        case CreateEventArguments():
            phrases = each_hour(one_line(arguments.start_text))
            return [msgspec.structs.replace(arguments, start_text=phrase) for phrase in phrases]
        case _:
            return [arguments]
