"""The checkers themselves: sound histories pass, every planted violation is caught, and the two checkers agree."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.history import History, Op
from tests.support.linearizability import Access, check_refused, check_versions, is_linearizable


def sound_history(rng: random.Random, *, ops: int, clients: int) -> list[Access]:
    """Accesses that took effect one after the other, each at some moment between its call and its return."""
    accesses: list[Access] = []
    free_at = [0.0] * clients
    version, value, moment = 0, None, 0.0
    for number in range(ops):
        moment += rng.random()
        client = min(range(clients), key=lambda each: (free_at[each] > moment, rng.random()))
        moment = max(moment, free_at[client])
        called_at = max(free_at[client], moment - 3 * rng.random())
        returned_at = moment + 3 * rng.random()
        free_at[client] = returned_at
        if rng.random() < 0.5:
            expected = version if version and rng.random() < 0.3 else None
            version, value = version + rng.randint(1, 3), f"v{number}"
            accesses.append(Access("write", value, version, called_at, returned_at, expected))
        else:
            accesses.append(Access("read", value, version, called_at, returned_at))
    return accesses


@pytest.mark.parametrize("seed", range(40))
def test_a_sound_history_passes_both_checkers(seed: int) -> None:
    history = sound_history(random.Random(seed), ops=60, clients=6)

    assert check_versions(history) == []
    assert is_linearizable(history)


@pytest.mark.parametrize("seed", range(40))
def test_a_stale_read_is_caught_by_both_checkers(seed: int) -> None:
    rng = random.Random(seed)
    history = sound_history(rng, ops=40, clients=4)
    writes = [access for access in history if access.kind == "write"]
    end = max(access.returned_at for access in history)
    stale = rng.choice(writes[:-1])
    history.append(Access("read", stale.value, stale.version, end + 1, end + 2))

    assert check_versions(history)
    assert not is_linearizable(history)


@pytest.mark.parametrize("seed", range(40))
def test_a_lost_update_is_caught(seed: int) -> None:
    rng = random.Random(seed)
    history = sound_history(rng, ops=60, clients=6)
    place = rng.choice([place for place, access in enumerate(history) if access.expected is not None])
    history[place] = replace(history[place], expected=(history[place].expected or 0) - 1)

    assert check_versions(history)


def test_two_writes_of_one_version_are_caught() -> None:
    history = [Access("write", "a", 1, 0, 1), Access("write", "b", 1, 0, 1)]

    assert check_versions(history)


def test_a_read_of_what_was_never_written_is_caught() -> None:
    history = [Access("write", "a", 1, 0, 1), Access("read", "ghost", 1, 2, 3)]

    assert check_versions(history)
    assert not is_linearizable(history)


def test_a_read_of_what_is_written_only_later_is_caught() -> None:
    history = [Access("read", "a", 1, 0, 1), Access("write", "a", 1, 2, 3)]

    assert check_versions(history)
    assert not is_linearizable(history)


def test_an_unknown_write_may_have_happened_or_not() -> None:
    unknown = Access("write", "b", 2, 1)
    before = [Access("write", "a", 1, 0, 1), Access("read", "a", 1, 2, 3)]

    assert is_linearizable([*before, unknown])
    assert is_linearizable([*before, unknown, Access("read", "b", 2, 4, 5)])
    assert not is_linearizable([*before, unknown, Access("read", "b", 2, 4, 5), Access("read", "a", 1, 6, 7)])


@pytest.mark.parametrize("seed", range(200))
def test_histories_with_some_reads_moved_are_judged_rightly(seed: int) -> None:
    """A read's version is that of the value which it gave, so whatever order the values allow is that of versions."""
    rng = random.Random(seed)
    history = sound_history(rng, ops=8, clients=4)
    writes = {access.version: access.value for access in history if access.kind == "write"} | {0: None}
    for place, access in enumerate(history):
        if access.kind == "read" and rng.random() < 0.5:
            version = rng.choice(list(writes))
            history[place] = replace(access, version=version, value=writes[version])
    history = [replace(access, expected=None) for access in history]

    can_be_walked = _can_be_walked(history)
    assert (check_versions(history) == []) == can_be_walked
    # The order of versions is one order: where it is refused, another may still explain the values.
    assert is_linearizable(history) or not can_be_walked


def _can_be_walked(history: list[Access]) -> bool:
    """Whether there is a moment for each access within its interval such that these stand in the order of versions."""
    moment = -math.inf
    for access in sorted(history, key=lambda each: (each.version, each.kind == "read", each.called_at)):
        moment = max(moment, access.called_at)
        if moment > access.returned_at:
            return False
    return True


def test_a_refusal_is_caught_when_what_was_expected_stood_there_all_the_time() -> None:
    writes = [Access("write", "a", 1, 0, 1), Access("write", "b", 5, 10, 11)]

    assert check_refused(writes, 1, 2, 3)
    assert check_refused(writes, 1, 2, 10.5) is None
    assert check_refused(writes, 5, 10.2, 10.8) is None
    assert check_refused(writes, 5, 12, 13)


def test_a_history_is_the_same_after_it_was_written_and_read(tmp_path: Path) -> None:
    history = History({"seed": 7})
    history.add(Op("c1", "create", "k1", 0.5, 1.5, 201, 3, '{"id":"t_1"}', {"title": "é"}))
    history.add(Op("c2", "create", None, 0.6))
    history.write(tmp_path / "history.jsonl")

    assert History.read(tmp_path / "history.jsonl") == history
    assert [op.client for op in history.acknowledged()] == ["c1"]
