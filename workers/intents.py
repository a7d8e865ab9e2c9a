"""Which tools a message may lead to, and how each is described to the model.

Actions are allowed by kind, and only in the turn that answers what the user said: a standing wish that runs by itself
gets none. Must not look at what tools return.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.ports import ToolSpec
from domain.values import Json, ReplyRef


def _tool(name: str, description: str, required: tuple[str, ...], **properties: Mapping[str, Json]) -> ToolSpec:
    schema: dict[str, Json] = {
        "type": "object",
        "properties": {key: dict(value) for key, value in properties.items()},
        "required": list(required),
        "additionalProperties": False,
    }
    return ToolSpec(name=name, description=description, parameters=schema)


def _text(description: str) -> dict[str, Json]:
    return {"type": "string", "description": description}


_TITLE = _text("The task's title, as it stands in the list of tasks.")
_DUE = _text('When, in the user\'s own words, such as "tomorrow at 5". Leave it out if nothing was said.')
_NOTES = _text("More than fits a title, if the user said more.")
_PRIORITY: dict[str, Json] = {"type": "string", "enum": ["low", "normal", "high"], "description": "How urgent it is."}

TOOLS = (
    _tool(
        "create_task",
        "Make a task or a reminder.",
        ("title",),
        title=_text("What is to be done, in a few words, without the time."),
        due_text=_DUE,
        notes=_NOTES,
        priority=_PRIORITY,
    ),
    _tool(
        "update_task",
        "Move, rename or change a task.",
        ("title",),
        title=_TITLE,
        new_title=_text("Its new title, if it is to be renamed."),
        due_text=_DUE,
        notes=_NOTES,
        priority=_PRIORITY,
    ),
    _tool("complete_task", "Mark a task as done.", ("title",), title=_TITLE),
    _tool("delete_task", "Delete a task.", ("title",), title=_TITLE),
    _tool(
        "pin_memory",
        "Remember a lasting fact about the user. The same key replaces what was remembered.",
        ("key", "value"),
        type={"type": "string", "enum": ["fact", "preference", "tag"], "description": "What kind of thing it is."},
        key=_text('What it is about, such as "favourite airport".'),
        value=_text('What is to be remembered, such as "JFK".'),
    ),
    _tool("forget_memory", "Forget a remembered fact.", ("key",), key=_text("What it is about.")),
    _tool(
        "set_preference",
        "Set how the assistant works for the user.",
        ("key", "value"),
        key=_text('"timezone", "workHours" or another name.'),
        value=_text('Such as "Europe/Berlin", or "09:00-17:00" for workHours.'),
    ),
)


def tools_for(reply: ReplyRef) -> tuple[ToolSpec, ...]:
    """What may be done in this turn."""
    return TOOLS if reply.origin == "user" else ()
