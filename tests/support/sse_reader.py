"""Server-sent events as the HTML standard reads them, and a client that folds them and trusts nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

ENDS = ("message.completed", "message.failed", "message.stopped")


def read_events(data: bytes) -> list[dict[str, Any]]:
    """Whole events only: what stands after the last empty line was cut off. `data` is parsed JSON."""
    events: list[dict[str, Any]] = []
    blocks = data.split(b"\n\n")
    for block in blocks[:-1]:
        fields: dict[str, str] = {}
        # The standard ends lines at CR too: a bare one in the data would show here.
        for line in block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
            name, _, value = line.decode().partition(":")
            if name:
                assert name not in fields, f"{name} stands twice in one event"
                fields[name] = value.removeprefix(" ")
        if "data" in fields:
            events.append({"event": fields["event"], "id": fields.get("id"), "data": json.loads(fields["data"])})
    return events


@dataclass
class Reducer:
    """What a strict client knows after a stream: the text of each reply and the versions of the facts it was told."""

    cursor: str | None = None
    facts: list[tuple[int, str]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    indexes: dict[str, int] = field(default_factory=dict)
    ended: dict[str, str | None] = field(default_factory=dict)
    preceded: list[tuple[int, int]] = field(default_factory=list)  # an entry's version, the last fact before it
    resets: int = 0

    @property
    def speaking(self) -> bool:
        """Whether a reply is being written."""
        return any(text and reply_id not in self.ended for reply_id, text in self.texts.items())

    def apply(self, event: dict[str, Any]) -> None:
        name, data = event["event"], event["data"]
        assert data["type"] == ("token" if name == "llm.token" else name)
        if event["id"] is not None:
            self.cursor = event["id"]
        if name in ("llm.token", "llm.action"):
            self._entry(name, data)
        elif name == "stream.reset":
            self.resets += 1
            if "messageId" in data:
                self._begin(data["messageId"], data["attempt"], data["text"], data["index"])
        elif event["id"] is not None:
            self._fact(name, data)

    def _entry(self, name: str, data: dict[str, Any]) -> None:
        reply_id = data["messageId"]
        assert reply_id not in self.ended, "an entry after the end"
        if self.attempts.get(reply_id) != data["attempt"]:
            assert reply_id not in self.attempts, "another attempt without a restart"
            self._begin(reply_id, data["attempt"], "", 0)
        assert data["offset"] == len(self.texts[reply_id]), "a character is lost or doubled"
        assert data["index"] > self.indexes[reply_id], "an entry came twice"
        self.indexes[reply_id] = data["index"]
        self.preceded.append((data["version"], self.facts[-1][0] if self.facts else 0))
        if name == "llm.token":
            self.texts[reply_id] += data["token"]

    def _begin(self, reply_id: str, attempt: int, text: str, index: int) -> None:
        self.attempts[reply_id], self.texts[reply_id], self.indexes[reply_id] = attempt, text, index

    def _fact(self, name: str, data: dict[str, Any]) -> None:
        assert not self.facts or data["version"] > self.facts[-1][0], "a fact came twice, or out of order"
        self.facts.append((data["version"], name))
        if name == "llm.restarted":
            self._begin(data["messageId"], data["attempt"], "", 0)
        elif name in ENDS:
            reply_id = data["messageId"]
            assert reply_id not in self.ended, "two ends"
            self.ended[reply_id] = data["text"]
            if data["text"] is not None:
                assert self.texts.get(reply_id, "") == data["text"], "the end does not fit what came before"
