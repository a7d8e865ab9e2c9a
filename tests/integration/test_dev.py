"""What `microcos dev` promises of itself, with roles that do nothing: it starts, keeps alive, stops, leaves nothing."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import psycopg
import pytest

from infra.embedded.postgres import EmbeddedPostgres
from infra.login_codes import issue_login_code, redeem_login_code
from infra.postgres import open_pool
from infra.queries import Queries
from infra.settings import Settings
from tests.support.processes import ROOT, Running, none_left_with, processes_with, python, wait_until_gone

WORK_OF = "SELECT lease_until > clock_timestamp() FROM work WHERE user_id = %s"

Start = Callable[..., Running]


def idle_dev(data_dir: Path, behaviour: str = "good") -> Running:
    program = python(str(ROOT / "tests" / "support" / "idle_dev.py"), str(data_dir), behaviour)
    return Running(program, environment={"PYTHONPATH": str(ROOT)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data dir of one that runs, for tests that only look."""
    data_dir = tmp_path_factory.mktemp("home")
    dev = idle_dev(data_dir)
    dev.expect(r"^log in")
    (data_dir / "said").write_text(dev.output)
    yield data_dir
    dev.close()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def start(data_dir: Path) -> Iterator[Start]:
    """Starts one as from a terminal, also where the suite itself was started with `nohup`: programs inherit that."""
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    started: list[Running] = []

    def start(behaviour: str = "good") -> Running:
        started.append(idle_dev(data_dir, behaviour))
        return started[-1]

    yield start
    signal.signal(signal.SIGHUP, hangup)
    for dev in started:
        dev.close()


def pid_of(name: str, dev: Running) -> int:
    return int(dev.expect(rf"^{name} \| ready \(pid (\d+),")[1])


def insert_lease(server: EmbeddedPostgres, user_id: str, owner: str) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(
            "INSERT INTO work (user_id, reply_id, attempt, owner, lease_until, wanted_at)"
            " VALUES (%s, 'r', 1, %s, clock_timestamp() + interval '1 hour', clock_timestamp())",
            (user_id, owner),
        )


def is_leased(server: EmbeddedPostgres, user_id: str) -> bool:
    with psycopg.connect(server.url()) as connection:
        row = connection.execute(WORK_OF, (user_id,)).fetchone()
    assert row is not None
    return bool(row[0])


def test_it_says_where_it_is_and_how_to_get_in(home: Path) -> None:
    said = dict(line.split(" | ", 1) for line in (home / "said").read_text().splitlines())
    url = urlsplit(said["url"])
    assert url.hostname == "127.0.0.1"
    secret = (home / "keys" / "auth_dev_secret").read_text()
    claims = jwt.decode(said["token"], secret, algorithms=["HS256"])
    link = urlsplit(said["log in"])
    assert (link.path, link.netloc) == ("/login", url.netloc)
    code_hash = hashlib.sha256(link.fragment.removeprefix("code=").encode()).digest()
    with psycopg.connect(EmbeddedPostgres(home).url()) as connection:
        query = "SELECT sealed_sub, used_at, expires_at - now() < interval '10 minutes' FROM login_codes"
        row = connection.execute(f"{query} WHERE code_hash = %s", (code_hash,)).fetchone()
    assert row is not None
    assert row[1:] == (None, True)
    assert claims["sub"].encode() not in bytes(row[0])


def test_it_says_of_each_child_that_it_is_ready(home: Path) -> None:
    lines = (home / "said").read_text().splitlines()
    ready = {line.split(" | ")[0] for line in lines if "ready (pid" in line}
    assert ready == {"nats", "postgres", "api", "relay", "projections", "worker-1", "worker-2"}
    assert [line.split(" | ")[0] for line in lines[-4:]] == ["dev", "url", "token", "log in"]


def test_its_files_are_for_our_eyes_only(home: Path) -> None:
    for name in ("master_key", "auth_dev_secret", "nats_token", "postgres_password_microcos"):
        assert stat.S_IMODE((home / "keys" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "run" / "dev.json").stat().st_mode) == 0o600
    for folder in ("keys", "run", "logs", "nats", "postgres"):
        assert stat.S_IMODE((home / folder).stat().st_mode) == 0o700


def test_other_commands_find_it_by_its_data_dir(home: Path) -> None:
    kept = json.loads((home / "run" / "dev.json").read_text())
    assert kept["database_url"] == EmbeddedPostgres(home).url()
    environment = {"MICROCOS_DATA_DIR": str(home)}
    assert Settings.load(environment).port == int(kept["port"])
    doctor = Running(python("-m", "cli.main", "doctor"), environment=environment)
    assert doctor.wait() == 0, doctor.output
    assert not any(line.startswith(("fail", "warn")) for line in doctor.lines), doctor.output
    doctor.close()
    migrate = Running(python("-m", "cli.main", "migrate"), environment=environment)
    assert migrate.wait() == 0
    migrate.expect("schema is at")
    migrate.close()


