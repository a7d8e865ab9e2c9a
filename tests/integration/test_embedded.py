"""The embedded servers: reached by nobody but us, as durable as promised, and gone with who started them."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import nats
import psycopg
import pytest

from infra import postgres
from infra.embedded import launch
from infra.embedded.binaries import EmbeddedError
from infra.embedded.nats import EmbeddedNats
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.servers import running
from infra.nats.check import check_bus
from infra.settings import Settings
from tests.support.databases import PostgresServer
from tests.support.processes import ROOT, Running, python, wait_until_gone

# Starts both servers, says their pids, and waits to be killed.
HOLDER = """
import sys, threading
from pathlib import Path
from infra.embedded.nats import EmbeddedNats
from infra.embedded.postgres import EmbeddedPostgres
from infra.embedded.servers import running
data_dir = Path(sys.argv[1])
nats = EmbeddedNats(data_dir)
nats.choose_port()
with running(EmbeddedPostgres(data_dir)) as one, running(nats) as other:
    print("pids", one.pid, other.pid, flush=True)
    threading.Event().wait()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "data")
    yield server
    server.discard_socket_folder()


async def test_postgres_keeps_what_it_acknowledges(database_url: str) -> None:
    async with await postgres.connect(Settings(database_url=database_url), "test") as connection:
        checks = await postgres.check_durability(connection)
    assert {check.name: check.level for check in checks if check.level != "ok"} == {}


async def test_the_self_check_finds_what_is_missing(database_url: str) -> None:
    settings = Settings(database_url=f"{database_url}&options=-c%20synchronous_commit%3Doff")
    async with await postgres.connect(settings, "test", statement_timeout_seconds=0) as connection:
        checks = await postgres.check_durability(connection)
    failed = {check.name for check in checks if check.level == "fail"}
    assert failed == {"synchronous_commit", "statement_timeout"}


