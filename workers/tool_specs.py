"""The tools that a model may be offered, each with its description and its schema. Data: who gets which is for
understanding/intents.py, and what the arguments come to for commands/deeds.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.ports import ToolSpec
from domain.values import Json


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
_DUE = _text(
    'When, in the user\'s own words, such as "tomorrow at 5" or "every Monday at 9". Leave it out if nothing was said.'
)
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
    _tool("reopen_task", "Open a task again that is done.", ("title",), title=_TITLE),
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
        "add_note",
        "Keep a note: a text that the user wants written down, word for word.",
        ("text",),
        text=_text("What the note says, in the user's own words."),
        title=_text("Its title, if the user gave it one."),
    ),
    _tool(
        "delete_note",
        "Delete a note for good.",
        ("note",),
        note=_text('Which note: its title, or what it is about in the user\'s own words, such as "boiler".'),
    ),
    _tool(
        "set_preference",
        "Set how the assistant works for the user.",
        ("key", "value"),
        key=_text('"timezone", "workHours", "notifications" or another name.'),
        value=_text(
            'Such as "Europe/Berlin", "09:00-17:00" for workHours, or for notifications JSON of dailySummary (an hour'
            ' or null) and reminders ("message" or "none"): {"dailySummary": "08:00"}.'
        ),
    ),
    _tool(
        "set_plan",
        "Change lists of a day's plan. Give each list whole, one entry a line; what is left out stays.",
        (),
        date_text=_text('Which day, in the user\'s own words, such as "tomorrow"; today if nothing was said.'),
        priorities=_text("What matters most, one a line."),
        todos=_text("What else there is to do, one a line."),
        notes=_text("A note, one a line."),
    ),
    _tool(
        "create_event",
        "Add an event to the user's calendar.",
        ("title", "start_text"),
        title=_text("What it is, in a few words, without the time."),
        start_text=_text('When it begins, in the user\'s own words, such as "tomorrow at 7 pm".'),
        end_text=_text('When it ends or how long it takes, in the user\'s own words, such as "until 9 pm".'),
        location=_text("Where it is, if that was said."),
        notes=_NOTES,
    ),
    _tool(
        "update_event",
        "Move, rename or change an event in the user's calendar.",
        ("event",),
        event=_text('Which event: its title, or when it is, such as "my 3 pm meeting".'),
        start_text=_text('When it begins from now on, in the user\'s own words, such as "at 4".'),
        new_title=_text("Its new title, if it is to be renamed."),
        location=_text("Where it is from now on, if that was said."),
    ),
    _tool(
        "delete_event",
        "Cancel an event in the user's calendar.",
        ("event",),
        event=_text('Which event: its title, or when it is, such as "my 3 pm meeting".'),
    ),
    _tool(
        "find_flights",
        "Search for flights. Leave out what the user did not say: it is known, or will be asked for.",
        (),
        destination=_text("Where to: a city or an airport, as the user said it."),
        origin=_text("Where from, if the user said it."),
        departure_text=_text('When, in the user\'s own words, such as "next week".'),
        return_text=_text("When back, in the user's own words, if the user wants a way back."),
        passengers=_text("How many travel, 1 to 9, if that was said."),
        cabin={
            "type": "string",
            "enum": ["economy", "premium_economy", "business", "first"],
            "description": "Which class, if that was said.",
        },
        stops_max=_text("How many changes of plane at most, 0 to 3, if that was said."),
        order={
            "type": "string",
            "enum": ["cheapest", "earliest", "latest", "fastest"],
            "description": "Which ones come first, if that was said; else the best.",
        },
    ),
    _tool(
        "select_flight",
        "Put one of the flights that were found forward, for the user to approve. Nothing is booked or paid.",
        ("which",),
        which=_text('Which one, in the user\'s own words, such as "the first one" or "the cheapest".'),
    ),
)
