"""Ids nobody can guess, and ids that repeat with their seed."""

from __future__ import annotations

import re
import uuid

from infra.ids import SHARDS, SeededIds, jitter, new_id, new_user_id, random_token


def test_a_user_id_carries_its_shard() -> None:
    shards = set()
    for _ in range(2_000):
        user_id = new_user_id()
        matched = re.fullmatch(r"(\d\d)/([0-9a-f-]{36})", user_id)
        assert matched is not None
        uuid.UUID(matched[2])
        shards.add(int(matched[1]))
    assert shards == set(range(SHARDS))


def test_ids_do_not_repeat() -> None:
    assert len({new_id() for _ in range(1_000)}) == 1_000
    assert len({random_token() for _ in range(1_000)}) == 1_000


def test_seeded_ids_repeat_with_their_seed_only() -> None:
    first, again, other = SeededIds(1), SeededIds(1), SeededIds(2)
    ids = [first() for _ in range(10)]
    assert ids == [again() for _ in range(10)]
    assert not set(ids) & {other() for _ in range(10)}
    assert all(uuid.UUID(one).version == 4 for one in ids)


def test_jitter_stays_between_half_and_all() -> None:
    assert all(0.5 <= jitter(1.0) <= 1.0 for _ in range(1_000))
