"""Tool calls in the text of streams, from bytes to events, cut in every way that the network could."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ports import ModelError, ModelEvent, ModelFinished, ModelRequest, PromptMessage, TextDelta, ToolCall
from tests.unit.llm.streams_leaks import CALLS, LEAKED, NAMES, TEXTS, Leak, leaks
from tests.unit.llm.test_streams import ALL, cut, expected, read
from tests.unit.llm.wire import Stream
from workers.salvage import CALL_CHARACTERS_MAX, Leaks, salvaged, unquoted

pytestmark = pytest.mark.anyio
LONG = ModelRequest(messages=[PromptMessage(role="user", content="hello")], max_tokens=4_096)
Outcome = tuple[str, list[tuple[str, str]]]


def outcome(events: Iterable[ModelEvent]) -> Outcome:
    events = list(events)
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    return text, [(event.name, event.arguments) for event in events if isinstance(event, ToolCall)]


def salvage(events: Iterable[ModelEvent]) -> list[ModelEvent]:
    """As `salvaged` does it, without a loop."""
    found = Leaks(NAMES)
    result: list[ModelEvent] = []
    for event in events:
        if not isinstance(event, TextDelta):
            result += [*found.end(), event]
        elif found.is_plain(event.text):
            result.append(event)
        else:
            result += found.take(event.text)
    return [*result, *found.end()]


def of_text(pieces: Sequence[str]) -> Outcome:
    return outcome(salvage(TextDelta(piece) for piece in pieces))


def of_bytes(pieces: Iterable[bytes]) -> Outcome:
    events, code = read(pieces, LONG)
    assert code == ""
    assert isinstance(events[-1], ModelFinished)
    return outcome(salvage(events))


def wanted(leak: Leak) -> Outcome:
    return leak.stays, list(leak.calls)


def test_there_are_two_hundred_streams_with_names_of_their_own() -> None:
    assert len(LEAKED) + len(ALL) >= 200
    assert len({*LEAKED, *(stream.name for stream in ALL)}) == len(LEAKED) + len(ALL)


@pytest.mark.parametrize("leak", leaks, ids=lambda leak: leak.name)
def test_of_a_text_the_calls_come_out_and_the_rest_stays_however_it_was_cut(leak: Leak) -> None:
    assert of_text([leak.text]) == wanted(leak)
    assert of_text(list(leak.text)) == wanted(leak)
    for place in range(0, len(leak.text) + 1, 1 + len(leak.text) // 400):
        assert of_text([leak.text[:place], leak.text[place:]]) == wanted(leak), place


@pytest.mark.parametrize("name", LEAKED)
def test_a_stream_comes_to_its_calls_and_its_text_whole_and_byte_by_byte(name: str) -> None:
    body, leak = LEAKED[name]
    assert of_bytes([body]) == wanted(leak)
    assert of_bytes(bytes([byte]) for byte in body) == wanted(leak)


@pytest.mark.parametrize("leak", [leak for leak in leaks if len(leak.text) < 1_000], ids=lambda leak: leak.name)
def test_no_single_cut_changes_what_comes_out(leak: Leak) -> None:
    body, _ = LEAKED[f"{leak.name} (workers_ai)"]
    for place in range(len(body) + 1):
        assert of_bytes(cut(body, [place])) == wanted(leak), place


@given(name=st.sampled_from(sorted(LEAKED)), places=st.lists(st.integers(0, 60_000), max_size=12))
@settings(max_examples=300, deadline=None)
def test_cuts_anywhere_change_nothing(name: str, places: list[int]) -> None:
    body, leak = LEAKED[name]
    assert of_bytes(cut(body, [place % (len(body) + 1) for place in places])) == wanted(leak)


PARTS = st.sampled_from(
    ["{", "}", "[", "]", '"', ":", ",", ";", "`", "```", "json", "\n", " ", '"name"', '"create_task"', '"arguments"',
     '"parameters"', '"function"', "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "x", "\\", "{}", CALLS[0].text]
)  # fmt: skip


@given(st.lists(PARTS, max_size=25).map("".join), st.lists(st.integers(0, 400), max_size=6))
@settings(max_examples=600, deadline=None)
def test_any_text_comes_to_the_same_in_any_pieces(text: str, places: list[int]) -> None:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    assert of_text(pieces) == of_text([text]) == of_text(list(text))


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_a_text_without_an_offered_name_stays_as_it_is(text: str) -> None:
    assert of_text(list(text)) == (text, [])


@pytest.mark.parametrize("stream", ALL, ids=lambda stream: stream.name)
def test_streams_without_leaks_pass_as_they_are(stream: Stream) -> None:
    events, code = read([stream.body])
    assert code == expected(stream)[1]
    assert outcome(salvage(events)) == outcome(events)


@pytest.mark.parametrize("leak", TEXTS, ids=lambda leak: leak.name)
def test_what_is_no_call_is_let_go_as_soon_as_that_is_plain(leak: Leak) -> None:
    found = Leaks(NAMES)
    taken = given_out = 0
    for character in leak.text + " and on with other words":
        taken += 1
        if found.is_plain(character):
            given_out += 1
        else:
            given_out += len(outcome(found.take(character))[0])
        assert taken - given_out <= CALL_CHARACTERS_MAX
    assert given_out == taken


def test_words_without_a_bracket_are_never_held_back() -> None:
    found = Leaks(NAMES)
    for word in ["Sure,", " here", " is", " 'name':", ' "create_task"', "\n"]:
        assert found.is_plain(word)


def test_a_list_of_words_is_let_go_at_its_first_word() -> None:
    found = Leaks(NAMES)
    assert found.take("[") == []
    assert found.take("x") == [TextDelta("[x")]


def test_only_offered_tools_are_called_and_none_where_none_is() -> None:
    text = CALLS[0].text
    assert outcome(Leaks({"delete_task"}).take(text))[1] == []
    assert Leaks(()).is_plain(text)


def test_a_name_that_stands_quoted_in_the_prompt_is_not_looked_for() -> None:
    note = f"# Notes\n- Draft\n> {CALLS[0].text}"
    escaped = '> {\\"name\\": \\"delete_task\\"}'
    plain = "- create_task {}: committed. Call delete_task."
    messages = [PromptMessage(role="system", content=text) for text in (note, plain)]
    assert unquoted(NAMES, messages) == {"delete_task"}
    assert unquoted(NAMES, [*messages, PromptMessage(role="user", content=escaped)]) == set()
    assert unquoted(NAMES, messages[1:]) == NAMES


async def _events(
    *events: ModelEvent | Exception, closed: list[bool] | None = None
) -> AsyncGenerator[ModelEvent, None]:
    try:
        for event in events:
            if isinstance(event, Exception):
                raise event
            yield event
    finally:
        if closed is not None:
            closed.append(True)


async def test_a_call_comes_out_at_once_and_its_end_comes_last() -> None:
    end = ModelFinished("stop", None)
    native_call = ToolCall("call_0", "delete_task", "{}")
    source = _events(TextDelta("Hm "), TextDelta(CALLS[0].text), native_call, TextDelta('{"na'), end)
    events = [event async for event in salvaged(source, NAMES)]
    leaked = ToolCall("leaked_1", *CALLS[0].calls[0])
    assert events == [TextDelta("Hm "), leaked, native_call, TextDelta('{"na'), end]


async def test_a_stream_that_breaks_off_makes_no_call_of_what_is_held() -> None:
    error = ModelError("truncated", "cut", retryable=True)
    events: list[ModelEvent] = []
    with pytest.raises(ModelError):
        async for event in salvaged(_events(TextDelta("Hm "), TextDelta(CALLS[0].text[:-1]), error), NAMES):
            events.append(event)
    assert outcome(events) == ("Hm " + CALLS[0].text[:-1], [])


async def test_closing_it_closes_the_model() -> None:
    closed: list[bool] = []
    events = salvaged(_events(TextDelta("a"), TextDelta("b"), closed=closed), NAMES)
    assert await anext(events) == TextDelta("a")
    await events.aclose()
    assert closed == [True]
