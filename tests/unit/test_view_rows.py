"""Changes of rows: what they mean in memory, and that a page of them merged means the same."""

from __future__ import annotations

import pytest

from domain.event_types import EVENTS
from projections.batch import Verb, merge
from projections.view import Change, Column, Insert, Patch, Remove, Row, Rows, Sweep, Table, Upsert, View
from projections.views import VIEWS

THINGS = Table(
    "things",
    [Column("id", "text")],
    [
        Column("place", "text", nullable=True),
        Column("colour", "text", nullable=True),
        Column("count", "bigint", sums=True),
    ],
)
COLOUR = THINGS.shape("colour")
COUNT = THINGS.shape("count")
PLACE_AND_COUNT = THINGS.shape("place", "count")
A, B = ("u", "a"), ("u", "b")


def rows_after(*changes: Change) -> dict[str, Row]:
    rows: Rows = {}
    for change in changes:
        change.apply(rows)
    return {str(key[1]): row for key, row in rows.items()}


def test_an_insert_needs_a_new_key() -> None:
    row = Insert(THINGS, A, ("here", "red", 1))
    assert rows_after(row) == {"a": ["here", "red", 1]}
    with pytest.raises(AssertionError, match="a second row"):
        rows_after(row, row)


def test_an_upsert_replaces_and_adds_up() -> None:
    assert rows_after(Upsert(THINGS, A, ("here", "red", 1)), Upsert(THINGS, A, ("there", None, 2))) == {
        "a": ["there", None, 3]
    }


def test_a_patch_changes_some_columns_of_a_row_that_is_there() -> None:
    row = Insert(THINGS, A, ("here", "red", 1))
    assert rows_after(row, Patch(COLOUR, A, ("blue",)), Patch(PLACE_AND_COUNT, A, ("there", 2))) == {
        "a": ["there", "blue", 3]
    }
    assert rows_after(Patch(COLOUR, B, ("blue",))) == {}


def test_a_row_can_be_removed_and_come_again() -> None:
    row = Insert(THINGS, A, ("here", "red", 1))
    assert rows_after(row, Remove(THINGS, A)) == {}
    assert rows_after(row, Remove(THINGS, A), Insert(THINGS, A, (None, None, 5))) == {"a": [None, None, 5]}


def test_a_sweep_patches_or_removes_one_users_rows_that_match() -> None:
    other = Insert(THINGS, ("v", "c"), ("here", "red", 1))
    given = [Insert(THINGS, A, ("here", "red", 1)), Insert(THINGS, B, ("there", "red", 1)), other]
    assert rows_after(*given, Sweep(THINGS, "u", {"place": "here"}, COLOUR, ("blue",))) == {
        "a": ["here", "blue", 1],
        "b": ["there", "red", 1],
        "c": ["here", "red", 1],
    }
    assert rows_after(*given, Sweep(THINGS, "u", {"id": "a"})).keys() == {"b", "c"}
    assert rows_after(*given, Sweep(THINGS, "u", {})).keys() == {"c"}


def test_a_whole_row_by_name_must_be_whole() -> None:
    assert THINGS.row(count=1, colour="red") == (None, "red", 1)
    with pytest.raises(AssertionError, match="needs"):
        THINGS.row(colour="red")
    with pytest.raises(AssertionError, match="has no"):
        THINGS.row(count=1, size=3)


# --- merging --------------------------------------------------------------------------------------------------


def test_each_row_is_changed_once_in_a_batch() -> None:
    (batch,) = merge(
        [
            Insert(THINGS, A, ("here", "red", 1)),
            Patch(COUNT, A, (2,)),
            Patch(COLOUR, A, ("blue",)),
            Patch(COUNT, B, (1,)),
            Patch(PLACE_AND_COUNT, B, ("there", 1)),
        ]
    )
    rows = batch.rows["things"]
    assert (rows[A].verb, rows[A].values) == (Verb.INSERT, ("here", "blue", 3))
    assert rows[B].verb is Verb.PATCH
    assert dict(zip((c.name for c in rows[B].shape.columns), rows[B].values, strict=True)) == {
        "count": 2,
        "place": "there",
    }


def test_a_row_that_comes_and_goes_within_a_page_leaves_nothing() -> None:
    (batch,) = merge([Insert(THINGS, A, ("here", "red", 1)), Remove(THINGS, A)])
    assert batch.rows["things"] == {}


def test_a_row_that_goes_and_comes_is_replaced() -> None:
    (batch,) = merge([Remove(THINGS, A), Patch(COLOUR, A, ("blue",)), Insert(THINGS, A, ("here", "red", 1))])
    assert batch.rows["things"][A][::2] == (Verb.REPLACE, ("here", "red", 1))
    (batch,) = merge([Remove(THINGS, A), Upsert(THINGS, A, ("here", "red", 1)), Patch(COUNT, A, (4,))])
    assert batch.rows["things"][A][::2] == (Verb.REPLACE, ("here", "red", 5))
    (batch,) = merge([Remove(THINGS, A), Insert(THINGS, A, ("here", "red", 1)), Remove(THINGS, A)])
    assert batch.rows["things"][A].verb is Verb.REMOVE


def test_a_sweep_goes_before_rows_and_else_into_a_batch_of_its_own() -> None:
    sweep = Sweep(THINGS, "u", {"place": "here"})
    before, after = merge([sweep, Insert(THINGS, A, ("here", "red", 1)), sweep, Insert(THINGS, B, ("here", "red", 1))])
    assert (before.sweeps, list(before.rows["things"])) == ([sweep], [A])
    assert (after.sweeps, list(after.rows["things"])) == ([sweep], [B])
    (one,) = merge([Insert(THINGS, ("v", "c"), ("here", "red", 1)), sweep])
    assert one.sweeps == [sweep]


def test_counters_are_patched_or_upserted_but_never_both_in_a_page() -> None:
    with pytest.raises(AssertionError, match="patch it or upsert it"):
        merge([Patch(COUNT, A, (1,)), Upsert(THINGS, A, ("here", "red", 1))])


# --- all views ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_every_event_is_handled_or_ignored_on_purpose(view: View) -> None:
    decided = {*view.handlers, *view.ignores, "UserErased"}
    assert decided == set(EVENTS), f"decide in projections/{view.name}.py what these do: {set(EVENTS) ^ decided}"
    assert not view.handlers.keys() & view.ignores


def test_no_two_tables_have_one_name() -> None:
    names = [table.name for view in VIEWS.values() for table in view.tables]
    assert len(set(names)) == len(names)
