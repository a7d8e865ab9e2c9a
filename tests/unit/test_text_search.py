"""Words are found whatever their case and accents, and the snippet shows where they stand in the text as written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.text_search import SNIPPET_CHARACTERS, Snippet, Wanted, folded


def found(query: str, text: str) -> Snippet | None:
    match = Wanted(query).find({"text": text})
    return None if match is None else match[1]


def shown(query: str, text: str) -> str | None:
    """What of the text is told to match."""
    snippet = found(query, text)
    return None if snippet is None else snippet.text[snippet.start : snippet.end]


@pytest.mark.parametrize(
    ("query", "text", "match"),
    [
        ("call", "Please CALL John", "CALL"),
        ("cafe", "in the Café Zürich", "Café"),
        ("CAFÉ", "cafe\u0301 at noon", "cafe\u0301"),
        ("zurich", "in the Café Zürich", "Zürich"),
        ("strasse", "Große Straße 5", "Straße"),
        ("straße", "GROSSE STRASSE 5", "STRASSE"),
        ("ﬁnal", "the final one", "final"),
        ("σοφος", "ΣΟΦΌΣ", "ΣΟΦΌΣ"),
        ("istanbul", "İstanbul", "İstanbul"),
        ("東京", "来週、東京へ", "東京"),
        ("call john", "call  John", "call"),
        ("john call", "call John", "John"),
    ],
)
def test_words_are_found_as_they_are_written(query: str, text: str, match: str) -> None:
    assert shown(query, text) == match


@pytest.mark.parametrize(("query", "text"), [("john", "call Jim"), ("call john", "call Jim"), ("x", "")])
def test_a_text_without_one_of_the_words_does_not_match(query: str, text: str) -> None:
    assert found(query, text) is None


def test_words_may_stand_in_different_texts_of_an_object_and_the_phrase_is_shown_first() -> None:
    texts = {"title": "Budget", "notes": "call John about it"}
    match = Wanted("john budget").find(texts)
    assert match is not None
    assert match[0] == "notes"
    phrase = Wanted("call john").find({"title": "john and a call", "notes": "please call John"})
    assert phrase is not None
    assert (phrase[0], phrase[1].text[phrase[1].start : phrase[1].end]) == ("notes", "call John")


def test_a_long_text_is_cut_around_the_match_on_one_line() -> None:
    snippet = found("needle", f"{'hay ' * 200}needle\nin the {'straw ' * 200}")
    assert snippet is not None
    assert snippet.text[snippet.start : snippet.end] == "needle"
    assert snippet.text.startswith("…hay")
    assert snippet.text.endswith("straw…")
    assert "\n" not in snippet.text
    assert len(snippet.text) <= SNIPPET_CHARACTERS + 2


@given(st.text(max_size=60))
def test_folding_goes_character_by_character(text: str) -> None:
    assert folded(text) == "".join(folded(character) for character in text)


@given(st.text(max_size=40), st.text(min_size=1, max_size=12), st.text(max_size=200))
def test_what_stands_in_a_text_is_found_and_shown(before: str, middle: str, after: str) -> None:
    wanted = Wanted(middle)
    match = wanted.find({"text": before + middle + after})
    if not wanted.words:
        assert match is None
        return
    assert match is not None
    snippet = match[1]
    assert 0 <= snippet.start < snippet.end <= len(snippet.text)