def test_postgres_listens_on_no_port_and_trusts_nobody(postgres_server: PostgresServer) -> None:
    server = postgres_server.server
    with psycopg.connect(server.url("postgres", superuser=True)) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        methods = connection.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules").fetchall()
        assert methods == [("scram-sha-256",)]
        is_super = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = 'microcos'").fetchone()
        assert is_super == (False,)
    folder = quote(str(server.data_dir / "run"), safe="")
    for login in ("postgres", "postgres:guess", "microcos:guess"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://{login}@/postgres?host={folder}")


def test_only_we_can_reach_the_socket_the_data_and_the_passwords(postgres_server: PostgresServer) -> None:
    data_dir = postgres_server.server.data_dir
    for folder in ("run", "postgres", "keys", "logs"):
        assert stat.S_IMODE((data_dir / folder).stat().st_mode) == 0o700, folder
    for key in (data_dir / "keys").iterdir():
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key


def test_postgres_does_not_run_as_root(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.server.url("postgres", superuser=True)) as connection:
        row = connection.execute("SELECT pg_read_file('/proc/self/status')").fetchone()
    assert row is not None
    assert "Uid:\t0" not in row[0]


def test_what_was_committed_survives_a_kill(server: EmbeddedPostgres) -> None:
    with running(server) as process:
        with psycopg.connect(server.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
        process.kill()
        process.wait()
    with running(server), psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_a_killed_server_whose_status_nobody_has_asked_for_does_not_stop_the_start(server: EmbeddedPostgres) -> None:
    with running(server) as process:
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with running(server):
            assert server.is_ready()


def test_a_pid_file_that_names_another_program_does_not_stop_the_start(server: EmbeddedPostgres) -> None:
    with running(server) as process:
        process.kill()
        process.wait()
    (socket_lock,) = (server.data_dir / "run").glob(".*.lock")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        for lock in (server.cluster / "postmaster.pid", socket_lock):
            _, *lines = lock.read_text().splitlines()
            lock.write_text("\n".join([str(other.pid), *lines]) + "\n")
        with running(server):
            assert server.is_ready()
        other.kill()


def test_a_data_dir_with_a_long_path_gets_a_short_private_socket_folder(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 30))
    with running(server):
        with psycopg.connect(server.url(superuser=True)) as connection:
            row = connection.execute("SHOW unix_socket_directories").fetchone()
        assert row is not None
        folder = Path(row[0])
        assert server.data_dir not in folder.parents
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with running(server), psycopg.connect(server.url(superuser=True)) as connection:
        assert connection.execute("SHOW unix_socket_directories").fetchone() == row
    server.discard_socket_folder()
    assert not folder.exists()


def test_a_cluster_without_its_password_is_refused_and_left_alone(server: EmbeddedPostgres) -> None:
    with running(server):
        pass
    (server.data_dir / "keys" / "postgres_password_postgres").unlink()
    with pytest.raises(EmbeddedError, match="password"):
        server.prepare()
    assert server.exists


def test_a_cluster_of_another_postgres_is_refused_and_left_alone(server: EmbeddedPostgres) -> None:
    with running(server):
        pass
    version = server.cluster / "PG_VERSION"
    ours = version.read_text()
    version.write_text("9\n")
    with pytest.raises(EmbeddedError, match="was made by Postgres 9"):
        server.prepare()
    version.write_text(ours)
    with running(server):
        assert server.is_ready()


def test_a_lost_password_of_our_own_role_is_made_anew(server: EmbeddedPostgres) -> None:
    with running(server):
        pass
    (server.data_dir / "keys" / "postgres_password_microcos").unlink()
    with running(server), psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("microcos",)


async def test_a_pool_notices_connections_that_a_restart_has_closed(server: EmbeddedPostgres) -> None:
    settings = Settings(database_url=server.url(), database_pool_size=4, database_wait_seconds=60.0)
    async with postgres.open_pool(settings, "test") as pool:
        with running(server) as process:
            await pool.resize(4)
            await pool.wait()
            process.kill()
            process.wait()
        with running(server):
            for _ in range(8):
                async with pool.connection() as connection:
                    await connection.execute("SELECT 1")


async def test_nats_wants_its_token_and_shows_nothing_else(nats_server: EmbeddedNats) -> None:
    client = await nats.connect(nats_server.url)
    await client.jetstream().account_info()
    assert client.max_payload == 1_048_576
    await client.close()
    configuration = json.loads((nats_server.data_dir / "nats" / "server.conf").read_text())
    assert not {"http", "http_port", "https_port", "monitor_port", "cluster", "websocket"} & configuration.keys()
    with socket.create_connection(("127.0.0.1", configuration["port"])) as stranger:
        stranger.settimeout(10)
        greeting = stranger.makefile("rb").readline()
        assert json.loads(greeting[5:])["auth_required"] is True
        stranger.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        assert stranger.recv(64).startswith(b"-ERR 'Authorization Violation'")


def test_nats_starts_after_its_store_was_taken_away(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path)
    server.choose_port()
    url = server.url
    with running(server):
        assert server.is_intact()
        server.store.rename(tmp_path / "away")
        assert not server.is_intact()
    server.choose_port()
    with running(server):
        assert server.is_intact()
        assert server.url == url


def test_nats_takes_another_port_when_its_own_is_taken(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path)
    server.choose_port()
    before = server.url
    with socket.create_server(("127.0.0.1", int(before.rsplit(":", 1)[1]))):
        server.choose_port()
    assert server.url != before


def test_nats_takes_another_port_when_the_note_of_its_own_is_lost(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path)
    server.choose_port()
    (tmp_path / "run" / "nats_port").write_text("")
    server.choose_port()
    assert 20_000 <= int(server.url.rsplit(":", 1)[1]) < 32_000


def test_servers_start_in_a_data_dir_of_any_name(tmp_path: Path) -> None:
    data_dir = tmp_path / 'José\'s "data" 数 $X'
    nats = EmbeddedNats(data_dir)
    nats.choose_port()
    postgres = EmbeddedPostgres(data_dir)
    with running(nats), running(postgres):
        assert nats.is_intact()
        with psycopg.connect(postgres.url()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    postgres.discard_socket_folder()


async def test_the_bus_check_tells_a_server_from_none(nats_server: EmbeddedNats) -> None:
    assert (await check_bus(Settings(nats_url=nats_server.url))).level == "ok"
    assert (await check_bus(Settings())).level == "warn"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        away = Settings(nats_url=f"nats://127.0.0.1:{mute.getsockname()[1]}", nats_connect_timeout_seconds=0.1)
        assert (await check_bus(away)).level == "warn"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own way is Linux's")
def test_servers_do_not_outlive_a_killed_starter(tmp_path: Path) -> None:
    holder = Running(python("-c", HOLDER, str(tmp_path)))
    pids = [int(pid) for pid in holder.expect(r"pids (\d+) (\d+)").groups()]
    holder.signal(signal.SIGKILL)
    for pid in pids:
        assert wait_until_gone(pid)
    holder.close()
    again = Running(python("-c", HOLDER, str(tmp_path)))
    again.expect("pids")
    again.close()


def test_a_program_whose_starter_is_gone_does_not_start() -> None:
    command = launch.command(["/bin/echo", "started"], parent=1, stop_signal=signal.SIGKILL)
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (launch.EXIT_PARENT_GONE, b"")


def test_where_the_kernel_has_no_way_a_small_parent_watches(tmp_path: Path) -> None:
    program = """
import subprocess, sys
watch = "import os, sys; from infra.embedded import launch; sys.exit(launch.watch(os.getppid(), 15, sys.argv[1:]))"
sleep = "import os, threading; print('pid', os.getpid(), flush=True); threading.Event().wait()"
subprocess.Popen([sys.executable, "-c", watch, sys.executable, "-c", sleep]).wait()
"""
    holder = Running(python("-c", program), environment={"PYTHONPATH": str(ROOT)})
    pid = int(holder.expect(r"pid (\d+)")[1])
    holder.signal(signal.SIGKILL)
    assert wait_until_gone(pid)
    holder.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_without_namespaces_runs_postgres_as_nobody(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    wrapper = ROOT / "tests" / "support" / "root_without_namespaces.py"
    (tmp_path / "holder.py").write_text(HOLDER)
    command = python(str(wrapper), str(tmp_path / "holder.py"), str(tmp_path / "data"))
    holder = Running(command, environment={"PYTHONPATH": str(ROOT)})
    pids = [int(pid) for pid in holder.expect(r"pids (\d+) (\d+)").groups()]
    assert f"Uid:\t{launch.NOBODY_ID}" in Path(f"/proc/{pids[0]}/status").read_text()
    holder.end_session()
    for pid in pids:
        assert wait_until_gone(pid)
    # And back, where namespaces are allowed again.
    server = EmbeddedPostgres(tmp_path / "data")
    with running(server), psycopg.connect(server.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
