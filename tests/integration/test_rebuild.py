"""Rebuilding a view beside the live one: equal to a fold, while everything goes on, from wherever it was killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from dataclasses import replace

import psycopg
import pytest

from infra import failpoints
from infra.settings import Settings
from projections import streams
from projections.builds import StaleBuild
from projections.rebuild import Rebuild, RebuildFailed
from projections.view import View
from projections.views import VIEWS
from tests.support.views import (
    Silent,
    assert_views_equal_a_fold,
    commands,
    folded_rows,
    live_rows,
    open_world,
    projecting,
    shuffled,
    some_histories,
    until_views_reach,
    user,
    write_log,
)


class Recorded(Silent):
    """How much was done when the first phase began."""

    def __init__(self) -> None:
        self.parts: list[float | None] = []

    def advance(self, events: int, part: float | None = None) -> None:
        self.parts.append(part)


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


@pytest.mark.anyio
async def test_commands_and_queries_go_on_while_views_are_rebuilt(database_url: str) -> None:
    """A runner, a writer, a reader and rebuilds at once: no query fails, sees rows of two builds, or goes back."""
    async with open_world(database_url) as world, projecting(world) as projector:
        all_commands = commands(some_histories(12, 150))
        half = len(all_commands) // 2
        events = [event for command in all_commands for event in command]
        write_log(world.url, [event for command in all_commands[:half] for event in command])
        is_over = asyncio.Event()

        async def write() -> int:
            position = 0
            for start in range(half, len(all_commands), 10):
                some = [event for command in all_commands[start : start + 10] for event in command]
                position = await asyncio.to_thread(write_log, world.url, some)
            return position

        async def read() -> int:
            seen = reads = 0
            while not is_over.is_set():
                (count, version), *_ = await world.queries.fetch(NEWEST_CHANGE, {"user": user(3)})
                # Rows and version are of one snapshot: nothing is newer than what the version says.
                assert count <= version
                assert version >= seen
                seen, reads = version, reads + 1
            return reads

        async def rebuild() -> None:
            for name in ("state", "chat", "state", "usage", "tasks"):
                await asyncio.to_thread(Rebuild(world.settings, VIEWS[name], Silent()).run)

        reading = asyncio.create_task(read())
        position, _ = await asyncio.gather(write(), rebuild())
        await until_views_reach(world.url, position)
        is_over.set()
        assert await reading > 0
        assert not projector.done()
        assert_views_equal_a_fold(world.url, events)
        assert live_build(world.url, "state") == 3


NEWEST_CHANGE = """SELECT coalesce((SELECT max(changed_version) FROM state_objects WHERE user_id = %(user)s), 0),
    (SELECT coalesce(version, 0) FROM view_mark('state', %(user)s))"""

KILLED_AT = [
    *("rebuild.begun=kill:1", "rebuild.loaded=kill:1", "rebuild.loaded=kill:2", "rebuild.indexed=kill:1"),
    *("rebuild.indexed=kill:3", "rebuild.followed=kill:1", "rebuild.followed=kill:2", "rebuild.swapped=kill:1"),
]


def run_rebuild(database_url: str, name: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    program = (
        "import sys\n"
        "from cli.main import main\n"
        "from infra import failpoints\n"
        "import projections.streams\n"
        "projections.streams.PAGE_EVENTS = 100\n"
        "import projections.rebuild\n"
        "projections.rebuild.FOLLOW_PAGE_EVENTS = 50\n"
        "projections.rebuild.SWAP_EVENTS_MAX = 10\n"
        "failpoints.arm_all(sys.argv.pop(1))\n"
        "main(prog_name='microcos')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, failpoint, "projections", "rebuild", name],
        env={**os.environ, "MICROCOS_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_killed_rebuild_leaves_the_old_view_serving_and_goes_on_when_run_again(database_url: str) -> None:
    events = shuffled(some_histories(12, 120))
    step = len(events) // (len(KILLED_AT) + 2)
    written = 4 * step
    write_log(database_url, events[:written])
    for failpoint in KILLED_AT[:-1]:
        before = live_rows(database_url, VIEWS["chat"])
        killed = run_rebuild(database_url, "chat", failpoint)
        assert killed.returncode == -9, f"{failpoint}: {killed.stderr}"
        assert live_rows(database_url, VIEWS["chat"]) == before
        write_log(database_url, events[written : written + step])
        written += step
    write_log(database_url, events[written:])
    killed = run_rebuild(database_url, "chat", KILLED_AT[-1])
    assert killed.returncode == -9, killed.stderr
    assert "rebuild chat: load" not in killed.stderr
    assert live_rows(database_url, VIEWS["chat"]) == folded_rows(VIEWS["chat"], events)
    finished = run_rebuild(database_url, "chat")
    assert finished.returncode == 0, finished.stderr
    assert live_rows(database_url, VIEWS["chat"]) == folded_rows(VIEWS["chat"], events)
    assert builds(database_url, "chat") == [(3, "live")]
    assert tables_of(database_url, VIEWS["chat"]) == {f"{table.name}_b3" for table in VIEWS["chat"].tables}


def test_a_load_goes_on_after_the_last_user_that_it_holds(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PAGE_EVENTS", 100)
    events = shuffled(some_histories(12, 60))
    write_log(database_url, events)
    settings = Settings(database_url=database_url)
    with failpoints.armed("rebuild.loaded", nth=4), pytest.raises(failpoints.InjectedFault):
        Rebuild(settings, VIEWS["state"], Silent()).run()
    with psycopg.connect(database_url) as connection:
        (loaded,) = connection.execute("SELECT loaded_user FROM view_builds WHERE status = 'building'").fetchone() or (
            "",
        )
    assert loaded > ""
    progress = Recorded()
    Rebuild(settings, VIEWS["state"], progress).run()
    assert progress.parts[0]
    assert progress.parts[0] > 0
    assert live_rows(database_url, VIEWS["state"]) == folded_rows(VIEWS["state"], events)


def test_a_build_that_other_code_began_is_begun_anew(database_url: str) -> None:
    events = shuffled(some_histories(4, 60))
    write_log(database_url, events)
    settings = Settings(database_url=database_url)
    with failpoints.armed("rebuild.loaded"), pytest.raises(failpoints.InjectedFault):
        Rebuild(settings, VIEWS["tasks"], Silent()).run()
    newer = replace(VIEWS["tasks"], version=2)
    build = Rebuild(settings, newer, Silent()).run()
    assert build.version == 2
    assert live_rows(database_url, newer) == folded_rows(newer, events)


def test_two_rebuilds_of_a_view_do_no_harm_to_each_other(database_url: str) -> None:
    events = shuffled(some_histories(4, 60))
    write_log(database_url, events)
    settings = Settings(database_url=database_url)

    def another() -> None:
        Rebuild(settings, VIEWS["tasks"], Silent()).run()

    with failpoints.armed("rebuild.indexed", "call", call=another), pytest.raises(StaleBuild):
        Rebuild(settings, VIEWS["tasks"], Silent()).run()
    assert live_rows(database_url, VIEWS["tasks"]) == folded_rows(VIEWS["tasks"], events)
    assert builds(database_url, "tasks") == [(2, "live")]


def test_a_build_that_differs_from_a_fold_is_not_swapped_in(database_url: str) -> None:
    events = shuffled(some_histories(4, 60))
    write_log(database_url, events)

    def spoil() -> None:
        with psycopg.connect(database_url) as connection:
            connection.execute("UPDATE tasks_b2 SET status = 'lost' WHERE ctid = '(0,1)'")

    settings = Settings(database_url=database_url)
    with failpoints.armed("rebuild.followed", "call", call=spoil), pytest.raises(RebuildFailed) as failure:
        Rebuild(settings, VIEWS["tasks"], Silent()).run()
    assert [difference.what for difference in failure.value.comparison.differences] == ["status"]
    assert builds(database_url, "tasks") == [(1, "live")]
    assert tables_of(database_url, VIEWS["tasks"]) == {"tasks_b1", "due_instants_b1"}


def test_a_query_that_takes_long_delays_the_swap_and_not_other_queries(database_url: str) -> None:
    events = shuffled(some_histories(4, 60))
    write_log(database_url, events)
    tries = 0

    class Watching(Silent):
        def phase(self, phase: str, *, events: int = 0) -> None:
            nonlocal tries
            if phase == "follow":
                tries += 1
            if tries == 2:
                slow.rollback()

    with psycopg.connect(database_url) as slow:
        slow.execute("SELECT * FROM tasks")
        Rebuild(Settings(database_url=database_url), VIEWS["tasks"], Watching()).run()
    assert tries == 2
    assert live_rows(database_url, VIEWS["tasks"]) == folded_rows(VIEWS["tasks"], events)


def test_erased_users_rebuild_as_erased(database_url: str) -> None:
    history = some_histories(1, 80)[0].erase()
    write_log(database_url, history.rows)
    for view in VIEWS.values():
        Rebuild(Settings(database_url=database_url), view, Silent()).run()
        assert all(rows == [] for rows in live_rows(database_url, view).values())
