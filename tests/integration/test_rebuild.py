"""Rebuilding a view beside the live one: equal to a fold, while everything goes on, from wherever it was killed."""

from __future__ import annotations

import psycopg
import pytest

from infra.settings import Settings
from projections.rebuild import Rebuild
from projections.view import View
from projections.views import VIEWS
from tests.support.views import (
    Silent,
    folded_rows,
    live_rows,
    shuffled,
    some_histories,
    write_log,
)


def live_build(database_url: str, view: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT build FROM view_positions WHERE view = %s", (view,)).fetchone()
    assert row is not None
    return int(row[0])


def builds(database_url: str, view: str) -> list[tuple[int, str]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT build, status FROM view_builds WHERE view = %s ORDER BY build", (view,)
        ).fetchall()


def tables_of(database_url: str, view: View) -> set[str]:
    with psycopg.connect(database_url) as connection:
        names = [table.name for table in view.tables]
        rows = connection.execute("SELECT tablename FROM pg_tables WHERE tablename ~ '_b[0-9]+$'").fetchall()
    return {name for (name,) in rows if name.rsplit("_b", 1)[0] in names}


@pytest.mark.parametrize("view", VIEWS.values(), ids=lambda view: view.name)
def test_a_rebuilt_view_equals_a_fold_of_the_log(database_url: str, view: View) -> None:
    events = shuffled(some_histories(10, 100))
    write_log(database_url, events)
    Rebuild(Settings(database_url=database_url), view, Silent()).run()
    assert live_rows(database_url, view) == folded_rows(view, events)
    assert builds(database_url, view.name) == [(2, "live")]
    assert tables_of(database_url, view) == {f"{table.name}_b2" for table in view.tables}
