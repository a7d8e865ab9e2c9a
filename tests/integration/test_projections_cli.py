"""`microcos projections …` as an operator meets it: real processes, their output and their exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from projections.views import VIEWS
from tests.support.processes import ROOT, Running
from tests.support.views import catch_up, live_position, shuffled, some_histories, write_log

COMMAND = [sys.executable, "-m", "cli.main", "projections"]


def run(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env={"MICROCOS_DATABASE_URL": database_url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def runner(database_url: str) -> Iterator[Running]:
    process = Running([*COMMAND, "run"], environment={"MICROCOS_DATABASE_URL": database_url})
    try:
        yield process
    finally:
        process.close()


def test_every_command_says_what_it_does() -> None:
    for arguments in ((), ("run",), ("list",), ("status",), ("rebuild",), ("verify",)):
        helped = run("", *arguments, "--help")
        assert helped.returncode == 0, helped.stderr
        assert "Usage:" in helped.stdout


def test_list_names_all_views_with_their_tables() -> None:
    listed = run("", "list")
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(VIEWS)
    assert "chat_messages" in lines[1]


def test_run_says_that_it_is_ready_keeps_the_views_and_stops_when_told(database_url: str, runner: Running) -> None:
    runner.expect("^ready projections$")
    events = shuffled(some_histories(3, 60))
    position = write_log(database_url, events)
    other = Running([*COMMAND, "run"], environment={"MICROCOS_DATABASE_URL": database_url})
    try:
        other.expect("^ready projections$")
        status = wait_for_position(database_url, position)
        assert status["leader"]["epoch"] == 1
        runner.signal(signal.SIGTERM)
        assert runner.wait() == 0
        # The other one leads at once: the lease was given back.
        position = write_log(database_url, some_histories(5, 40)[4].rows)
        assert wait_for_position(database_url, position)["leader"]["epoch"] == 2
    finally:
        other.signal(signal.SIGINT)
        assert other.wait() == 0
        other.close()
    assert run(database_url, "verify").returncode == 0


def wait_for_position(database_url: str, position: int) -> dict[str, dict[str, int]]:
    """The test's own timeout ends a wait in vain."""
    while min(live_position(database_url, view) for view in VIEWS) < position:
        pass
    status: dict[str, dict[str, int]] = json.loads(run(database_url, "status", "--json").stdout)
    return status


def test_an_event_that_cannot_be_read_ends_the_process(database_url: str, runner: Running) -> None:
    runner.expect("^ready projections$")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO log0_events (originator_id, originator_version, topic, state) VALUES ('00/x', 1, 'Odd', '{}')"
        )
        connection.execute("NOTIFY log0")
    runner.expect("projections.event_unreadable")
    assert runner.wait() == 1


def test_status_shows_builds_their_lag_and_who_keeps_them(database_url: str) -> None:
    events = shuffled(some_histories(2, 40))
    position = write_log(database_url, events)
    shown = run(database_url, "status")
    assert shown.returncode == 0, shown.stderr
    assert f"{len(events)}" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "kept by nobody"
    catch_up(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE view_builds SET version = 7 WHERE view = 'tasks'")
    status = json.loads(run(database_url, "status", "--json").stdout)
    assert status["leader"] is None
    assert [(b["view"], b["build"], b["status"], b["position"], b["lag_events"]) for b in status["builds"]] == [
        (view, 1, "live", position, 0) for view in sorted(VIEWS)
    ]
    assert "needs a rebuild" in run(database_url, "status").stdout


def test_rebuild_tells_its_progress_line_by_line_and_verify_agrees(database_url: str) -> None:
    events = shuffled(some_histories(3, 60))
    position = write_log(database_url, events)
    rebuilt = run(database_url, "rebuild", "chat")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert rebuilt.stdout == f"chat is live as build 2, version 1, at position {position}\n"
    assert f"rebuild chat: load 0% of {position} events" in rebuilt.stderr
    assert rebuilt.stderr.splitlines()[-1] == "rebuild chat: done"
    verified = run(database_url, "verify", "chat")
    assert verified.returncode == 0, verified.stderr
    assert "0 differences" in verified.stdout


def test_verify_exits_with_1_when_a_row_differs(database_url: str) -> None:
    write_log(database_url, shuffled(some_histories(2, 60)))
    catch_up(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE state_objects_b1 SET ord = ord + 1 WHERE kind = 'session'")
    verified = run(database_url, "verify")
    assert verified.returncode == 1
    assert "state_objects" in verified.stdout
    assert ": ord" in verified.stdout
    assert "usage: build 1" in verified.stdout


def test_a_view_that_nobody_knows_is_refused(database_url: str) -> None:
    refused = run(database_url, "rebuild", "nothing")
    assert refused.returncode == 2
    assert "state" in refused.stderr


def test_a_database_that_is_away_is_told_in_one_line() -> None:
    for arguments in (("status",), ("rebuild", "state"), ("verify",)):
        failed = run("postgresql://nobody@127.0.0.1:1/nothing", *arguments)
        assert failed.returncode == 1
        assert "Traceback" not in failed.stderr
        # The pool's warnings, one for each attempt to connect, would come before it.
        assert arguments != ("status",) or failed.stderr.startswith("Error: ")
