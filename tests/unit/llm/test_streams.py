"""Every stream of streams_*.py, through the parser and the assembler, cut in every way that the network could."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ports import ModelError, ModelEvent, ModelFinished, ModelRequest, PromptMessage, TextDelta
from tests.unit.llm.streams_openai import OPENAI
from tests.unit.llm.streams_tools import TOOLS, WORKERS_AI
from tests.unit.llm.wire import DONE, STOP, Stream, said, sse
from workers.llm.chunks import Answer
from workers.llm.policy import WORKERS_AI_CODES, failure_of_payload
from workers.llm.sse import EVENT_BYTES_MAX, SseParser

REQUEST = ModelRequest(messages=[PromptMessage(role="user", content="hello")])
ALL = [*OPENAI, *TOOLS, *WORKERS_AI]
Outcome = tuple[list[ModelEvent], str]


def read(pieces: Iterable[bytes], request: ModelRequest = REQUEST) -> Outcome:
    """The events, and the code of the error that ended them, or nothing. Estimated usage is left out."""
    parser = SseParser()
    answer = Answer(request, lambda payload: failure_of_payload(payload, codes=WORKERS_AI_CODES))
    events: list[ModelEvent] = []
    try:
        for piece in pieces:
            for payload in parser.feed(piece):
                events.extend(answer.take(payload))
            if answer.done:
                break
        else:
            for payload in parser.end():
                try:
                    events.extend(answer.take(payload))
                except ModelError as error:
                    if error.code != "bad_answer":
                        raise
        events.extend(answer.end())
    except ModelError as error:
        return events, error.code
    last = events[-1]
    assert isinstance(last, ModelFinished)
    assert last.usage is not None
    if last.usage.estimated:
        assert last.usage.input_tokens > 0
        assert last.usage.output_tokens > 0
        events[-1] = ModelFinished(last.reason, None)
    return events, ""


def expected(stream: Stream) -> Outcome:
    return (stream.before, stream.expect) if isinstance(stream.expect, str) else (stream.expect, "")


def cut(body: bytes, places: Sequence[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(body)]
    return [body[a:b] for a, b in pairwise(edges)]


def test_there_are_forty_streams_of_openai_and_a_dozen_of_workers_ai_with_names_of_their_own() -> None:
    assert len(OPENAI) + len(TOOLS) >= 40
    assert len(WORKERS_AI) >= 12
    assert len({stream.name for stream in ALL}) == len(ALL)


@pytest.mark.parametrize("stream", ALL, ids=lambda stream: stream.name)
def test_a_stream_comes_to_what_it_should(stream: Stream) -> None:
    assert read([stream.body]) == expected(stream)


@pytest.mark.parametrize("stream", ALL, ids=lambda stream: stream.name)
def test_no_single_cut_changes_what_comes_out(stream: Stream) -> None:
    whole = expected(stream)
    for place in range(len(stream.body) + 1):
        assert read(cut(stream.body, [place])) == whole, place


@pytest.mark.parametrize("stream", ALL, ids=lambda stream: stream.name)
def test_byte_by_byte_it_comes_to_the_same(stream: Stream) -> None:
    assert read(bytes([byte]) for byte in stream.body) == expected(stream)


@given(
    words=st.lists(st.text(max_size=20), max_size=60),
    places=st.lists(st.integers(min_value=0, max_value=20_000), max_size=40),
    line_end=st.sampled_from(["\n\n", "\r\n\r\n", "\r\r", "\n\r\n"]),
)
@settings(max_examples=150, deadline=None)
def test_any_text_in_any_pieces_with_any_line_ends_arrives_whole(
    words: list[str], places: list[int], line_end: str
) -> None:
    body = sse(*map(said, ["a", *words]), STOP, DONE, end=line_end)
    events, code = read(cut(body, [place % (len(body) + 1) for place in places]))
    assert code == ""
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "".join(["a", *words])
    assert all(e.text for e in events if isinstance(e, TextDelta))


@given(body=st.binary(max_size=400), places=st.lists(st.integers(min_value=0, max_value=400), max_size=8))
@settings(max_examples=300, deadline=None)
def test_any_bytes_in_any_pieces_come_to_the_same_and_never_to_another_exception(
    body: bytes, places: list[int]
) -> None:
    body = b"data: " + body
    assert read(cut(body, [place % (len(body) + 1) for place in places])) == read([body])


@given(
    stream=st.sampled_from(ALL),
    place=st.integers(min_value=0),
    byte=st.integers(min_value=0, max_value=255),
    cuts=st.lists(st.integers(min_value=0, max_value=2_000), max_size=6),
)
@settings(max_examples=400, deadline=None)
def test_a_wrong_byte_anywhere_gives_events_or_a_model_error(
    stream: Stream, place: int, byte: int, cuts: list[int]
) -> None:
    body = bytearray(stream.body or b"data")
    body[place % len(body)] = byte
    spoilt = bytes(body)
    assert read(cut(spoilt, [c % (len(spoilt) + 1) for c in cuts])) == read([spoilt])


def test_an_event_that_never_ends_stops_the_parser_after_what_came_before() -> None:
    for line in (b"data: " + b"x" * EVENT_BYTES_MAX, b":" + b"x" * EVENT_BYTES_MAX, b"data: " + b"x" * 2**19):
        for piece_bytes in (65_536, 1_000_003):
            body = sse("before") + b"\n".join([line, line, line])
            parser = SseParser()
            payloads = [p for i in range(0, len(body), piece_bytes) for p in parser.feed(body[i : i + piece_bytes])]
            assert payloads == [b"before"]
            assert parser.too_long
            assert parser.feed(b"\n\ndata: after\n\n") == []
            assert parser.end() == []


def test_a_provider_that_ignores_the_limit_is_cut_off() -> None:
    request = ModelRequest(messages=REQUEST.messages, max_tokens=10)
    events, code = read((sse(said("word ")) for _ in range(10_000)), request)
    assert code == ""
    assert 10 < len(events) < 200
    assert events[-1] == ModelFinished("length", None)
    events, code = read((sse(said("x" * 4_000)) for _ in range(10_000)), request)
    assert len(events) < 10
    assert events[-1] == ModelFinished("length", None)
