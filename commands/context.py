"""What a decider gets beside the command and the state: who, when, ids and limits. No clock and no randomness."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid5

from domain.values import Origin

IDS = UUID("5c0d1f2e-7a3b-5e4c-9d8f-0a1b2c3d4e5f")  # namespace of every id that is derived from a command


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator may set; 0 means no limit."""

    messages_per_minute: int = 60
    tokens_per_day: int = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """`command_id` is a UUID; the same command sent again has the same one, and so makes the same ids."""

    user_id: str
    command_id: str
    now_ms: int
    origin: Origin = "user"
    limits: Limits = field(default_factory=Limits)

    def new_id(self, prefix: str, ordinal: int = 0) -> str:
        """`<prefix>_<32 hex>`: UUIDv5 of (user, command, prefix, ordinal)."""
        return f"{prefix}_{_uuid5(self.user_id, self.command_id, prefix, str(ordinal)).hex}"

    def new_key_id(self) -> str:
        return str(_uuid5(self.user_id, self.command_id, "key"))


def action_id(user_id: str, message_id: str, kind: str, ordinal: int) -> str:
    """An action's identity: the user's message, the kind, and which of that kind."""
    return f"act_{_uuid5(user_id, message_id, kind, str(ordinal)).hex}"


def event_id(user_id: str, command_id: str, ordinal: int) -> str:
    """The id of the n-th event of a command, counted from 0."""
    return str(_uuid5(user_id, command_id, "event", str(ordinal)))


def _uuid5(*parts: str) -> UUID:
    return uuid5(IDS, "\n".join(parts))
