"""What stays is set aside from the collector, and the collector runs again afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from infra import garbage


@pytest.fixture(autouse=True)
def nothing_set_aside() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.enable()


def test_imports_are_not_interrupted_and_not_visited_later() -> None:
    with garbage.imports():
        assert not gc.isenabled()
        made: list[object] = [[]]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert not any(one is made for one in gc.get_objects())


def test_an_import_that_fails_leaves_the_collector_running() -> None:
    with pytest.raises(ImportError), garbage.imports():
        raise ImportError
    assert gc.isenabled()


def test_what_is_there_when_a_role_is_ready_is_not_visited_later() -> None:
    before: list[object] = [[]]
    garbage.set_aside_what_stays()
    after: list[object] = [[]]
    visited = gc.get_objects()
    assert not any(one is before for one in visited)
    assert any(one is after for one in visited)
    assert gc.isenabled()
