"""The second look, when the user asked for something and the answer did not bring it, or brought it garbled.

Owns the one more question that the model is asked then, not streamed and as JSON, and what its answer comes to; and
the rules that take over where there is no such answer. Must not act, and never asks for more than one message's tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec

from commands.json_text import readings
from domain import limits
from domain.ports import ModelRequest, PromptMessage, ToolCall, ToolSpec
from domain.values import Json
from workers.llm.offline.intents import calls_for, wishes_of
from workers.llm.tokens import estimate_prompt_tokens
from workers.salvage import LeakedCall, call_from

ANSWER_TOKENS_MAX = 512
ANSWER_TOKENS_MIN = 64
EARLIER_MESSAGES = 2  # before the question: "remind me of it" needs to know what it is
TEXT_CHARACTERS_MAX = 500  # of one argument; grammars and JSON modes without a bound may go on for ever

EXTRACTION = """\
From this transcript, extract what the user's last message asks you to do, in the form {name, arguments}. Output JSON: \
{"actions": [...]}, one for each thing that is asked for, in the order of the message; an empty array if nothing is.
Leave out what was not said. Give due_text in the user's own words; never work out a date yourself. Names and arguments:
"""
REPAIR = """\
The user's last message asked for the tool below, and the arguments that you gave it were wrong: {problem}
Output them again, as one JSON object with nothing around it. Leave out what was not said.
"""


class Unreadable(Exception):
    """The model's answer is no list of actions."""


class _Extracted(msgspec.Struct, gc=False):
    actions: list[LeakedCall]


def extraction_request(request: ModelRequest, tools: Sequence[ToolSpec], tokens_max: int) -> ModelRequest | None:
    """The question what the last message of `request` asks for; None where it does not fit into so many tokens with
    its answer. It is made from the messages as they were sent, and from nothing else."""
    return _question(request, EXTRACTION + "\n".join(map(_line, tools)), tokens_max)


def extraction_schema(tools: Sequence[ToolSpec]) -> dict[str, Json]:
    """Of `{"actions": [{"name", "arguments"}]}`. The arguments of all tools stand side by side: alternatives are
    beyond some providers."""
    properties: dict[str, Json] = {}
    for tool in tools:
        for name, described in tool.parameters["properties"].items():
            known = properties.setdefault(name, _bounded(described))
            if {**known, "description": ""} != {**_bounded(described), "description": ""}:
                properties[name] = _bounded({"type": "string", "description": described["description"]})
    arguments = {"type": "object", "properties": properties, "additionalProperties": False}
    names = {"type": "string", "enum": [tool.name for tool in tools]}
    action = {
        "type": "object",
        "properties": {"name": names, "arguments": arguments},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
    actions = {"type": "array", "items": action, "maxItems": limits.ACTIONS_PER_MESSAGE_MAX}
    return {
        "type": "object",
        "properties": {"actions": actions},
        "required": ["actions"],
        "additionalProperties": False,
    }


def extracted_calls(text: str, tools: Sequence[ToolSpec]) -> list[ToolCall]:
    """The calls that an answer comes to; what is none of `tools` is left out. Raises `Unreadable`."""
    for reading in readings(text):
        try:
            found = msgspec.json.decode(reading, type=_Extracted | list[LeakedCall])
        except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
            continue
        leaked = found.actions if isinstance(found, _Extracted) else found
        named = {tool.name: tool for tool in tools}
        calls = [call_from(each, named, f"extracted_{n}") for n, each in enumerate(leaked, start=1)]
        return [_without_blanks(call, named[call.name]) for call in calls if call is not None]
    raise Unreadable("the answer is no list of actions")


def repair_request(request: ModelRequest, tool: ToolSpec, problem: str, tokens_max: int) -> ModelRequest | None:
    """The question for the arguments of one call again; None where it does not fit. What the model gave before is not
    repeated: it can say it better from the message itself."""
    return _question(request, REPAIR.format(problem=problem) + _line(tool), tokens_max)


def repair_schema(tool: ToolSpec) -> dict[str, Json]:
    properties = {name: _bounded(described) for name, described in tool.parameters["properties"].items()}
    return {**tool.parameters, "properties": properties}


def calls_by_rule(text: str, tools: Sequence[ToolSpec]) -> list[ToolCall]:
    """What the words of a message plainly ask for, without a model."""
    return calls_for(wishes_of(text), tools)


def _question(request: ModelRequest, rules: str, tokens_max: int) -> ModelRequest | None:
    *_, question = request.messages
    earlier = [message for message in request.messages[:-1] if message.role != "system"]
    system = PromptMessage(role="system", content=rules)
    for messages in ((system, *earlier[-EARLIER_MESSAGES:], question), (system, question)):
        asked = replace(request, messages=messages, tools=(), temperature=0.0)
        left = tokens_max - estimate_prompt_tokens(asked)
        if left >= ANSWER_TOKENS_MIN:
            return replace(asked, max_tokens=min(left, ANSWER_TOKENS_MAX))
    return None


def _line(tool: ToolSpec) -> str:
    required = tool.parameters.get("required", ())
    names = (name if name in required else f"{name}?" for name in tool.parameters["properties"])
    return f"- {tool.name}({', '.join(names)}): {tool.description}"


def _bounded(described: Mapping[str, Json]) -> dict[str, Json]:
    """A property's schema with an end to its text."""
    if described.get("type") != "string" or "enum" in described:
        return dict(described)
    return {"maxLength": TEXT_CHARACTERS_MAX, **described}


def _without_blanks(call: ToolCall, tool: ToolSpec) -> ToolCall:
    """Models that are shown the arguments of all tools fill those that are not needed with null or nothing."""
    try:
        arguments = msgspec.json.decode(call.arguments)
    except msgspec.DecodeError:
        return call
    if not isinstance(arguments, dict):
        return call
    named = tool.parameters["properties"]
    kept = {key: value for key, value in arguments.items() if key in named and value not in (None, "")}
    return replace(call, arguments=msgspec.json.encode(kept).decode())
