"""The command line: quick to answer, and strict about what it prints where."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import jwt
import pytest
from click.testing import CliRunner

from cli.main import COMMANDS, main
from infra.keys.local import make_master_key
from tests.support.processes import ROOT

SECRET = "a development secret of more than 32 bytes"
HEAVY = {"psycopg", "litestar", "nats", "sqlalchemy", "alembic", "pydantic", "httpx", "structlog", "jwt"}


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    program = """
import sys, json
from cli.main import main
try: main(["--help"], prog_name="microcos")
except SystemExit: pass
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stderr))
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith(f"Usage: main {name}")


def test_an_unknown_command_is_refused() -> None:
    assert CliRunner().invoke(main, ["fly"]).exit_code == 2


def test_a_wrong_setting_is_told_in_a_line_and_not_in_a_traceback() -> None:
    refused = CliRunner().invoke(main, ["settings"], env={"MICROCOS_PORT": "many"})
    assert refused.exit_code == 2
    assert refused.stderr == "Error: MICROCOS_PORT: must be a whole number.\n"


@pytest.mark.parametrize(
    "arguments",
    [["migrate"], ["doctor"], ["dlq", "list"], ["projections", "verify"], ["user", "export", "me"]],
    ids=str,
)
def test_what_is_no_database_is_told_in_a_line_that_does_not_quote_it(arguments: list[str], tmp_path: Path) -> None:
    environment = {
        "MICROCOS_DATA_DIR": str(tmp_path),
        "MICROCOS_DATABASE_URL": "postgresql/user:secret@host",
        "MICROCOS_MASTER_KEY": make_master_key(),
    }
    if arguments[0] == "user":
        arguments = [*arguments, "--out", str(tmp_path / "me.zip")]
    refused = CliRunner().invoke(main, arguments, env=environment)
    assert refused.exit_code in (1, 2)
    assert isinstance(refused.exception, SystemExit)
    assert "MICROCOS_DATABASE_URL is no address of a Postgres" in refused.output
    assert "secret" not in refused.output


def test_a_data_dir_that_cannot_be_one_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    data_dir = tmp_path / "file" / "data"
    refused = CliRunner().invoke(main, ["dev"], env={"MICROCOS_DATA_DIR": str(data_dir)})
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"Error: {data_dir} cannot be used: ")


def test_who_chats_where_no_dev_ever_ran_is_told_so_and_leaves_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nobody is there to talk to")

    monkeypatch.setattr("cli.chat.Talk", never)
    data_dir = tmp_path / "data"
    refused = CliRunner().invoke(main, ["chat", "hello"], env={"MICROCOS_DATA_DIR": str(data_dir)})
    assert refused.exit_code == 2
    assert "start `microcos dev` first" in refused.stderr
    assert not data_dir.exists()


def test_a_log_in_link_that_no_database_can_keep_is_told_in_a_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    environment = {
        "MICROCOS_DATA_DIR": str(tmp_path),
        "MICROCOS_DATABASE_URL": f"postgresql://127.0.0.1:{port}/none",
        "MICROCOS_MASTER_KEY": make_master_key(),
        "MICROCOS_AUTH_DEV_SECRET": SECRET,
    }
    refused = CliRunner().invoke(main, ["token", "--user", "u1", "--link"], env=environment)
    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: The database cannot be reached or used")


def test_an_export_without_a_name_is_refused() -> None:
    refused = CliRunner().invoke(main, ["user", "export", "me", "--out", ""])
    assert refused.exit_code == 2
    assert "--out" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "line"), [(["settings"], b"MICROCOS_PORT=8000"), (["--help"], b"one MICROCOS_? variable")], ids=str
)
def test_a_terminal_that_lacks_a_letter_shows_another(arguments: list[str], line: bytes, tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "latin-1", "MICROCOS_DATA_DIR": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert line in shown.stdout


def test_a_token_stands_alone_on_stdout(tmp_path: Path) -> None:
    environment = {"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_AUTH_DEV_SECRET": SECRET}
    printed = CliRunner().invoke(main, ["token", "--user", "u1"], env=environment)
    assert printed.exit_code == 0
    assert printed.stderr == ""
    claims = jwt.decode(printed.stdout.removesuffix("\n"), SECRET, algorithms=["HS256"])
    assert claims["sub"] == "u1"
    assert claims["exp"] - claims["iat"] == 86_400


@pytest.mark.parametrize("command", ["token", "chat"])
@pytest.mark.parametrize("user", ["", "two words", "../u2", "x" * 129])
def test_a_user_that_no_token_may_name_is_refused(tmp_path: Path, command: str, user: str) -> None:
    environment = {"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_AUTH_DEV_SECRET": SECRET}
    refused = CliRunner().invoke(main, [command, "--user", user], env=environment)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--user" in refused.stderr


def test_a_token_names_the_issuer_and_audience_that_are_asked_for(tmp_path: Path) -> None:
    environment = {"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_AUTH_DEV_SECRET": SECRET}
    environment |= {"MICROCOS_AUTH_ISSUER": "https://me", "MICROCOS_AUTH_AUDIENCE": "web,mobile"}
    arguments = ["token", "--user", "u1", "--lifetime-seconds", "60"]
    printed = CliRunner().invoke(main, arguments, env=environment)
    claims = jwt.decode(printed.stdout.strip(), SECRET, algorithms=["HS256"], audience="web", issuer="https://me")
    assert claims["exp"] - claims["iat"] == 60


def test_a_token_that_would_live_longer_than_is_accepted_is_not_made(tmp_path: Path) -> None:
    environment = {"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_AUTH_DEV_SECRET": SECRET}
    refused = CliRunner().invoke(main, ["token", "--user", "u1", "--lifetime-seconds", "86401"], env=environment)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "MICROCOS_AUTH_LIFETIME_MAX_SECONDS" in refused.stderr


def test_a_database_that_is_away_is_told_in_a_line_and_not_in_a_traceback(tmp_path: Path) -> None:
    url = f"postgresql://someone:secret@/postgres?host={tmp_path}"
    refused = CliRunner().invoke(
        main, ["migrate"], env={"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_DATABASE_URL": url}
    )
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr.startswith("Error: The database cannot be reached or used: ")
    assert "secret" not in refused.stderr


@pytest.mark.parametrize("url", ["", "garbage", "ftp://host", "http://", "http://[::", "http://host:port"])
def test_what_is_no_address_is_not_waited_for(tmp_path: Path, url: str) -> None:
    environment = {"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_AUTH_DEV_SECRET": SECRET}
    refused = CliRunner().invoke(main, ["chat", "--url", url, "hello"], env=environment)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "--url" in refused.stderr


def test_without_a_development_key_no_token_is_made(tmp_path: Path) -> None:
    refused = CliRunner().invoke(main, ["token", "--user", "u1"], env={"MICROCOS_DATA_DIR": str(tmp_path)})
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert "microcos dev" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_dev_refuses_a_host_that_others_can_reach(tmp_path: Path) -> None:
    environment = {"MICROCOS_DATA_DIR": str(tmp_path), "MICROCOS_HOST": "0.0.0.0"}
    refused = CliRunner().invoke(main, ["dev"], env=environment)
    assert refused.exit_code == 2
    assert "MICROCOS_HOST" in refused.stderr
    assert list(tmp_path.iterdir()) == []
