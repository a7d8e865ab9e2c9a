"""The text of running replies on its way out: numbered once, published, and kept in segments.

A token leaves in the next turn of the event loop, together with what arrived in the same turn; when the loop falls
behind, chunks wait a little and grow. Owns the numbering: what was published is the text, there is no other copy.
Must not decide what is said or when a reply ends.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from domain.frames import TokenChunk
from domain.ports import Bus, Segment, Segments
from domain.values import Json
from infra import telemetry
from infra.codec import OpenedKeys
from infra.tokens import encode_chunk

# With the lateness of the loop itself, no token waits longer than 40 ms.
COALESCE_SECONDS = 0.02
BEHIND_SECONDS = 0.012  # a turn of the loop that takes longer means that we do not keep up
CAUGHT_UP_SECONDS = 0.004
AWAY_SECONDS = 0.25  # between two writes of segments while the bus is away and only they carry the text
REPLACEMENT = "\ufffd"

_SURROGATE = re.compile("[\ud800-\udfff]")

TOKENS = telemetry.counter("microcos_worker_tokens", "Entries of replies that were numbered.")
CHUNKS = telemetry.counter("microcos_worker_chunks", "Chunks in which they were published.")


class TokenStream:
    """The entries of one attempt of one reply. Not for two tasks at once."""

    def __init__(
        self,
        publisher: TokenPublisher,
        user_id: str,
        reply_id: str,
        attempt: int,
        *,
        key_id: str,
        keys: OpenedKeys,
        seen_version: int,
    ) -> None:
        self.user_id = user_id
        self.reply_id = reply_id
        self.attempt = attempt
        self.characters = 0  # Unicode code points written so far
        self._publisher = publisher
        self._key_id = key_id
        self._keys = keys
        self._seen_version = seen_version
        self._index = 0
        self._pending: list[str] = []
        self._published: list[str] = []
        self._published_characters = 0
        self._unsaved: list[TokenChunk] = []
        self._half = ""  # the first half of a surrogate pair that a provider cut in two
        self._paragraph_due = False
        self._ends_line = True
        self._open = True

    def write(self, text: str) -> None:
        """One entry: a token as the model gave it."""
        if not text.isascii() or self._half:
            text = self._without_halves(text)
        if not text or not self._open:
            return
        if self._paragraph_due:
            self._paragraph_due = False
            if not text.startswith("\n"):
                text = f"\n\n{text}"
        self._append(text)

    def write_paragraph(self, text: str) -> None:
        """One entry that stands on its own: with an empty line before it, and one before what follows."""
        self._paragraph_due = False
        self.write(text if self._ends_line else f"\n\n{text}")
        self._paragraph_due = True

    def write_lines(self, text: str) -> None:
        """As `write_paragraph`, an entry a line."""
        first, *others = text.split("\n")
        self.write_paragraph(first)
        for line in others:
            self.write(f"\n{line}")
        self._paragraph_due = True

    def progress(self, stage: str, label: str, tool: str | None = None) -> None:
        """What is being done now. No entry: it is published once, after all text before it, and kept nowhere."""
        self.flush()
        if not self._open:
            return
        said = {"stage": stage, "label": label, **({} if tool is None else {"tool": tool})}
        chunk = TokenChunk(
            attempt=self.attempt,
            first_index=self._index,
            last_index=self._index,
            offset=self._published_characters,
            seen_version=self._seen_version,
            progress=said,
        )
        entry = encode_chunk(self.user_id, self.reply_id, chunk, self._key_id, self._keys)
        self._publisher.publish(self.user_id, self.reply_id, entry, 0)

    def propose(self, action: Mapping[str, Json]) -> None:
        """One entry that is an action and no text. Leaves at once, after all text before it."""
        self.flush()
        if not self._open:
            return
        self._index += 1
        self._publish(
            TokenChunk(
                attempt=self.attempt,
                first_index=self._index,
                last_index=self._index,
                offset=self._published_characters,
                seen_version=self._seen_version,
                action=action,
            )
        )

    def saw(self, version: int) -> None:
        """What is written from now on rests on the facts up to `version`; what was written before does not."""
        self.flush()
        self._seen_version = max(version, self._seen_version)

    def flush(self) -> None:
        if not self._pending:
            return
        text = "".join(self._pending)
        first_index = self._index - len(self._pending) + 1
        self._pending.clear()
        self._publish(
            TokenChunk(
                attempt=self.attempt,
                first_index=first_index,
                last_index=self._index,
                offset=self._published_characters,
                seen_version=self._seen_version,
                text=text,
            )
        )

    def close(self) -> str:
        """Publish what is left; the text of the attempt. Nothing can be written any more."""
        if self._half:
            self._half = ""
            self._append(REPLACEMENT)
        self.flush()
        self._open = False
        self._publisher.forget(self)
        return "".join(self._published)

    def discard(self) -> None:
        """The attempt is over for us: not one more entry leaves."""
        self._open = False
        self._pending.clear()
        self._unsaved.clear()
        self._publisher.forget(self)

    def take_segments(self) -> list[Segment]:
        """What was published since the last call, sealed, in as few pieces as keep actions and versions apart."""
        chunks, self._unsaved = self._unsaved, []
        return [self._segment(chunk) for chunk in merged(chunks)]

    def _segment(self, chunk: TokenChunk) -> Segment:
        return Segment(
            user_id=self.user_id,
            reply_id=self.reply_id,
            attempt=self.attempt,
            first_index=chunk.first_index,
            last_index=chunk.last_index,
            sealed=encode_chunk(self.user_id, self.reply_id, chunk, self._key_id, self._keys),
        )

    def _append(self, text: str) -> None:
        self._index += 1
        self.characters += len(text)
        self._ends_line = text.endswith("\n")
        if not self._pending:
            self._publisher.flush_soon(self)
        self._pending.append(text)

    def _publish(self, chunk: TokenChunk) -> None:
        entry = encode_chunk(self.user_id, self.reply_id, chunk, self._key_id, self._keys)
        self._publisher.publish(self.user_id, self.reply_id, entry, chunk.last_index - chunk.first_index + 1)
        self._published.append(chunk.text)
        self._published_characters += len(chunk.text)
        self._unsaved.append(chunk)

    def _without_halves(self, text: str) -> str:
        """A cut surrogate pair made whole; what is no character in UTF-8 replaced."""
        text, self._half = self._half + text, ""
        if not _SURROGATE.search(text):
            return text
        if "\ud800" <= text[-1] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class TokenPublisher:
    """One a process: flushes all streams together, and writes all their segments in one statement."""

    def __init__(self, bus: Bus, segments: Segments, *, segment_seconds: float) -> None:
        self._bus = bus
        self._segments = segments
        self._segment_seconds = segment_seconds
        self._streams: set[TokenStream] = set()
        self._dirty: list[TokenStream] = []
        self._due = 0.0  # loop time of the next flush, where one is due
        self._is_behind = False
        self._unwritten: list[Segment] = []

    def open(
        self, user_id: str, reply_id: str, attempt: int, *, key_id: str, keys: OpenedKeys, seen_version: int
    ) -> TokenStream:
        """`key_id`: the conversation's; `seen_version`: the version of the claim."""
        stream = TokenStream(self, user_id, reply_id, attempt, key_id=key_id, keys=keys, seen_version=seen_version)
        self._streams.add(stream)
        return stream

    def forget(self, stream: TokenStream) -> None:
        self._streams.discard(stream)

    def publish(self, user_id: str, reply_id: str, entry: bytes, entry_count: int) -> None:
        TOKENS.inc(entry_count)
        CHUNKS.inc()
        self._bus.publish_token(user_id, reply_id, entry)

    def flush_soon(self, stream: TokenStream) -> None:
        self._dirty.append(stream)
        if len(self._dirty) > 1:
            return
        loop = asyncio.get_running_loop()
        wait_seconds = COALESCE_SECONDS if self._is_behind else 0.0
        self._due = loop.time() + wait_seconds
        if wait_seconds:
            loop.call_later(wait_seconds, self._flush)
        else:
            loop.call_soon(self._flush)

    def _flush(self) -> None:
        late_seconds = asyncio.get_running_loop().time() - self._due
        self._is_behind = late_seconds > (CAUGHT_UP_SECONDS if self._is_behind else BEHIND_SECONDS)
        dirty, self._dirty = self._dirty, []
        for stream in dirty:
            try:
                stream.flush()
            except ValueError:
                # Its conversation was deleted, and the key with it: nobody may read this any more.
                stream.discard()

    @property
    def segment_seconds(self) -> float:
        """Between two writes of segments."""
        return self._segment_seconds if self._bus.connected else min(self._segment_seconds, AWAY_SECONDS)

    async def write_segments(self) -> None:
        """The text so far of all running replies. Raises `Unavailable`: what was not written is kept for next time."""
        running = {(stream.reply_id, stream.attempt) for stream in self._streams}
        rows = [row for row in self._unwritten if (row.reply_id, row.attempt) in running]
        for stream in list(self._streams):
            try:
                rows += stream.take_segments()
            except ValueError:
                stream.discard()
        # Kept as they are: if they were stored all the same, writing them again changes nothing.
        self._unwritten = rows
        if rows:
            await self._segments.write(rows)
            self._unwritten = []


def merged(chunks: Sequence[TokenChunk]) -> list[TokenChunk]:
    """Neighbours made one, where both are text and rest on the same version."""
    result: list[TokenChunk] = []
    start = 0
    for end in range(1, len(chunks) + 1):
        first = chunks[start]
        if end == len(chunks) or not _fit_together(first, chunks[end]):
            text = "".join([chunk.text for chunk in chunks[start:end]])
            result.append(replace(first, last_index=chunks[end - 1].last_index, text=text))
            start = end
    return result


def _fit_together(chunk: TokenChunk, other: TokenChunk) -> bool:
    return chunk.action is None and other.action is None and chunk.seen_version == other.seen_version


def joined_text(chunks: Iterable[TokenChunk]) -> str:
    """The text that chunks of one attempt make, in any order and overlapping, up to the first gap."""
    text = ""
    for chunk in sorted(chunks, key=lambda each: (each.offset, each.first_index)):
        if chunk.offset > len(text):
            break
        text += chunk.text[len(text) - chunk.offset :]
    return text
