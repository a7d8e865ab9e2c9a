"""Stored events to what views see of them. Decodes only the clear fields that some view reads, and opens nothing.

The fields are looked up in `domain/events.py`: to read another one, name it in `READ`.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import msgspec

from domain.event_types import EVENTS, EventType
from domain.ports import StoredEvent
from infra import codec
from projections.view import Seen


class ReplyPart(msgspec.Struct, frozen=True, gc=False):
    """What views read of a `ReplyRef`."""

    reply_id: str
    conversation_ref: str
    supersedes: str | None = None
    speak: bool = False


class UsagePart(msgspec.Struct, frozen=True, gc=False):
    input_tokens: int = 0
    output_tokens: int = 0


READ: dict[str, Any] = {
    "conversation_ref": str,
    "main": bool,
    "session_id": str | None,
    "message_id": str | None,
    "reply": ReplyPart,
    "reserved_tokens": int,
    "canned": bool,
    "usage": UsagePart,
    "action_id": str,
    "reply_id": str,
    "task_id": str,
    "remind_at_ms": int | None,
    "wish": str,
    "at_ms": int | None,
    "memory_id": str,
    "note_ref": str,
    "preference_ref": str,
    "plan_ref": str,
    "calendar_id": str,
    "travel_event_id": str | None,
    "workflow_id": str,
    "step": str,
    "status": str,
    "job_id": str,
    "code": str | None,
    "expires_at_ms": int,
}


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    at_ms: int
    end_version: int
    schema: int
    data: Any


class _Kind:
    __slots__ = ("data_type", "decode", "schema")

    def __init__(self, name: str, event: EventType) -> None:
        self.schema = event.schema
        self.data_type = _data_type(name, event)
        envelope = msgspec.defstruct(
            f"{name}Peeked", [("data", self.data_type)], bases=(_Envelope,), frozen=True, gc=False
        )
        decoder: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(envelope)
        self.decode = decoder.decode


def _data_type(name: str, event: EventType) -> type[msgspec.Struct]:
    hints = get_type_hints(event.cls)
    members: list[Any] = []
    for f in sorted(fields(event.cls), key=lambda f: f.default is not MISSING):
        if f.name in READ and f.name in hints:
            default = () if f.default is MISSING else (f.default,)
            members.append((f.name, READ[f.name], *default))
    return msgspec.defstruct(f"{name}Read", members, frozen=True, gc=False)


_KINDS = {name: _Kind(name, event) for name, event in EVENTS.items()}


def see(user_id: str, version: int, name: str, state: bytes) -> Seen:
    """Raises `infra.codec.CorruptEvent` for an unknown name or schema and for bytes that nobody here wrote."""
    kind = _KINDS.get(name)
    if kind is None:
        raise codec.CorruptEvent(f"unknown event name {name!r}: this code is older than the log")
    try:
        peeked = kind.decode(state)
    except msgspec.DecodeError:
        return _see_old(kind, user_id, version, name, state)
    if peeked.schema != kind.schema:
        return _see_old(kind, user_id, version, name, state)
    return Seen(user_id, version, name, state, peeked.at_ms, peeked.end_version, peeked.data)


def _see_old(kind: _Kind, user_id: str, version: int, name: str, state: bytes) -> Seen:
    """The slow path: an older schema is brought up to date, anything else is told."""
    clear = codec.peek(StoredEvent(0, user_id, version, name, state))
    data = msgspec.convert(msgspec.to_builtins(clear.data), kind.data_type)
    return Seen(user_id, version, name, state, clear.at_ms, clear.end_version, data)
