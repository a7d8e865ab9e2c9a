"""docs/asyncapi.yaml, made from the events themselves: `python -m cli.asyncapi`. A test holds the two equal.

Says what other services see of an event: its subject, its headers, its clear fields. What is sealed has no schema.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any, get_type_hints

import msgspec

from domain.event_types import EVENTS, EventType
from infra.codec import Clear
from infra.nats.fact_stream import CONTENT_TYPE, HEADERS
from infra.nats.streams import FACTS

SCHEMAS = "#/components/schemas"
ABOUT = f"""Every event of every user, in the order in which it was committed, on the JetStream stream {FACTS}.
What a user wrote, or what was derived from it, is in `sealed` and stays closed: who may read it asks the API.
A field may be added at any time; anything else is a new event, or a new `schema` of one.
How to subscribe, and what is promised, is in subscribers.md."""
CLEAR_FIELDS = {
    "event_id": "Id of the event, as in `ce-id`.",
    "command_id": "Of the command that it came from; events of one command were committed together.",
    "causation_id": "The command or event that led to it.",
    "correlation_id": "The message or request at the root of it all.",
    "origin": "Who wanted it.",
    "at_ms": "When it happened, Unix milliseconds: data, never order.",
    "end_version": "The user's version at the end of its command: the version that its objects show.",
    "schema": "Version of the schema of `data`; older events keep theirs.",
    "data": "The event's own fields.",
    "key_id": "The key that `sealed` is closed with; null where nothing is sealed.",
    "sealed": "Ciphertext, base64; null where there is none.",
}


def document() -> dict[str, Any]:
    """AsyncAPI 3, as plain data."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Micro CoS events", "version": "1.0.0", "description": ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "channels": {"events": _channel()},
        "operations": {
            "publishEvents": {
                "action": "send",
                "summary": "The relay publishes each event at least once, each user's in order.",
                "channel": {"$ref": "#/channels/events"},
            }
        },
        "components": {
            "messages": {name: _message(name, kind) for name, kind in EVENTS.items()},
            "schemas": {"Headers": _headers(), **_schemas()},
        },
    }


def _channel() -> dict[str, Any]:
    return {
        "address": "evt.v1.{user}.{aggregate}.{event}",
        "description": "`evt.v1.*.task.*` is what happens to tasks, `evt.v1.*.*.TaskCompleted` one kind of event.",
        "parameters": {
            "user": {"description": "The internal id of a user, `NN/<uuid>`; another one after an erasure."},
            "aggregate": {"enum": sorted({kind.aggregate for kind in EVENTS.values()})},
            "event": {"enum": list(EVENTS)},
        },
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in EVENTS},
    }


def _message(name: str, kind: EventType) -> dict[str, Any]:
    is_sealed = any(field.name == "content" for field in dataclasses.fields(kind.cls))
    text = "what was written is sealed" if is_sealed else "holds no text"
    payload = {
        "allOf": [{"$ref": f"{SCHEMAS}/Event"}],
        "properties": {"schema": {"maximum": kind.schema}, "data": {"$ref": f"{SCHEMAS}/{name}"}},
    }
    return {
        "name": f"microcos.{name}",
        "title": name,
        "summary": f"evt.v1.<user>.{kind.aggregate}.{name}; {text}.",
        "headers": {"$ref": f"{SCHEMAS}/Headers"},
        "payload": payload,
    }


def _headers() -> dict[str, Any]:
    properties = {name: {"type": "string", "description": text} for name, text in HEADERS.items()}
    required = [name for name in HEADERS if name.startswith("ce-")]
    return {"type": "object", "required": required, "properties": properties}


def _schemas() -> dict[str, Any]:
    """Of the envelope, of each event's clear fields, and of the values in them."""
    events = [_clear_fields(name, kind) for name, kind in EVENTS.items()]
    _, schemas = msgspec.json.schema_components([Clear, *events], ref_template=SCHEMAS + "/{name}")
    envelope = schemas.pop("Clear")
    envelope["title"] = "Event"
    envelope["description"] = "What every event has beside its own fields."
    for name, text in CLEAR_FIELDS.items():
        envelope["properties"][name]["description"] = text
    named = {name: _without_signature(schema) for name, schema in schemas.items()}
    return {"Event": envelope, **named}


def _clear_fields(name: str, kind: EventType) -> type[msgspec.Struct]:
    hints = get_type_hints(kind.cls)
    fields: list[Any] = []
    for field in dataclasses.fields(kind.cls):
        if field.name == "content":
            continue
        has_default = field.default is not dataclasses.MISSING
        fields.append((field.name, hints[field.name], *([field.default] if has_default else [])))
    clear = msgspec.defstruct(name, fields, kw_only=True)
    clear.__doc__ = kind.cls.__doc__
    return clear


def _without_signature(schema: dict[str, Any]) -> dict[str, Any]:
    """Python gives a dataclass without a docstring its signature for one."""
    description = " ".join(schema.get("description", "").split())
    rest = {key: value for key, value in schema.items() if key != "description"}
    is_signature = description.startswith(f"{schema.get('title')}(")
    return rest if not description or is_signature else {"description": description, **rest}


# --- YAML, as much as this needs ------------------------------------------------------------------------------------


def page() -> str:
    head = "# Made by `make docs` from domain/event_types.py; a test holds the two equal.\n"
    return head + "\n".join(_lines(document())) + "\n"


def _lines(value: dict[str, Any] | list[Any], indent: str = "") -> Iterator[str]:
    is_object = isinstance(value, dict)
    for key, item in value.items() if isinstance(value, dict) else ((None, item) for item in value):
        lead = f"{indent}{_scalar(key)}:" if is_object else f"{indent}-"
        if isinstance(item, dict | list) and item:
            yield lead
            yield from _lines(item, indent + "  ")
        else:
            yield f"{lead} {_scalar(item)}"


def _scalar(value: object) -> str:
    """Plain where YAML takes it for nothing but text, JSON otherwise, which is YAML too."""
    is_plain = isinstance(value, str) and re.fullmatch(r"[A-Za-z$][A-Za-z0-9_./$-]*", value)
    if is_plain and value not in ("true", "false", "null", "yes", "no", "on", "off", "y", "n"):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    print(page(), end="")
