"""The text of a reply on its way out: whatever the pieces and whenever they leave, what was published is the text."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import Unavailable
from domain.frames import TokenChunk
from domain.ports import Segment
from infra.keys.keyring import Keyring, UserKeys
from infra.memory import MemoryDatabase, MemoryKeyStore
from infra.memory_bus import MemoryBus
from infra.tokens import decode_chunk
from workers.token_stream import REPLACEMENT, TokenPublisher, TokenStream, joined_text, merged

REPLY = "m_1"


class Shelf:
    """Segments that can be made to refuse."""

    def __init__(self) -> None:
        self.rows: list[Segment] = []
        self.is_away = False

    async def write(self, segments: Sequence[Segment]) -> None:
        if self.is_away:
            raise Unavailable("away")
        self.rows += segments

    async def read(self, user_id: str, reply_id: str, *, attempt: int, after_index: int) -> list[Segment]:
        return [row for row in self.rows if row.attempt == attempt and row.last_index > after_index]


class Outlet:
    """One stream, and what came out of it."""

    def __init__(self, keys: UserKeys) -> None:
        self.keys = keys
        self.bus = MemoryBus()
        self.shelf = Shelf()
        self.publisher = TokenPublisher(self.bus, self.shelf, segment_seconds=0.5)
        self.stream = self.open(1)

    def open(self, attempt: int) -> TokenStream:
        return self.publisher.open(
            self.keys.user_id, REPLY, attempt, key_id=self.keys.user_key_id, keys=self.keys, seen_version=7
        )

    def decoded(self, entries: list[bytes]) -> list[TokenChunk]:
        chunks = [decode_chunk(self.keys.user_id, REPLY, entry, self.keys) for entry in entries]
        return [chunk for chunk in chunks if chunk is not None]

    async def published(self) -> list[TokenChunk]:
        return self.decoded(await self.bus.read_tokens(self.keys.user_id, REPLY))

    def saved(self) -> list[TokenChunk]:
        return self.decoded([row.sealed for row in self.shelf.rows])


async def make_outlet() -> Outlet:
    keyring = Keyring(MemoryKeyStore(MemoryDatabase(lambda: 0.0)), bytes(32), monotonic=lambda: 0.0)
    return Outlet(await keyring.load(await keyring.ensure_user("issuer", "sub")))


def check_numbering(chunks: list[TokenChunk]) -> str:
    """Indexes and offsets without a gap; the text."""
    text, index = "", 0
    for chunk in chunks:
        assert (chunk.first_index, chunk.offset) == (index + 1, len(text))
        assert chunk.last_index >= chunk.first_index
        text, index = text + chunk.text, chunk.last_index
    return text


ENTRIES = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=())),
        st.sampled_from(["\ud83d", "\ude00", "e\u0301", "👩‍🚀", "\n", " ", ""]),
        st.just(None),  # an action
        st.tuples(st.just("paragraph"), st.text(min_size=1)),
        st.just(0),  # a turn of the event loop
        st.integers(8, 20),  # facts that were committed
        st.just("save"),
    ),
    max_size=30,
)


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_the_final_text_is_what_was_published_however_it_was_cut(entries: list[Any]) -> None:
    async def play() -> None:
        outlet = await make_outlet()
        stream, said = outlet.stream, ""
        for entry in entries:
            if entry is None:
                stream.propose({"action": "create_task"})
            elif entry == 0:
                await asyncio.sleep(0)
            elif isinstance(entry, int):
                stream.saw(entry)
            elif entry == "save":
                await outlet.publisher.write_segments()
            elif isinstance(entry, tuple):
                stream.write_paragraph(entry[1])
                said += entry[1]
            else:
                stream.write(entry)
                said += entry
        await outlet.publisher.write_segments()
        saved = outlet.saved()
        text = stream.close()
        published = await outlet.published()
        assert check_numbering(published) == text
        assert joined_text(reversed(published)) == text
        # What was saved is a beginning of it, numbered alike.
        assert text.startswith(check_numbering(saved))
        assert joined_text([*saved, *published]) == text
        versions = [chunk.seen_version for chunk in published]
        assert versions == sorted(versions)
        whole = said.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        assert _letters(text) == _letters(whole)

    asyncio.run(play())


def _letters(text: str) -> str:
    """Without line breaks, which paragraphs bring, and replacements, which depend on what came between two halves."""
    return text.replace("\n", "").replace(REPLACEMENT, "")


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.data())
def test_neighbours_are_merged_without_changing_the_text(text: str, data: st.DataObject) -> None:
    chunks, offset = [], 0
    while offset < len(text):
        size = data.draw(st.integers(1, 20))
        part = text[offset : offset + size]
        version = data.draw(st.integers(1, 2))
        index = len(chunks) + 1
        chunks.append(
            TokenChunk(attempt=1, first_index=index, last_index=index, offset=offset, seen_version=version, text=part)
        )
        offset += len(part)
    pieces = merged(chunks)
    assert check_numbering(pieces) == text
    assert all(one.seen_version != other.seen_version for one, other in pairwise(pieces))


async def test_what_arrives_in_one_turn_of_the_loop_leaves_as_one_chunk() -> None:
    outlet = await make_outlet()
    for token in ("a", "b", "c"):
        outlet.stream.write(token)
    assert await outlet.published() == []
    await asyncio.sleep(0)
    outlet.stream.write("d")
    await asyncio.sleep(0)
    chunks = await outlet.published()
    assert [(chunk.first_index, chunk.last_index, chunk.text) for chunk in chunks] == [(1, 3, "abc"), (4, 4, "d")]


async def test_an_action_leaves_at_once_and_after_the_text_before_it() -> None:
    outlet = await make_outlet()
    outlet.stream.write("Well, ")
    outlet.stream.propose({"action": "create_task", "payload": {"title": "x"}})
    text, action = await outlet.published()
    assert (text.text, action.text, action.action) == (
        "Well, ",
        "",
        {"action": "create_task", "payload": {"title": "x"}},
    )
    assert (action.first_index, action.offset) == (2, 6)


async def test_a_discarded_stream_publishes_nothing_more() -> None:
    outlet = await make_outlet()
    outlet.stream.write("said")
    await asyncio.sleep(0)
    outlet.stream.write("unsaid")
    outlet.stream.discard()
    outlet.stream.write("unsaid")
    outlet.stream.propose({"action": "x"})
    await asyncio.sleep(0)
    await outlet.publisher.write_segments()
    assert [chunk.text for chunk in await outlet.published()] == ["said"]
    assert outlet.saved() == []


async def test_paragraphs_stand_apart_and_two_do_not_stand_too_far() -> None:
    outlet = await make_outlet()
    for step in ("write_paragraph", "write_paragraph", "write", "write_paragraph"):
        getattr(outlet.stream, step)("x")
    assert outlet.stream.close() == "x\n\nx\n\nx\n\nx"


async def test_segments_that_could_not_be_written_are_written_unchanged_later() -> None:
    outlet = await make_outlet()
    outlet.stream.write("one ")
    await asyncio.sleep(0)
    outlet.shelf.is_away = True
    with pytest.raises(Unavailable):
        await outlet.publisher.write_segments()
    outlet.stream.write("two")
    await asyncio.sleep(0)
    outlet.shelf.is_away = False
    await outlet.publisher.write_segments()
    await outlet.publisher.write_segments()
    assert [chunk.text for chunk in outlet.saved()] == ["one ", "two"]


async def test_one_statement_carries_the_segments_of_all_replies() -> None:
    outlet = await make_outlet()
    other = outlet.open(2)
    outlet.stream.write("first")
    other.write("second")
    await asyncio.sleep(0)
    await outlet.publisher.write_segments()
    assert sorted(row.attempt for row in outlet.shelf.rows) == [1, 2]


async def test_a_loop_that_falls_behind_makes_chunks_wait_and_grow(monkeypatch: Any) -> None:
    outlet = await make_outlet()
    loop = asyncio.get_running_loop()
    now = loop.time()
    late = [0.0]
    monkeypatch.setattr(loop, "time", lambda: now + late[0])
    waits: list[float] = []
    monkeypatch.setattr(loop, "call_later", lambda seconds, call: waits.append(seconds))
    outlet.stream.write("a")
    late[0] = 1.0  # the flush comes a second after it was due
    await asyncio.sleep(0)
    outlet.stream.write("b")
    outlet.stream.write("c")
    assert waits == [0.02]
    monkeypatch.undo()
    outlet.stream.flush()
    assert [chunk.text for chunk in await outlet.published()] == ["a", "bc"]


def test_text_after_a_gap_is_not_taken_for_the_text() -> None:
    def chunk(offset: int, text: str) -> TokenChunk:
        return TokenChunk(attempt=1, first_index=1, last_index=1, offset=offset, seen_version=1, text=text)

    assert joined_text([chunk(0, "ab"), chunk(3, "d")]) == "ab"
    assert joined_text([chunk(2, "cd"), chunk(0, "abc")]) == "abcd"
    assert joined_text([chunk(0, "abcd"), chunk(1, "b")]) == "abcd"
    assert joined_text([]) == ""


async def test_segments_are_written_more_often_while_the_bus_is_away() -> None:
    outlet = await make_outlet()
    assert outlet.publisher.segment_seconds == 0.5
    outlet.bus.disconnect()
    assert outlet.publisher.segment_seconds == 0.25
