"""The cursor's text form: what goes out comes back, and nothing else is read."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.live.cursor import Cursor, Place, parse_cursor
from domain.errors import Invalid

NAMES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
NUMBERS = st.integers(0, 10**18 - 1)
PLACES = st.builds(Place, NAMES, NUMBERS, NUMBERS, NUMBERS)
CURSORS = st.builds(Cursor, NAMES, NUMBERS) | st.builds(Cursor, NAMES, NUMBERS, PLACES, st.booleans())


@given(CURSORS)
def test_a_cursor_is_read_as_it_was_written(cursor: Cursor) -> None:
    assert parse_cursor(str(cursor)) == cursor


def test_the_text_form_is_what_the_design_says() -> None:
    assert str(Cursor("g1", 42)) == "g1.42"
    assert str(Cursor("g1", 42, Place("m_ab", 2, 17, 301))) == "g1.42:m_ab.2.17.301"
    assert str(Cursor("g1", 42, Place("m_ab", 2, 17, 301), ahead=True)) == "g1.42:m_ab.2.17.301+"


@given(st.text(max_size=300))
@example("g1.1:")
def test_whatever_else_is_sent_is_refused_or_means_itself(text: str) -> None:
    with suppress(Invalid):
        assert str(parse_cursor(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "7", "abc", "g1", "g1.", ".5", "g1.-1", "g1.+1", "g1.1.", "g1.01", "g1.1e3", "g1.1.5", "g1.٣", " g1.1"),
        *("g1.1\n", "g1.1\0", "g1.1:m", "g1.1:m.1", "g1.1:m.1.1", "g1.1:m.1.1.1.1", "g1.1:m.1.1.-1", "g1.1:.1.1.1"),
        *("g1.1+", "g1.1:m.1.1.1++", "g1.1:m.1.1.1-", "g1.1:m.1.1.1 "),
        *("g1.1:m/x.1.1.1", "g1.1:m.1.1.1:m.1.1.1", "g1.9999999999999999999", "g 1.1", "g1.1:m.1.1.", "ü.1"),
        "g1." + "9" * 10_000,
        "g" * 10_000 + ".1",
        "g1.1:" + "m" * 65 + ".1.1.1",
    ],
)
def test_a_malformed_cursor_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_cursor(text)
    assert refusal.value.code == "cursor_malformed"
