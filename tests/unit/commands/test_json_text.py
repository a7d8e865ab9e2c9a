"""What is read out of texts that are nearly JSON, and what is not."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.json_text import Scan, closed, first_value, readings

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)


def read(text: str) -> Any:
    """The first reading that is JSON, as a caller takes it."""
    for reading in readings(text):
        with suppress(ValueError, RecursionError):
            return json.loads(reading)
    return "nothing"


@given(OBJECTS, st.sampled_from(["{}", "```json\n{}\n```", "```\n{}", "Here it is: {} Enjoy!", "\n {} \n"]))
def test_an_object_is_read_out_of_what_models_wrap_around_it(value: dict[str, Any], wrapping: str) -> None:
    text = json.dumps(value)
    if "```" not in text:
        assert read(wrapping.replace("{}", text)) == value


@given(OBJECTS)
def test_brackets_that_are_missing_at_the_end_are_put_there(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    cut = text.rstrip("}]")
    if cut and cut[-1] in '"le':
        assert read(cut) == value


@given(OBJECTS, st.integers(min_value=0, max_value=200))
def test_whatever_is_read_out_of_the_beginning_of_an_object_says_nothing_new(value: dict[str, Any], place: int) -> None:
    found = closed(json.dumps(value)[:place])
    if found is None:
        return
    with suppress(ValueError):
        assert _is_part(json.loads(found), value)


def _is_part(part: Any, whole: Any) -> bool:
    match part, whole:
        case dict(), dict():
            return all(key in whole and _is_part(inner, whole[key]) for key, inner in part.items())
        case list(), list():
            return len(part) <= len(whole) and all(map(_is_part, part, whole))
        case _:
            return bool(part == whole)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        '{"a": "half',
        '{"a": "whole',
        '{"a": "b}',
        '{"a": "b]',
        '{"a": 1, "b',
        '{"a": 12',
        '{"a": 1,',
        '{"a":',
        '{"a": "x\\',
        "}",
        "]{",
    ],
)
def test_what_was_cut_in_the_middle_of_something_is_not_closed(text: str) -> None:
    assert read(text) in ("nothing", {})
    if '"' in text:
        assert closed(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": "x, ]", "b": [1, 2,],}', {"a": "x, ]", "b": [1, 2]}),
        ('{"a": "one,}", "b": ["x"', {"a": "one,}", "b": ["x"]}),
        ('{"a": {"b": true', {"a": {"b": True}}),
        ('[{"a": "x"}', [{"a": "x"}]),
        ('{"a": "\\"}"', {"a": '"}'}),
    ],
)
def test_commas_and_brackets_in_strings_are_text(text: str, value: Any) -> None:
    assert json.loads(closed(text) or "") == value


@given(st.text(alphabet='{}[]"\\a:, ', max_size=60))
def test_any_text_can_be_looked_at(text: str) -> None:
    assert all(isinstance(reading, str) for reading in readings(text))
    found = first_value(text, "{[")
    assert found is None or (found in text and found[0] in "{[" and found[-1] in "}]")


@given(st.text(alphabet='{}[]"\\a', max_size=40), st.integers(min_value=0, max_value=40))
def test_a_scan_finds_the_same_end_in_any_pieces(text: str, place: int) -> None:
    text = "{" + text
    whole, parts = Scan("{"), Scan("{")
    end = whole.take(text, 1)
    place = min(max(place, 1), len(text))
    first = parts.take(text, 1, place)
    assert (first if first >= 0 else parts.take(text, place)) == end
