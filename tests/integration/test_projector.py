"""The runner of the live views: every event once, in order, whatever happens to it."""

from __future__ import annotations

import pytest

from tests.support.views import (
    assert_views_equal_a_fold,
    open_world,
    projecting,
    shuffled,
    some_histories,
    until_views_reach,
    write_log,
)

pytestmark = pytest.mark.anyio


async def test_the_views_equal_a_fold_of_the_log(database_url: str) -> None:
    async with open_world(database_url, projection_page=37) as world:
        events = shuffled(some_histories(8, 120))
        async with projecting(world):
            for start in range(0, len(events), 300):
                position = write_log(world.url, events[start : start + 300])
            await until_views_reach(world.url, position)
        assert_views_equal_a_fold(world.url, events)
