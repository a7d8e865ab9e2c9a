"""Which note is meant: only one that is the only one to fit is deleted."""

from __future__ import annotations

import pytest

from commands.arguments import NotUnderstood
from commands.note_deeds import ONE_AT_A_TIME, find_note
from commands.setting import KeptNote


def note(note_id: str, text: str, title: str | None = None) -> KeptNote:
    return KeptNote(note_ref=f"n_{note_id}", note_id=note_id, text=text, title=title, kept_on="2025-11-19")


NOTES = (
    note("n1", "The plumber charges 90 an hour"),
    note("boiler", "the boiler was serviced in March by Mr Klein"),
    note("gifts", "gift ideas for mom: scarf, book", "Birthday"),
    note("key", "Der Schlüssel liegt unter der Matte"),
    note("n2", "The plumber comes on Friday"),
)


@pytest.mark.parametrize(
    ("said", "note_id"),
    [
        ("boiler", "boiler"),
        ("the boiler in March", "boiler"),
        ("boilers", "boiler"),
        ("birthday", "gifts"),
        ("gift ideas", "gifts"),
        ("Schlüssel", "key"),
        ("plumber on Friday", "n2"),
        ("the plumber comes on friday.", "n2"),
        ("plumber charges", "n1"),
    ],
)
def test_a_note_is_named_by_its_title_its_text_or_words_of_it(said: str, note_id: str) -> None:
    assert find_note(said, NOTES).note_id == note_id


def test_of_several_that_fit_none_is_meant_and_they_are_told() -> None:
    with pytest.raises(NotUnderstood) as refused:
        find_note("plumber", NOTES)
    assert "charges 90" in refused.value.sentence
    assert "comes on Friday" in refused.value.sentence


@pytest.mark.parametrize("said", ["garden", "boiler in April", "ann", "oil"])
def test_what_fits_no_note_names_none(said: str) -> None:
    with pytest.raises(NotUnderstood, match="no note"):
        find_note(said, NOTES)


@pytest.mark.parametrize("said", ["all", "all my", "alle meine Notizen", "every"])
def test_notes_are_not_deleted_by_the_dozen(said: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        find_note(said, NOTES)
    assert refused.value.sentence == ONE_AT_A_TIME


def test_without_a_word_the_only_note_is_meant_and_no_other() -> None:
    assert find_note("the note", NOTES[:1]).note_id == "n1"
    with pytest.raises(NotUnderstood, match="More than one"):
        find_note("the note", NOTES[:2])
    with pytest.raises(NotUnderstood, match="no note"):
        find_note("the note", ())


def test_a_long_text_is_named_by_its_beginning() -> None:
    long = note("long", "word " * 200)
    assert find_note(("word " * 200)[:490].strip(), (long, *NOTES)).note_id == "long"
