"""Long texts in parts that can be read one by one, and their sound as one file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ports import Audio, SpeechError
from infra.speech.reading import joined, parts_of
from tests.support import sounds


@given(st.text(alphabet="aB1 .,!?\n—é", max_size=300), st.integers(1, 50))
def test_the_parts_are_the_text_and_none_is_too_long(text: str, characters_max: int) -> None:
    parts = parts_of(text, characters_max)
    assert "".join(parts) == text
    assert all(len(part) <= characters_max for part in parts)


def test_a_text_is_cut_where_one_would_breathe() -> None:
    assert parts_of("One two. Three four, five six seven", 20) == ["One two. ", "Three four, ", "five six seven"]
    assert parts_of("First line.\nSecond one. Third", 25) == ["First line.\n", "Second one. Third"]
    assert parts_of("unbreakable", 4) == ["unbr", "eaka", "ble"]


def test_mp3_parts_are_joined_without_their_tags() -> None:
    parts = [Audio(sounds.mp3(3, tag=b"title"), "audio/mpeg"), Audio(sounds.mp3(2, tag=b"title"), "audio/mpeg")]
    assert joined(parts) == Audio(sounds.mp3(5), "audio/mpeg")


def test_a_single_part_stays_as_it_is_and_others_than_mp3_are_not_joined() -> None:
    wav = Audio(sounds.wav(sounds.tone(0.1)), "audio/wav")
    assert joined([wav]) is wav
    with pytest.raises(SpeechError) as caught:
        joined([wav, wav])
    assert caught.value.code == "bad_answer"
