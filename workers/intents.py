"""Which tools a message may lead to, how each is described to the model, and whether a user's words ask for one.

Actions are allowed by kind, and only in the turn that answers what the user said: a standing wish that runs by itself
gets none. Must not look at what tools return.
"""

from __future__ import annotations

import re
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


# --- what a user's own words ask for --------------------------------------------------------------------------

SENTENCES_MAX = 200  # of one message, looked at

_POLITE = (
    r"(?:(?:hey|hi|hello|ok|okay|so|and|also|then|now|yes|please|pls|let's|i'd like to|i want to|i need to"
    r"|(?:can|could|would|will) you|i(?:'d| would) like you to|i need you to|i want you to)[\s,!]+)*"
)
_TASK = r"\b(?:tasks?|to-?dos?|reminders?)\b"
_LIST = rf"(?:{_TASK}|\blists?\b)"
_SENTENCES = re.compile(r"[\n;]+|(?<=[.!?])\s+")
_QUESTION = re.compile(
    r"(?:what|who|whom|whose|when|where|why|how|which|do|does|did|is|are|was|were|have|has|should)\b.*\?$",
    re.IGNORECASE | re.DOTALL,
)


def _ask(pattern: str, *kinds: str) -> tuple[re.Pattern[str], frozenset[str]]:
    """`pattern` is looked for where a sentence begins, behind words of politeness."""
    return re.compile(_POLITE + f"(?:{pattern})", re.IGNORECASE), frozenset(kinds)


_ASKS = (
    _ask(r".{0,40}?\bremind (?:me|us)\b(?! (?:what|who|when|where|why|how|which)\b)", "create_task"),
    _ask(r"(?:don't|do not) (?:let me )?forget\b|remember to\b|(?:to-?do|task) ?[:–-]", "create_task"),
    _ask(rf"(?:add|put|make|create|set|new|note|jot|write)\b.{{0,200}}?{_LIST}", "create_task"),
    _ask(r"(?:remember|memori[sz]e|note|keep in mind|bear in mind)\b(?! (?:to|when|what|how|who)\b)", "pin_memory"),
    _ask(r"(?:mark|tick|check|cross)\b.{0,200}?\b(?:done|off|complete|completed|finished)\b", "complete_task"),
    _ask(rf"(?:complete|finish|close)\b.{{0,200}}?{_TASK}", "complete_task"),
    _ask(rf"(?:delete|remove|cancel|drop|clear)\b.{{0,200}}?{_LIST}", "delete_task"),
    _ask(
        r"(?:move|reschedule|postpone|push|shift|delay|rename|change|update)\b.{0,200}?\b(?:to|until|till|by|for)\b",
        "update_task",
    ),
    _ask(r"(?:forget|unlearn)\b|(?:delete|remove)\b.{0,200}?\bmemor(?:y|ies)\b", "forget_memory"),
    _ask(
        r"(?:set|change|switch|use|update)\b.{0,200}?\b(?:time ?zone|work(?:ing)? ?hours|preferences?|settings?)\b",
        "set_preference",
    ),
)


def wants_action(text: str) -> frozenset[str]:
    """The kinds of action that the words of `text` seem to ask for; none where it is talk or a question.

    It only says where a second look is worth its price: what is done, and whether, is never decided from it.
    """
    kinds: set[str] = set()
    for part in _SENTENCES.split(text.replace("’", "'"))[:SENTENCES_MAX]:
        sentence = part.strip()
        if _QUESTION.match(sentence) is not None:
            continue
        for pattern, asked in _ASKS:
            if not asked <= kinds and pattern.match(sentence) is not None:
                kinds |= asked
    return frozenset(kinds)
