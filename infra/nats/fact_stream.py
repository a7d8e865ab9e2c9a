"""What the relay says to the stream of facts, and how a stored event looks there: CloudEvents 1.0, binary mode.

The body is the log's own bytes. A header costs every reader, so there are only those that a subscriber filters,
orders or deduplicates by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from domain.event_types import EVENTS
from domain.ports import StoredEvent
from infra.codec import Clear
from infra.nats.streams import fact_subject

CONTENT_TYPE = "application/json"
HEADERS: Mapping[str, str] = {
    "ce-specversion": "Version of CloudEvents: 1.0.",
    "ce-id": "Id of the event, for deduplication: it may arrive again after NATS lost its store.",
    "ce-source": "The event log that it stands in, `urn:microcos:log:<name>`.",
    "ce-type": "`microcos.` and the name of the event.",
    "ce-subject": "The internal id of the user whose stream it stands in.",
    "ce-time": "When it happened, RFC 3339 in UTC: data, never order.",
    "ce-userversion": "Its place in the user's stream: 1, 2, 3 … without gaps.",
    "ce-globalpos": "Its place in the log, among all users: it grows, with gaps.",
    "ce-generation": "Changes when the log was restored from a backup; positions compare only within one.",
    "content-type": f"Of the body: {CONTENT_TYPE}.",
    "Nats-Msg-Id": "`<generation>:<position>`: the server drops what it has stored before.",
}


@dataclass(frozen=True, slots=True)
class FactMessage:
    subject: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """Where the stream ends: the server's last sequence, and the last message's place in the log.

    `position` is None when there is no message, or none of ours at the end.
    """

    sequence: int
    position: int | None = None
    generation: str | None = None


class PublishFailed(Exception):
    """Not stored, or nobody knows. `code`: `away`, `timeout`, `moved` (the stream ends elsewhere than was expected),
    `remembered` (the server knows the id, but the message is not at the end), `no_stream`, `refused`."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


class FactStream(Protocol):
    async def end(self) -> StreamEnd:
        """Raises `PublishFailed` when the stream cannot be read now."""
        ...

    async def publish(self, messages: Sequence[FactMessage], *, after: int, with_ids: bool = True) -> None:
        """Store all of them in order, each only if the stream ends just before it; the first goes after sequence
        `after`. Raises `PublishFailed`: then the first few may be stored, and nothing after a gap."""
        ...

    async def interrupted(self) -> None:
        """Returns once what `end` said last may be over: the connection was lost since."""
        ...


def fact_message(event: StoredEvent, clear: Clear, *, log: str, generation: str) -> FactMessage:
    position = str(event.position)
    return FactMessage(
        fact_subject(event.user_id, EVENTS[event.name].aggregate, event.name),
        {
            "ce-specversion": "1.0",
            "ce-id": clear.event_id,
            "ce-source": f"urn:microcos:log:{log}",
            "ce-type": f"microcos.{event.name}",
            "ce-subject": event.user_id,
            "ce-time": datetime.fromtimestamp(clear.at_ms / 1000, UTC).isoformat(timespec="milliseconds"),
            "ce-userversion": str(event.version),
            "ce-globalpos": position,
            "ce-generation": generation,
            "content-type": CONTENT_TYPE,
            "Nats-Msg-Id": f"{generation}:{position}",
        },
        event.state,
    )
