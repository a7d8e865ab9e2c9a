"""`microcos dev` as a user starts it: every role for real, each killed, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.processes import Running, none_left_with, python

READY_SECONDS = 30.0
BACK_SECONDS = 5.0
STOP_SECONDS = 10.0
SLOWNESS = 4.0  # of a busy machine; the promises are for an idle one

ROLES = ("api", "relay", "projections", "worker-1", "worker-2")


class Home:
    def __init__(self, data_dir: Path) -> None:
        arguments = ("dev", "--port", "0", "--data-dir", str(data_dir), "--workers", "2")
        self.data_dir = data_dir
        self.dev = Running(python("-m", "cli.main", *arguments))
        self.pids: dict[str, int] = {}
        waiting = {"nats", "postgres", *ROLES}
        while waiting:
            found = self.expect(r"^(\S+) +\| ready \(pid (\d+)", READY_SECONDS)
            self.pids[found[1]] = int(found[2])
            waiting.discard(found[1])
        self.url = self.expect(r"^url +\| (\S+)", READY_SECONDS)[1]
        self.token = self.expect(r"^token +\| (\S+)", READY_SECONDS)[1]
        self.code = self.expect(r"^log in +\| \S+/login#code=(\S+)", READY_SECONDS)[1]

    def expect(self, pattern: str, seconds: float) -> re.Match[str]:
        return self.dev.expect(pattern, seconds=seconds * SLOWNESS)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, headers={"Authorization": f"Bearer {self.token}"}, timeout=30)

    def stop(self) -> None:
        self.dev.signal(signal.SIGTERM)
        assert self.dev.wait(seconds=STOP_SECONDS * SLOWNESS) == 0
        assert none_left_with(str(self.data_dir))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dev")


@pytest.fixture(scope="module")
def home(data_dir: Path) -> Iterator[Home]:
    home = Home(data_dir)
    yield home
    home.dev.close()


def test_it_serves_who_has_its_token(home: Home) -> None:
    assert home.get("/health/ready").json()["status"] == "ok"
    assert home.get("/api/v1/state").status_code == 200
    assert httpx.get(home.url + "/api/v1/state").status_code == 401


def test_the_log_in_link_is_good_once(home: Home) -> None:
    first = httpx.post(home.url + "/auth/dev", json={"code": home.code})
    assert first.is_success
    state = httpx.get(home.url + "/api/v1/state", headers={"Authorization": f"Bearer {first.json()['token']}"})
    assert state.json()["userId"] == home.get("/api/v1/state").json()["userId"]
    assert httpx.post(home.url + "/auth/dev", json={"code": home.code}).status_code in (400, 401, 403, 404, 410)


def test_every_child_comes_back_after_a_kill(home: Home) -> None:
    for name, pid in home.pids.items():
        os.kill(pid, signal.SIGKILL)
        found = home.expect(rf"^{name} +\| ready \(pid (\d+)", BACK_SECONDS)
        assert int(found[1]) != pid
        home.pids[name] = int(found[1])
    assert home.get("/api/v1/state").status_code == 200


def test_state_survives_a_stop_and_the_loss_of_the_bus(home: Home, data_dir: Path) -> None:
    task = {"action": "create", "task": {"title": "water the plants"}}
    headers = {"Authorization": f"Bearer {home.token}", "Idempotency-Key": "plants"}
    made = httpx.post(home.url + "/api/v1/tasks", json=task, headers=headers, timeout=30)
    assert made.status_code == 201
    home.stop()
    shutil.rmtree(data_dir / "nats" / "jetstream")
    again = Home(data_dir)
    try:
        answer = again.get(f"/api/v1/state?min_version={made.json()['version']}")
        assert [task["title"] for task in answer.json()["tasks"]] == ["water the plants"]
    finally:
        again.stop()
        again.dev.close()
