"""`verify` finds every row that is not what a fold of the log is, and nothing else."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from infra.settings import Settings
from projections.builds import StaleBuild
from projections.rebuild import Rebuild
from projections.verify import DIFFERENCES_KEPT, LIVE, Comparison, compare_live
from projections.views import VIEWS
from tests.support.views import Silent, catch_up, shuffled, some_histories, user, write_log


def verified(database_url: str, view: str) -> Comparison:
    with psycopg.connect(database_url, autocommit=True) as connection:
        return compare_live(connection, VIEWS[view], Silent())


@pytest.fixture
def events_count(database_url: str) -> int:
    events = shuffled(some_histories(6, 80))
    write_log(database_url, events)
    catch_up(database_url)
    return len(events)


def spoil(database_url: str, statement: str, *values: object) -> None:
    with psycopg.connect(database_url) as connection:
        assert connection.execute(statement, values).rowcount > 0


@pytest.mark.parametrize("view", VIEWS)
def test_views_that_were_kept_well_do_not_differ(database_url: str, events_count: int, view: str) -> None:
    comparison = verified(database_url, view)
    assert (comparison.different, comparison.differences) == (0, [])
    assert 4 <= comparison.users <= 6
    assert comparison.rows > 4
    assert 0 < comparison.events <= events_count


@pytest.mark.parametrize(
    ("spoiling", "what"),
    [
        ("UPDATE tasks SET status = 'lost' WHERE ctid = (SELECT ctid FROM tasks_b1 LIMIT 1)", "status"),
        ("UPDATE tasks_b1 SET state = state || 'x' WHERE ctid = (SELECT ctid FROM tasks_b1 LIMIT 1)", "state"),
        ("DELETE FROM tasks_b1 WHERE ctid = (SELECT ctid FROM tasks_b1 LIMIT 1)", "missing"),
        ("INSERT INTO tasks_b1 SELECT user_id, 't_x', status, ord, 1, 1, name, state FROM tasks_b1 LIMIT 1", "surplus"),
        ("INSERT INTO tasks_b1 SELECT '99/x', id, status, ord, 1, 1, name, state FROM tasks_b1 LIMIT 1", "surplus"),
    ],
)
def test_one_row_that_differs_is_found(database_url: str, events_count: int, spoiling: str, what: str) -> None:
    spoil(database_url, spoiling.replace("UPDATE tasks ", "UPDATE tasks_b1 "))
    comparison = verified(database_url, "tasks")
    assert [difference.what for difference in comparison.differences] == [what]
    assert comparison.differences[0].table == "tasks"
    for view in ("state", "chat", "usage"):
        assert verified(database_url, view).different == 0


def test_it_counts_all_differences_and_keeps_the_first(database_url: str, events_count: int) -> None:
    spoil(database_url, "UPDATE chat_messages_b1 SET ord = ord + 1")
    comparison = verified(database_url, "chat")
    assert comparison.different > DIFFERENCES_KEPT
    assert len(comparison.differences) == DIFFERENCES_KEPT


def test_events_that_the_view_has_not_read_yet_do_not_count(database_url: str, events_count: int) -> None:
    write_log(database_url, some_histories(9, 30)[8].rows)
    assert verified(database_url, "state").different == 0


def test_rows_of_another_version_are_not_compared(database_url: str, events_count: int) -> None:
    spoil(database_url, "UPDATE view_builds SET version = 7 WHERE view = 'tasks'")
    with pytest.raises(StaleBuild, match="rebuild tasks"):
        verified(database_url, "tasks")


def test_a_build_that_a_rebuild_drops_under_it_gives_way_to_the_new_one(database_url: str, events_count: int) -> None:
    class Rebuilding(psycopg.Connection[Any]):
        """Right after the first look at what is live, somebody else's rebuild ends."""

        is_new = True

        def execute(self, query: Any, *arguments: Any, **more: Any) -> Any:
            cursor = super().execute(query, *arguments, **more)
            if query == LIVE and self.is_new:
                self.is_new = False
                Rebuild(Settings(database_url=database_url), VIEWS["tasks"], Silent()).run()
            return cursor

    with Rebuilding.connect(database_url, autocommit=True) as connection:
        comparison = compare_live(connection, VIEWS["tasks"], Silent())
    assert (comparison.build, comparison.different) == (2, 0)


def test_an_empty_log_is_verified(database_url: str) -> None:
    assert verified(database_url, "state").users == 0
    spoil(database_url, "INSERT INTO usage_days_b1 VALUES (%s, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)", user(1))
    assert verified(database_url, "usage").different == 1