def test_a_second_one_on_the_same_data_dir_is_refused(home: Path) -> None:
    second = Running(python("-m", "cli.main", "dev", "--port", "0", "--data-dir", str(home)))
    assert second.wait() == 1
    pid = (home / "run" / "dev.lock").read_text()
    assert f"Another `microcos dev` (pid {pid}) runs on {home}" in second.output
    second.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_it_stops_when_asked_and_leaves_nothing_running(start: Start, data_dir: Path, number: signal.Signals) -> None:
    dev = start()
    dev.expect(r"^dev \| ready in")
    dev.signal(number)
    assert dev.wait() == 0
    assert none_left_with(str(data_dir))
    assert not (data_dir / "run" / "dev.json").exists()


def test_one_that_was_started_with_nohup_outlives_its_terminal(data_dir: Path) -> None:
    program = python(str(ROOT / "tests" / "support" / "idle_dev.py"), str(data_dir))
    dev = Running(["nohup", *program], environment={"PYTHONPATH": str(ROOT)})
    nats = pid_of("nats", dev)
    dev.expect(r"^log in")
    dev.signal(signal.SIGHUP)
    os.kill(nats, signal.SIGKILL)
    assert pid_of("nats", dev) != nats
    dev.signal(signal.SIGTERM)
    assert dev.wait() == 0
    dev.close()


def test_it_can_be_stopped_while_it_starts(start: Start, data_dir: Path) -> None:
    dev = start()
    dev.expect(r"^postgres \| ready")
    dev.signal(signal.SIGTERM)
    assert dev.wait() == 0
    assert none_left_with(str(data_dir))


def test_a_second_request_to_stop_waits_for_nobody(start: Start, data_dir: Path) -> None:
    dev = start("stubborn")
    dev.expect(r"^dev \| ready in")
    dev.signal(signal.SIGINT)
    dev.expect(r"^dev \| stops")
    dev.signal(signal.SIGINT)
    assert dev.wait() == 0
    assert none_left_with(str(data_dir))


def test_nothing_outlives_a_killed_one_and_its_data_survives(start: Start, data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    dev = start()
    dev.expect(r"^dev \| ready in")
    insert_lease(server, "user", "somebody")
    alive = processes_with(str(data_dir)) - {dev.process.pid}
    assert len(alive) > 6
    dev.signal(signal.SIGKILL)
    for pid in alive:
        assert wait_until_gone(pid)
    again = start()
    again.expect(r"^dev \| ready in")
    # The row is there, and its owner is known to be dead.
    assert is_leased(server, "user") is False


def test_every_child_comes_back(start: Start) -> None:
    dev = start()
    names = ["nats", "postgres", "api", "relay", "projections", "worker-1", "worker-2"]
    dev.expect(r"^log in")
    ready = {line.split(" | ")[0]: line for line in dev.lines if "ready (pid" in line}
    for name in names:
        os.kill(int(ready[name].split("pid ")[1].split(",")[0]), signal.SIGKILL)
    waiting = set(names)
    while waiting:
        waiting.discard(dev.expect(r"^(\S+) \| ready \(pid")[1])


def test_the_leases_of_a_dead_worker_end_at_once_and_no_others(start: Start, data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    dev = start()
    dev.expect(r"^log in")
    owners = {line.split("owner ")[1]: line.split("pid ")[1].split()[0] for line in dev.lines if "owner worker" in line}
    dead, alive = sorted(owners)
    insert_lease(server, "dead", dead)
    insert_lease(server, "alive", alive)
    os.kill(int(owners[dead]), signal.SIGKILL)
    dev.expect(r"^worker-1 \| ready")
    while is_leased(server, "dead"):
        pass
    assert is_leased(server, "alive")


def test_a_port_that_is_taken_is_refused_before_anything_starts(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        dev = Running(python("-m", "cli.main", "dev", "--port", str(port), "--data-dir", str(data_dir)))
        assert dev.wait() == 1
    assert f"Port {port} on 127.0.0.1 is in use" in dev.output
    dev.close()
    assert not (data_dir / "postgres").exists()


def test_a_lost_master_key_is_not_replaced(start: Start, data_dir: Path) -> None:
    dev = start()
    dev.expect(r"^dev \| ready in")
    dev.signal(signal.SIGTERM)
    dev.wait()
    (data_dir / "keys" / "master_key").unlink()
    again = Running(python("-m", "cli.main", "dev", "--port", "0", "--data-dir", str(data_dir)))
    assert again.wait() == 1
    assert "put the key back" in again.output
    again.close()
    assert not (data_dir / "keys" / "master_key").exists()


def test_a_role_that_never_starts_does_not_stop_the_others(start: Start) -> None:
    dev = start("broken")
    dev.expect(r"^api \| cannot start")
    dev.expect(r"^api \| ended \(exit status 1\); starting it again")
    dev.expect(r"^api \| ended \(exit status 1\); starting it again")
    dev.signal(signal.SIGTERM)
    assert dev.wait() == 0


async def test_a_log_in_code_is_good_once(database_url: str) -> None:
    settings = Settings(database_url=database_url)
    code = issue_login_code(settings, "u1")
    async with open_pool(settings, "test") as pool:
        queries = Queries(pool)
        assert await redeem_login_code(queries, "guess") is None
        assert await redeem_login_code(queries, code) == "u1"
        assert await redeem_login_code(queries, code) is None
        late = issue_login_code(settings, "u1")
        await queries.fetch("UPDATE login_codes SET expires_at = now()")
        assert await redeem_login_code(queries, late) is None
