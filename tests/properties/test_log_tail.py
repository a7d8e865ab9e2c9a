"""Writers that conflict, fail and roll back, and readers beside them: each reader gets what was committed, once, in
order. `benchmarks/` runs the same with a million events.
"""

from __future__ import annotations

import random

import pytest

from tests.support.log_load import LogLoad

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", range(4))
async def test_every_reader_gets_every_committed_event_once_in_order(database_url: str, seed: int) -> None:
    totals = await LogLoad(database_url, random.Random(seed), events=1_500, writers=12, processes=3).run()
    assert totals.lost == totals.doubled == totals.out_of_order == 0
    assert totals.committed >= 1_500
    assert totals.conflicts
    assert totals.rolled_back
    assert totals.readers >= 4
