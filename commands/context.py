"""What a decider gets beside the command and the state: who, when, ids and limits. No clock and no randomness."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha1
from uuid import UUID

from domain.values import Origin

IDS = UUID("5c0d1f2e-7a3b-5e4c-9d8f-0a1b2c3d4e5f")  # namespace of every id that is derived from a command


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an operator may set; 0 means no limit."""

    messages_per_minute: int = 60
    tokens_per_day: int = 100_000
    flight_searches_per_day: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandContext:
    """`command_id` is a UUID; the same command sent again has the same one, and so makes the same ids.

    `user_offset_ms` is how far the users' clock is ahead of event times, `ahead_ms` how far these are ahead of the
    machine's. Both are 0 unless MICROCOS_NOW is set, or a clock was ahead: event times never go back within a stream.
    """

    user_id: str
    command_id: str
    now_ms: int
    user_offset_ms: int = 0
    ahead_ms: int = 0
    origin: Origin = "user"
    limits: Limits = field(default_factory=Limits)

    @property
    def user_now_ms(self) -> int:
        """The wall time that users' "today", and what is due, is read from."""
        return self.now_ms + self.user_offset_ms

    def new_id(self, prefix: str, ordinal: int = 0) -> str:
        """`<prefix>_<32 hex>`: UUIDv5 of (user, command, prefix, ordinal)."""
        return f"{prefix}_{_uuid5_hex(self.user_id, self.command_id, prefix, str(ordinal))}"

    def new_key_id(self) -> str:
        return _dashed(_uuid5_hex(self.user_id, self.command_id, "key"))


def action_id(user_id: str, message_id: str, kind: str, ordinal: int) -> str:
    """An action's identity: the user's message, the kind, and which of that kind."""
    return f"act_{_uuid5_hex(user_id, message_id, kind, str(ordinal))}"


def event_id(user_id: str, command_id: str, ordinal: int) -> str:
    """The id of the n-th event of a command, counted from 0."""
    return _dashed(_uuid5_hex(user_id, command_id, "event", str(ordinal)))


def _uuid5_hex(*parts: str) -> str:
    """The 32 digits of `uuid.uuid5(IDS, …)`, which costs three times as much, several times a command."""
    digest = bytearray(sha1(IDS.bytes + "\n".join(parts).encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    return digest.hex()


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
