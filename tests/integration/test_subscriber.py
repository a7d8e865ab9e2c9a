"""The subscriber of the docs, word for word, while everything around it dies."""

from __future__ import annotations

import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import nats
import pytest

from infra.clock import SystemClock
from infra.embedded.binaries import nats_binary
from infra.event_log.store import PostgresEventLog, open_event_log
from infra.nats.bus import NatsBus
from infra.settings import Settings
from tests.support.facts import append_sessions
from tests.support.nats_process import NatsProcess, nats_process
from tests.support.processes import ROOT, Running
from tests.support.waiting import until

pytestmark = pytest.mark.anyio

EXAMPLE = ROOT / "docs" / "examples" / "subscriber.py"
USERS = ("00/one", "17/two", "63/three")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsProcess]:
    with nats_process(tmp_path / "nats") as process:
        yield process


def handled_rows(path: Path) -> list[tuple[str, int]]:
    """User and version of each event, in the order of handling."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path, timeout=60)) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'handled'").fetchone():
            return []
        return database.execute("SELECT user, version FROM handled ORDER BY rowid").fetchall()


class Scene:
    """A relay and a subscriber as processes, and users who go on as if nothing happened."""

    def __init__(self, settings: Settings, database: Path, log: PostgresEventLog, ends: ExitStack) -> None:
        self._settings = settings
        self._database = database
        self._log = log
        self._ends = ends
        self._versions = dict.fromkeys(USERS, 0)

    def start_relay(self) -> Running:
        command = [sys.executable, "-m", "cli.main", "relay"]
        return self._started(Running(command, environment=self._settings.as_environment()))

    def start_subscriber(self) -> Running:
        return self._started(Running([sys.executable, str(EXAMPLE), self._settings.nats_url, str(self._database)]))

    async def write(self, count: int) -> None:
        """So many events of each user."""
        now_ms = SystemClock().now_ms()
        for user_id, version in self._versions.items():
            self._versions[user_id] = await append_sessions(self._log, user_id, version, count, at_ms=now_ms)

    async def until_handled(self) -> None:
        await until(lambda: len(self.handled()) >= sum(self._versions.values()))
        by_user = {user: [version for each, version in self.handled() if each == user] for user in USERS}
        assert by_user == {user: list(range(1, version + 1)) for user, version in self._versions.items()}

    def handled(self) -> list[tuple[str, int]]:
        return handled_rows(self._database)

    def _started(self, process: Running) -> Running:
        self._ends.callback(process.close)
        return process


async def test_it_misses_nothing_whatever_dies(server: NatsProcess, database_url: str, tmp_path: Path) -> None:
    settings = Settings(database_url=database_url, nats_url=server.url)
    with ExitStack() as ends:
        async with open_event_log(settings) as log:
            scene = Scene(settings, tmp_path / "handled.db", log, ends)
            subscriber, relay = scene.start_subscriber(), scene.start_relay()
            await scene.write(20)
            await scene.until_handled()

            await scene.write(50)
            relay.signal(signal.SIGKILL)
            await scene.write(20)
            scene.start_relay()
            await scene.until_handled()

            server.restart(wipe=True)
            await scene.write(20)
            await scene.until_handled()

            await scene.write(100)
            await until(lambda: len(scene.handled()) > 3 * 120)
            subscriber.signal(signal.SIGKILL)
            await scene.write(20)
            scene.start_subscriber()
            await scene.until_handled()

            server.kill()
            older = server.copy_store(tmp_path / "copy")
            server.start()
            await scene.write(20)
            await scene.until_handled()
            server.restart(store=older)
            await scene.write(20)
            await scene.until_handled()


async def test_the_rights_in_the_docs_are_enough_and_no_more(tmp_path: Path) -> None:
    with server_with_users(tmp_path) as url_of, ExitStack() as ends:
        bus = NatsBus(Settings(nats_url=url_of("app")), name="test")
        await bus.start()
        await bus.link.wait_connected()
        subscriber = Running([sys.executable, str(EXAMPLE), url_of("subscriber"), str(tmp_path / "handled.db")])
        ends.callback(subscriber.close)
        headers = {"ce-id": "1", "ce-subject": USERS[0], "ce-userversion": "1"}
        bus.link.send(f"evt.v1.{USERS[0]}.task.TaskCreated", b"{}", headers=headers)
        await until(lambda: handled_rows(tmp_path / "handled.db") == [(USERS[0], 1)])

        refused: list[Exception] = []

        async def note(error: Exception) -> None:
            refused.append(error)

        intruder = await nats.connect(url_of("subscriber"), error_cb=note)
        for subject in ("evt.v1.x.task.TaskCreated", "job.llm.x", "tok.x.y", "$JS.API.STREAM.DELETE.EVT"):
            await intruder.publish(subject, b"{}")
        await intruder.subscribe("live.tok.>")
        await intruder.flush()
        await until(lambda: len(refused) == 5)
        await intruder.close()
        await bus.close()


@contextmanager
def server_with_users(folder: Path) -> Iterator[Callable[[str], str]]:
    """A NATS server with two users: `app` may do all, `subscriber` what docs/subscribers.md says."""
    rights = (ROOT / "docs" / "subscribers.md").read_text().split("    permissions: ")[1]
    (folder / "server.conf").write_text(
        f"""host: 127.0.0.1, port: -1
        jetstream {{ store_dir: "{folder / "store"}" }}
        authorization {{ users: [
          {{ user: app, password: secret }}
          {{ user: subscriber, password: secret, permissions: {rights} }}
        ] }}"""
    )
    server = Running([str(nats_binary()), "--config", str(folder / "server.conf")])
    try:
        port = server.expect(r"Listening for client connections on 127\.0\.0\.1:(\d+)")[1]
        server.expect("Server is ready")
        yield lambda user: f"nats://{user}:secret@127.0.0.1:{port}"
    finally:
        server.close()


def test_it_is_no_longer_than_twenty_lines() -> None:
    lines = [line for line in EXAMPLE.read_text().splitlines() if line.strip()]
    assert len(lines) <= 20
