"""Frames as bytes: each is encoded once and the same object is handed to every client, SSE and WebSocket alike.

Owns the frames that are not about a fact or a token (progress, reset, state, the end of a connection). Facts and
tokens get their shape in domain/frames.py.
"""

from __future__ import annotations

import re

import msgspec

from api.live.cursor import Cursor
from domain.events import BrainEvent, Fact, ReplyRequested, ReplyStarted
from domain.frames import Frame, TokenChunk
from domain.values import Json

SSE_HEAD = b"retry: 1000\n: ok\n\n"  # sent at once, so that proxies and clients know that the stream is there

_encode_json = msgspec.json.Encoder().encode
_UNICODE_LINE_ENDS = re.compile("\x85|\u2028|\u2029".encode())

_TOOL_LABELS = {
    "create_task": "Creating a task",
    "update_task": "Changing a task",
    "complete_task": "Completing a task",
    "reopen_task": "Opening a task again",
    "delete_task": "Deleting a task",
    "pin_memory": "Remembering it",
    "forget_memory": "Forgetting it",
    "add_note": "Writing a note",
    "delete_note": "Deleting a note",
    "set_preference": "Setting a preference",
    "set_plan": "Writing your plan",
    "create_event": "Adding to your calendar",
    "update_event": "Changing your calendar",
    "delete_event": "Removing it from your calendar",
    "find_flights": "Keeping the flights",
    "select_flight": "Putting the flight forward",
}


class Encoded:
    """One frame, ready to send. `sse` is one event in UTF-8; `text` the same as one WebSocket message."""

    __slots__ = ("_data", "_id", "_name", "_text", "sse")

    def __init__(self, frame: Frame, cursor: Cursor | None = None, *, retry_ms: int | None = None) -> None:
        data = _one_line(_encode_json(frame.data))
        self._name = frame.name
        self._id = None if cursor is None else str(cursor)
        self._data = data
        self._text: str | None = None
        head = b"" if retry_ms is None else b"retry: %d\n" % retry_ms
        if self._id is not None:
            head += b"id: %s\n" % self._id.encode()
        self.sse = b"%sevent: %s\ndata: %s\n\n" % (head, frame.name.encode(), data)

    @property
    def text(self) -> str | None:
        """Made when the first WebSocket asks for it; most frames never meet one."""
        if self._text is None:
            head = _encode_json({"event": self._name, "id": self._id})
            self._text = (head[:-1] + b',"data":' + self._data + b"}").decode()
        return self._text


def _one_line(data: bytes) -> bytes:
    """JSON escapes every control character, so whatever the text holds, the data is one line. Unicode has three more
    ends of lines, which SSE does not know, but many a client's function for splitting lines does."""
    return data if data.isascii() else _UNICODE_LINE_ENDS.sub(_escaped, data)


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match.group().decode())


class Comment(Encoded):
    """What keeps a silent SSE connection open. WebSockets have pings of their own."""

    __slots__ = ()

    def __init__(self) -> None:
        self.sse = b": ping\n\n"

    @property
    def text(self) -> str | None:
        return None


PING = Comment()


class Reply(Encoded):
    """An answer to a WebSocket message, in order with the frames around it."""

    __slots__ = ()

    def __init__(self, body: bytes) -> None:
        self.sse = body
        self._text = body.decode()


def progress_frame(reply_id: str, stage: str, label: str, *, version: int, tool: str | None = None) -> Frame:
    data: dict[str, Json] = {"type": "message.progress", "messageId": reply_id, "stage": stage}
    if tool is not None:
        data["tool"] = tool
    return Frame("message.progress", {**data, "label": label, "version": version})


def progress_of_fact(event: BrainEvent, fact: Fact) -> Frame | None:
    """What to show beside a fact about a reply while it is not there yet."""
    if isinstance(event, ReplyRequested):
        return progress_frame(event.reply.reply_id, "queued", "Waiting for its turn", version=fact.version)
    # A claim that only ends the reply has its end right behind it: there is nothing to wait for.
    if isinstance(event, ReplyStarted) and fact.version == fact.meta.end_version:
        return progress_frame(event.reply.reply_id, "thinking", "Thinking", version=fact.version)
    return None


def progress_of_action(reply_id: str, chunk: TokenChunk) -> Frame:
    kind = str((chunk.action or {}).get("action", "tool"))
    label = _TOOL_LABELS.get(kind, "Using a tool")
    return progress_frame(reply_id, "tool", label, version=chunk.seen_version, tool=kind)


def progress_of_chunk(reply_id: str, chunk: TokenChunk) -> Frame:
    """What the worker says that it is doing."""
    said = chunk.progress or {}
    stage, label = said.get("stage", "thinking"), said.get("label", "")
    return progress_frame(reply_id, stage, label, version=chunk.seen_version, tool=said.get("tool"))


def reset_frame(
    version: int,
    *,
    text: str = "",
    reply_id: str | None = None,
    conversation_id: str | None = None,
    attempt: int = 0,
    index: int = 0,
) -> Frame:
    """What the client has is not what it should have; what follows continues exactly after `text`."""
    data: dict[str, Json] = {"type": "stream.reset", "version": version}
    if reply_id is not None:
        data |= {"messageId": reply_id, "conversationId": conversation_id, "attempt": attempt, "index": index}
    return Frame("stream.reset", {**data, "text": text})


def state_frame(version: int, patch: dict[str, Json]) -> Frame:
    return Frame("state.updated", {"type": "state.updated", "version": version, **patch})


def ending_frame(name: str, version: int) -> Frame:
    """`server.closing`, `server.lagged` or `auth.expired`: the connection ends, the cursor stays good."""
    return Frame(name, {"type": name, "version": version})
