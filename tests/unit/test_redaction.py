"""Placeholders: given out, understood in what models make of them, and restored wherever a text is cut."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.ports import ModelError, ModelEvent, ModelFinished, TextDelta, ToolCall
from domain.values import ModelUsage
from workers.privacy import redaction
from workers.privacy.personal_data import KINDS
from workers.privacy.redaction import begun_at, cut, hide, redact, restore, restore_in_json
from workers.privacy.restoring import Restorer, restored

VALUES = (
    "john@x.org",
    "Ann.O'Brien+tag@mail.example.co.uk",
    "müller@example.de",
    "+1 212 555 0100",
    "(212) 555-0100",
    "+49 30 1234567",
    "4111 1111 1111 1111",
    "378282246310005",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "078-05-1120",
    "192.168.17.23",
    "2001:db8::17",
    "sk-abcdefghijklmnopqrstuvwx1234",
    "password: hunter2!",
    "https://bob:s3cr@t@db.example.com/x",
    "https://bob:ghp_abcdefghijklmnopqrstuvwx@db.example.com",
    "https://bob:a-sk-abcdefghijklmnopqrstuvwx@10.1.2.3/",
    "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEA1234567890abcdef\nabc=\n-----END PRIVATE KEY-----",
)
LOOKALIKES = (
    "[EMAIL_1]",
    "[email 1]",
    "[ Phone_2 ]",
    "[KEY\\_1]",
    "[CARD1]",
    "[IP-3]",
    "[EMAIL_",
    "[",
    "]",
    "[[",
    "\\",
)
PIECES = st.lists(st.one_of(st.sampled_from(VALUES + LOOKALIKES), st.text(max_size=12)), max_size=12)
TEXTS = st.builds(lambda pieces, gap: gap.join(pieces), PIECES, st.sampled_from(("", " ", "\n", ", ")))
REGIONS = st.sampled_from(((), ("US",), ("DE",), ("ES", "FR")))


def pieces_of(text: str, places: list[int]) -> list[str]:
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def streamed(pieces: list[str], placeholders: Mapping[str, str]) -> str:
    restorer = Restorer(placeholders)
    return "".join([*map(restorer.feed, pieces), restorer.end()])


@settings(max_examples=400, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), REGIONS, st.lists(st.integers(0, 10_000), max_size=30))
@example(["[EMAIL_1] john@x.org [email 2]"], (), [])
def test_what_is_redacted_comes_back_exactly_wherever_the_answer_is_split(
    texts: list[str], regions: tuple[str, ...], places: list[int]
) -> None:
    redaction = redact(texts, regions)
    for text, redacted in zip(texts, redaction.texts, strict=True):
        assert restore(redacted, redaction.placeholders) == text
        assert streamed(pieces_of(redacted, places), redaction.placeholders) == text
        assert streamed(list(redacted), redaction.placeholders) == text


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 10_000), max_size=30))
def test_any_answer_is_restored_alike_whole_and_in_pieces(answer: str, places: list[int]) -> None:
    placeholders = {"[EMAIL_1]": "john@x.org", "[PHONE_2]": "+1 212 555 0100", "[PASSWORD_1]": "p[EMAIL_1]a[EM"}
    assert streamed(pieces_of(answer, places), placeholders) == restore(answer, placeholders)


@settings(max_examples=200, deadline=None)
@given(TEXTS, REGIONS)
@example("password: hunter2!\b", ())
@example('password: "hunter2"', ())
def test_a_value_reads_the_same_in_a_text_and_in_json(text: str, regions: tuple[str, ...]) -> None:
    redaction = redact([text], regions)
    for value in redaction.placeholders.values():
        assert msgspec.json.encode(value).decode() == f'"{value}"'
    arguments = msgspec.json.encode({"title": redaction.texts[0]}).decode()
    assert msgspec.json.decode(restore(arguments, redaction.placeholders)) == {"title": text}


def test_a_text_that_was_seen_before_is_redacted_alike_and_each_country_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redaction, "_kept", {})
    monkeypatch.setattr(redaction, "KEPT_TEXTS_MAX", 2)
    texts = [
        "Die Nummer im Büro: 030 1234567, bis um fünf.",
        *(f"Write to {n}@x.org, please, and soon." for n in "abc"),
    ]
    for _ in range(3):
        for text in texts:
            assert redact([text], ("DE",)) == redact([text], ("DE",))
            assert redact([text], ("DE",)).placeholders
            assert len(redaction._kept) <= 2
    assert redact(texts[:1], ("US",)).placeholders == {}
    assert redact(texts[:1], ("DE",)).placeholders == {"[PHONE_1]": "030 1234567"}


@pytest.mark.parametrize("value", VALUES)
def test_nothing_personal_is_left_in_a_redacted_text(value: str) -> None:
    redacted = redact([f"It is {value}, he said."]).texts[0]
    assert value not in redacted
    assert "_1]" in redacted
    assert not redact([redacted]).placeholders


def test_the_same_value_has_the_same_placeholder_in_all_texts_and_another_has_another() -> None:
    redaction = redact(["a@x.org b@x.org", "again a@x.org", "c@x.org"])
    assert redaction.texts == ("[EMAIL_1] [EMAIL_2]", "again [EMAIL_1]", "[EMAIL_3]")
    assert redaction.placeholders == {"[EMAIL_1]": "a@x.org", "[EMAIL_2]": "b@x.org", "[EMAIL_3]": "c@x.org"}
    assert redact(["a@x.org b@x.org", "again a@x.org", "c@x.org"]) == redaction


@pytest.mark.parametrize("written", ["[EMAIL_1]", "[email_1]", "[EMAIL 1]", "[ Email-1 ]", "[EMAIL\\_1]", "[email1]"])
def test_what_looks_like_a_placeholder_in_a_users_own_words_is_nobodys_address(written: str) -> None:
    redaction = redact([f"What is {written}? Mail john@x.org"])
    assert redaction.texts == (f"What is {written}? Mail [EMAIL_2]",)
    assert restore(written, redaction.placeholders) == written


@pytest.mark.parametrize(
    "written",
    [
        "[EMAIL_1]",
        "[email_1]",
        "[EMAIL 1]",
        "[Email-1]",
        "[ EMAIL_1 ]",
        "[EMAIL\\_1]",
        "[EMAIL1]",
        "[e\u006dail\u00a01]",
    ],
)
def test_what_a_model_makes_of_a_placeholder_is_understood(written: str) -> None:
    placeholders = redact(["john@x.org"]).placeholders
    assert restore(f"Mail ({written}).", placeholders) == "Mail (john@x.org)."


@pytest.mark.parametrize(
    "written", ["[EMAIL_7]", "[PHONE_1]", "[EMAIL_01]", "[EMAIL_0]", "[EMAIL]", "EMAIL_1", "[NAME_1]"]
)
def test_a_placeholder_that_stands_for_nothing_stays_as_it_is(written: str) -> None:
    assert restore(f"{written}!", redact(["john@x.org"]).placeholders) == f"{written}!"


def test_no_more_is_held_back_than_may_be_a_placeholder() -> None:
    restorer = Restorer({"[EMAIL_1]": "john@x.org"})
    assert [restorer.feed(c) for c in "a[b] [EMAIL_9] [EMAIL_1]!"] == [
        *("a", "", "[b", "]", " "),
        *("", "", "", "", "", "", "", "", "[EMAIL_9]", " "),
        *("", "", "", "", "", "", "", "", "john@x.org", "!"),
    ]
    assert restorer.end() == ""


@given(st.text(alphabet="[EMAIL_PHONE 12\\]x", max_size=80))
def test_what_is_held_back_is_short(text: str) -> None:
    assert len(text) - begun_at(text) <= 24


@pytest.mark.parametrize("kind", KINDS)
def test_each_beginning_of_a_placeholder_is_held_back(kind: str) -> None:
    for written in (f"[{kind}_12]", f"[{kind.lower()} 3]", f"[ {kind}\\_1 ]", f"[{kind}\\\\_1]"):
        for length in range(1, len(written)):
            assert begun_at(f"x{written[:length]}") == 1


def test_a_text_that_is_cut_to_length_ends_before_a_value_and_not_inside() -> None:
    text = "Write to john.smith@example.org or call 030 1234567 today"
    for length in range(len(text)):
        left = cut(text, length)
        assert text.startswith(left)
        assert len(left) <= length
        assert "john" not in left or "john.smith@example.org" in left
        assert not left.endswith(("0", "3", "030 1234"))
    assert cut(text, len(text)) == text


def test_what_quotes_restored_values_can_be_hidden_again() -> None:
    placeholders = {"[EMAIL_1]": "a@x.org", "[EMAIL_2]": "aa@x.org"}
    assert hide("unknown field `aa@x.org`, `a@x.org`", placeholders) == "unknown field `[EMAIL_2]`, `[EMAIL_1]`"


# --- over the events of a model -------------------------------------------------------------------------------

DONE = ModelFinished("stop", ModelUsage())
JOHN = {"[EMAIL_1]": "john@x.org"}


class Source:
    """Events as a model gives them, an error at the end where there is one."""

    def __init__(self, *events: ModelEvent | Exception) -> None:
        self.events = events
        self.is_closed = False

    async def stream(self):  # type: ignore[no-untyped-def]
        try:
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.is_closed = True


async def test_text_and_calls_are_restored_in_their_order() -> None:
    call = ToolCall("c", "create_task", '{"title": "mail [EMAIL_1]"}')
    source = Source(TextDelta("Mail [EMA"), TextDelta("IL_1] or [em"), call, TextDelta("[EMAIL"), TextDelta("_1"), DONE)
    assert [event async for event in restored(source.stream(), JOHN)] == [
        TextDelta("Mail "),
        TextDelta("john@x.org or "),
        TextDelta("[em"),
        ToolCall("c", "create_task", '{"title": "mail john@x.org"}'),
        TextDelta("[EMAIL_1"),
        DONE,
    ]
    assert source.is_closed


async def test_a_prompt_without_placeholders_leaves_the_events_alone() -> None:
    events = [TextDelta("[EMAIL"), TextDelta("_1]"), DONE]
    assert [event async for event in restored(Source(*events).stream(), {})] == events


async def test_what_is_held_back_is_said_before_an_error_and_at_an_end_without_one() -> None:
    error = ModelError("truncated", "made to fail", retryable=True)
    said: list[ModelEvent] = []
    with pytest.raises(ModelError):
        async for event in restored(Source(TextDelta("so [EMAIL"), error).stream(), JOHN):
            said.append(event)
    assert said == [TextDelta("so "), TextDelta("[EMAIL")]
    assert [event async for event in restored(Source(TextDelta("[EM")).stream(), JOHN)] == [TextDelta("[EM")]


async def test_closing_closes_the_model() -> None:
    source = Source(TextDelta("a"), TextDelta("b"), DONE)
    events = restored(source.stream(), JOHN)
    assert await anext(events) == TextDelta("a")
    await events.aclose()
    assert source.is_closed


def test_a_value_with_quotes_is_restored_into_the_arguments_of_a_call() -> None:
    value = 'to"ken\\1'
    assert msgspec.json.decode(restore_in_json('{"notes": "use [KEY_1]"}', {"[KEY_1]": value})) == {
        "notes": f"use {value}"
    }
