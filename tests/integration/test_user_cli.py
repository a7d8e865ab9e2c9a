"""`microcos user …` as an operator meets it: real processes, their output, their exit codes and their files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from commands.tasks import CreateTask
from commands.write_side import WriteSide, open_write_side
from domain.values import Task
from infra.settings import Settings
from tests.support.processes import ROOT
from tests.support.views import catch_up

pytestmark = pytest.mark.anyio


def run(settings: Settings, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[bytes]:
    environment = {
        "MICROCOS_DATABASE_URL": settings.database_url,
        "MICROCOS_NATS_URL": settings.nats_url,
        "MICROCOS_DATA_DIR": str(settings.data_dir),
        "MICROCOS_MASTER_KEY": settings.master_key,
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "cli.main", "user", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, input=answer.encode(), capture_output=True, check=False, timeout=60
    )


@pytest.fixture
async def side(settings: Settings) -> AsyncIterator[WriteSide]:
    """With a user `u1` who has one task."""
    async with open_write_side(settings, "test") as side:
        user_id = await side.keyring.ensure_user("", "u1")
        await side.handler.handle(user_id, CreateTask(task=Task(title="secret")))
        catch_up(settings.database_url)
        yield side


async def test_an_archive_is_written_for_its_owner_alone_and_replaces_nothing(
    settings: Settings, side: WriteSide, tmp_path: Path
) -> None:
    out = tmp_path / "all.zip"
    done = run(settings, "export", "u1", "--out", str(out))
    assert (done.returncode, done.stdout.decode()) == (0, f"{out}\n"), done.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    with ZipFile(out) as archive:
        assert [task["title"] for task in json.loads(archive.read("state.json"))["tasks"]] == ["secret"]
    again = run(settings, "export", "u1", "--out", str(out))
    assert again.returncode == 1
    assert "is there already" in again.stderr.decode()
    assert [path for path in os.listdir(tmp_path) if "zip" in path] == ["all.zip"]


async def test_an_archive_can_go_to_stdout(settings: Settings, side: WriteSide) -> None:
    done = run(settings, "export", "u1", "--out", "-")
    assert done.returncode == 0, done.stderr
    assert "README.txt" in ZipFile(BytesIO(done.stdout)).namelist()


async def test_an_erased_user_is_gone_when_the_command_returns(settings: Settings, side: WriteSide) -> None:
    user_id = await side.keyring.ensure_user("", "u1")
    done = run(settings, "erase", "u1", "--yes")
    assert (done.returncode, done.stdout.decode()) == (0, "u1 was erased at version 2\n"), done.stderr
    wrapped = await side.queries.fetch("SELECT wrapped FROM keys WHERE user_id = %s", (user_id,))
    assert wrapped == [(None,)]
    assert await side.queries.fetch("SELECT 1 FROM commands WHERE user_id = %s", (user_id,)) == []
    for again in (run(settings, "erase", "u1", "--yes"), run(settings, "export", "u1", "--out", "-")):
        assert (again.returncode, again.stderr.decode()) == (1, "Error: There is no user u1.\n")


async def test_it_asks_before_it_erases(settings: Settings, side: WriteSide) -> None:
    refused = run(settings, "erase", "u1", answer="n\n")
    assert refused.returncode == 1
    assert "Erase u1 for good?" in refused.stderr.decode()
    assert await side.keyring.find_user("", "u1") is not None
    assert run(settings, "erase", "u1", answer="y\n").returncode == 0


async def test_the_issuer_tells_users_of_one_name_apart(settings: Settings, side: WriteSide) -> None:
    other = await side.keyring.ensure_user("https://issuer.example", "u1")
    done = run(settings, "erase", "u1", "--yes", "--issuer", "https://issuer.example")
    assert (done.returncode, done.stdout.decode()) == (0, "u1 was erased at version 1\n"), done.stderr
    erased = await side.queries.fetch("SELECT user_id FROM users WHERE erased_at IS NOT NULL")
    assert erased == [(other,)]
